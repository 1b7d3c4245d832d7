"""The guard's own file: conservative without a word, and refused with file, key and line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.act.guard.config import DEFAULT, load, parse
from isthmus.model.errors import Untrusted

WHOLE = """\
protected:
  - {account: 012345670123, why: the log archive}
  - id: arn:aws:iam::012345670124:role/break-glass
  - handle_prefix: "aws:012345670125/"
protected_abilities: [aws.stop_instance]
max_effects_per_incident: 3
per_hour: 10
per_account_per_hour: 4
share_of_fleet: 0.02
least_in_place: 1
freezes:
  - {start: 2026-12-20, end: 2027-01-02, reason: the year's end, except: [aws.deactivate_access_key]}
breaker: {failures: 2, minutes: 10}
"""


def test_a_whole_file_is_read_as_written() -> None:
    config = parse(WHOLE, "guard.yaml")
    assert config.protected[0].account == "012345670123", "digits stay the digits that were written"
    assert (config.max_effects_per_incident, config.per_hour, config.per_account_per_hour) == (3, 10, 4)
    assert (config.share_of_fleet, config.least_in_place) == (Decimal("0.02"), 1)
    assert config.freezes[0].start == datetime(2026, 12, 20, tzinfo=UTC)
    assert config.freezes[0].end == datetime(2027, 1, 2, 23, 59, 59, 999_999, UTC)
    assert config.freezes[0].excepted == {"aws.deactivate_access_key"}
    assert (config.breaker.failures, config.breaker.minutes) == (2, 10)


def test_what_is_not_said_has_the_shipped_value() -> None:
    assert parse("{}", "guard.yaml") == DEFAULT
    assert parse("per_hour: 3", "guard.yaml") == DEFAULT.model_copy(update={"per_hour": 3})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "g.yaml: guard: empty"),
        ("# all of it commented out\n", "g.yaml: guard: empty"),
        ("per_huor: 3\n", "g.yaml line 1: guard: per_huor: unknown key"),
        ("per_hour: 3\nper_hour: 900\n", "g.yaml line 2: guard: per_hour: key written twice"),
        ("per_hour:\n", "g.yaml line 1: guard: per_hour: "),
        ("protected:\n", "g.yaml line 1: guard: protected: "),
        ("per_hour: 1_000_000\n", "guard: per_hour: Input should be less than or equal to 1000"),
        ("per_hour: -1\n", "guard: per_hour: Input should be greater"),
        ("per_hour: .inf\n", "guard: per_hour: "),
        ("share_of_fleet: nan\n", "guard: share_of_fleet: "),
        ("share_of_fleet: 0.9\n", "guard: share_of_fleet: Input should be less"),
        ("least_in_place: 11\n", "guard: least_in_place: "),
        ("protected:\n  - acount: '1'\n", "g.yaml line 2: guard: protected.0.acount: unknown key"),
        ("protected:\n  - {id: a, account: '1'}\n", "g.yaml line 2: guard: protected.0: Value error, must have exactly one"),
        ("protected:\n  - {why: no target}\n", "exactly one"),
        ("protected:\n  - id: arn:aws:s3:::logs-*\n", "g.yaml line 2: guard: protected.0.id: Value error, has a wildcard"),
        ("protected:\n  - handle_prefix: ''\n", "protected.0.handle_prefix: Value error, is empty"),
        ("protected:\n  - id: 'a b'\n", "has spaces"),
        ("protected:\n  - id: bucket/\n", "names a collection"),
        ("protected: [i-1]\n", "g.yaml line 1: guard: protected.0: "),
        ("freezes:\n  - {start: 2026-02-01, end: 2026-01-01, reason: x}\n", "ends before it starts"),
        ("freezes:\n  - {start: 2026-02-01, end: 2026-03-01}\n", "freezes.0.reason: Field required"),
        ("freezes:\n  - {start: soon, end: 2026-03-01, reason: x}\n", "g.yaml line 2: guard: freezes.0.start"),
        ("breaker: {failures: 0}\n", "breaker.failures: Input should be greater"),
        ("a: [\n", "g.yaml line 2: guard: not YAML"),
        ("- a\n", "g.yaml: guard: the file: Input should be"),
        ("a: &x 1\nb: *x\n", "g.yaml line 1: guard: b: anchors"),
        ("{}\n---\n{}\n", "guard: not YAML"),
        ("[a]: 1\n", "g.yaml line 1: guard: "),
        ("a: " + "[" * 1_000, "g.yaml"),
        ("a: " + "[" * 20 + "]" * 20, "guard: a.0.0.0.0.0.0.0.0: anchors and deep nesting are not taken"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Untrusted) as caught:
        parse(text, "g.yaml")
    assert said in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(Untrusted) as caught:
        parse("a: 1\nper_hour: x\n", "g.yaml")
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_gives_no_permission(tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match=r"guard\.yaml: guard: No such file"):
        load(tmp_path / "guard.yaml")
    (tmp_path / "guard.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(Untrusted, match="not UTF-8"):
        load(tmp_path / "guard.yaml")
    (tmp_path / "guard.yaml").write_text(WHOLE, encoding="utf-8")
    assert load(tmp_path / "guard.yaml").per_hour == 10

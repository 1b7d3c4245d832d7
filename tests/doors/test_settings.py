"""Settings are refused with file, key and line, all at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isthmus.model.errors import Untrusted
from isthmus.settings import load, parse


def test_an_account_id_stays_the_digits_that_were_written() -> None:
    settings = parse("accounts:\n  012345670123: {environment: staging}\n", "s.yaml")
    assert list(settings.accounts) == ["012345670123"]
    assert parse("", "s.yaml") == parse("{}", "s.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acounts: {}\n", "s.yaml line 1: acounts: unknown key"),
        ("accounts:\n  '1':\n    enviroment: production\n", "s.yaml line 3: accounts.1.enviroment: unknown key"),
        ("accounts:\n  '1':\n    environment: prod\n", "s.yaml line 3: accounts.1.environment: Input should be"),
        ("crown_jewels: []\ncrown_jewels: [a]\n", "s.yaml line 2: crown_jewels: key written twice"),
        ("accounts: [\n", "s.yaml line 2: not YAML"),
        ("- a\n- b\n", "s.yaml: the file: Input should be"),
        ("expected:\n  - addresses: [1.2.3.4]\n    until: someday\n    why: x\n", "s.yaml line 3: expected.0.until"),
        ("expected:\n  - addresses: [1.2.3.4]\n", "expected.0.until: Field required"),
        ("intel:\n  kev: http://evil.example/feed\n", "s.yaml line 2: intel.kev: Value error, must be an https address"),
        ("a: " + "[" * 5_000, "s.yaml"),
        ("expected:\n  - {addresses: [banana], until: 2026-03-01, why: x}\n", "s.yaml line 2: expected.0.addresses.0"),
        ("expected:\n  - {addresses: [0.0.0.0/0], until: 2026-03-01, why: x}\n", "not an order"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Untrusted) as caught:
        parse(text, "s.yaml")
    assert said in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(Untrusted) as caught:
        parse("a: 1\nb: 2\n", "s.yaml")
    assert str(caught.value).splitlines() == ["s.yaml line 1: a: unknown key", "s.yaml line 2: b: unknown key"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match=r"none\.yaml: No such file"):
        load(tmp_path / "none.yaml")


def test_a_date_counts_to_its_end_and_networks_count_whole() -> None:
    (order,) = parse("expected:\n  - {addresses: [203.0.113.0/24], until: 2026-03-01, why: x}\n", "s.yaml").estate().expected
    day = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    assert order.covers(["203.0.113.7", "203.0.113.9"], day)
    assert not order.covers(["203.0.113.7"], day + timedelta(minutes=1))
    assert not order.covers(["203.0.113.7", "198.51.100.1"], day)
    assert not order.covers([], day)
    assert not order.covers(["nonsense"], day)

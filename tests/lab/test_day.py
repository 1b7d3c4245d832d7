"""A day is the same every time, its truth covers it, and its vendors and attacks all come up."""

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from isthmus import assembly
from isthmus.contracts.checks import read_all
from isthmus.doors.cli import triage
from isthmus.lab.attacks import ATTACKS
from isthmus.lab.day import Day
from isthmus.lab.near_misses import NEAR_MISSES
from isthmus.lab.truth import load
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding
from isthmus.record.intel import load as load_intel
from isthmus.settings import Settings, parse

_DIGEST = """
import hashlib, json
from isthmus.lab.day import Day
day = Day(5)
print(hashlib.sha256(json.dumps([(a.vendor, a.file, a.payload) for a in day.alerts]).encode()).hexdigest())
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    Day(3).write(tmp_path / "one")
    Day(3).write(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    Day(4).write(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "two")


def test_the_order_of_sets_does_not_matter() -> None:
    digests = {
        subprocess.run([sys.executable, "-c", _DIGEST], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_truth_covers_every_claim_and_nothing_else() -> None:
    day = Day(6)
    sources = {one.name: one for one in assembly.catalogue()}
    read = [claim for one in day.alerts for claim in read_all(sources[one.vendor], one.payload)]
    keys = {(one.source, one.source_id) for one in read if isinstance(one, Finding)}
    assert len(read) == day.truth.delivered == len(day.alerts)
    assert keys == set(day.truth.by_key())
    stories = {one.id for one in day.truth.stories}
    assert {one.story for one in day.truth.claims if one.role in ("attack", "near_miss")} == stories
    assert all(one.open for one in day.truth.claims if one.role == "attack")


def test_what_is_written_is_what_was_told(tmp_path: Path) -> None:
    day = Day(7)
    day.write(tmp_path)
    assert load(tmp_path / "truth.json") == day.truth
    document, _ = triage.run([str(tmp_path / "exports")], Settings(), day.end)
    assert (document.counts.seen, document.counts.rejected) == (len(day.alerts), 0)
    answered = {(row.source, row.source_id) for one in document.incidents for row in one.findings}
    assert answered <= set(day.truth.by_key())
    assert not any("truth" in path for path in contents(tmp_path / "exports"))
    assert any(body[:2] == gzip.compress(b"")[:2] for body in contents(tmp_path / "exports").values())


def test_every_vendor_that_speaks_appears_in_a_medium_day() -> None:
    day = Day(8, "medium")
    assert {one.vendor for one in day.alerts} == {one.name for one in assembly.catalogue() if one.simulator.speaks}


@pytest.mark.parametrize("seed", [9, 10])
def test_every_attack_and_every_near_miss_can_be_played(seed: int) -> None:
    truth = Day(seed, "medium", len(ATTACKS)).truth
    assert {one.kind for one in truth.of_role("attack")} == {one.kind for one in ATTACKS}
    assert {one.kind for one in truth.of_role("near_miss")} == {one.kind for one in NEAR_MISSES}
    for story in truth.stories:
        claims = [one for one in truth.claims if one.story == story.id and one.role == story.role]
        assert len(claims) >= 2, story.kind
        assert story.role == "near_miss" or any(one.kind == "threat" for one in claims), story.kind


def test_every_attack_appears_over_seeds() -> None:
    seen = {story.kind for seed in range(11, 26) for story in Day(seed).truth.of_role("attack")}
    assert seen == {one.kind for one in ATTACKS}


def test_a_small_day_is_as_big_as_a_morning_and_mostly_noise() -> None:
    day = Day(12)
    assert 380 <= len(day.alerts) <= 520
    assert sum(one.role == "noise" for one in day.truth.claims) > len(day.truth.claims) / 2
    assert len(day.alerts) > 1.2 * len(day.truth.claims), "a day has repeats"


def test_noise_is_never_known_to_be_exploited() -> None:
    exploited = load_intel(None).exploited
    day, sources = Day(13, "medium"), {one.name: one for one in assembly.catalogue()}
    known = day.truth.by_key()
    for one in day.alerts:
        for claim in read_all(sources[one.vendor], one.payload):
            assert isinstance(claim, Finding)
            if known[claim.source, claim.source_id].role in ("noise", "context"):
                assert not {flaw.cve for flaw in claim.vulnerabilities} & set(exploited)


def test_the_settings_are_settings() -> None:
    day = Day(14)
    settings = parse(day.settings, "isthmus.yaml")
    assert set(settings.accounts) == {one.id for one in day.company.homes}
    assert {str(one.network_address) for one in settings.expected[0].addresses} == set(day.company.testers)
    assert settings.expected[0].until > datetime(2026, 3, 3, tzinfo=UTC)
    assert settings.crown_jewels <= day.company.sensitive


def test_attackers_write_to_us() -> None:
    text = msgspec.json.encode([one.payload for one in Day(15, "medium").alerts]).decode()
    assert "Ignore all previous instructions" in text
    assert "ignore-this-request" in text


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(Untrusted, match="small, medium, large"):
        Day(1, "huge")


def test_other_peoples_exports_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "mine.json").write_text("[]")
    with pytest.raises(Untrusted, match="did not write"):
        Day(1).write(tmp_path)
    assert (tmp_path / "exports" / "mine.json").exists()

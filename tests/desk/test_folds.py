"""What grows without bound is counted whole and shown by its gravest; a person's word reaches no further than they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, select, update
from tests.desk.telling_worlds import HOURS, NOW, Told, delivered, folded, quiet, read_all, reader, threat

from isthmus.answer.case import case_of
from isthmus.answer.incident_view import view
from isthmus.desk.desk import plan_text
from isthmus.desk.words import Words
from isthmus.model.assets import AssetKind
from isthmus.model.disposition import State, disposition
from isthmus.model.errors import Refused
from isthmus.model.findings import Finding, Kind, Tie, Vulnerability
from isthmus.model.incidents import MOST_MEMBERS, Incident
from isthmus.model.people import Person, Role
from isthmus.model.severity import Severity, Status
from isthmus.pipeline import Parts, settled
from isthmus.record import incidents, links
from isthmus.record.incidents import Stored
from isthmus.record.schema import FINDINGS, INCIDENTS
from isthmus.record.store import Store, open_store

BEN = Person("ben", "default", "Ben", Role.ANALYST)


@pytest.fixture
def store(tmp_path: Path, database: URL | None) -> Iterator[Store]:
    opened = open_store(tmp_path, database)
    yield opened
    opened.close()


def every(store: Store) -> list[Stored]:
    """Every incident that is not part of another."""
    with store.reading() as connection:
        names = connection.execute(select(INCIDENTS.c.id).where(INCIDENTS.c.merged_into == "")).scalars().all()
        return [incidents.load(connection, store.keys, "default", one) for one in names]


def only(store: Store) -> Incident:
    [found] = every(store)
    return found.incident


def row(store: Store) -> tuple[str, int, int]:
    """Title, number and revision of the one incident as its row has them."""
    with store.reading() as connection:
        found = connection.execute(select(INCIDENTS.c.title, INCIDENTS.c.number, INCIDENTS.c.revision)).one()
    return found.title, found.number, found.revision


def read(store: Store, findings: list[Finding], start: int, at: datetime = NOW) -> None:
    delivered(store, findings, range(start, len(findings)))
    told = reader(store, findings)
    while told.read(at):
        pass


def grown(store: Store, number: int = 250) -> list[Finding]:
    """A backlog of so many, of low severity, the oldest first."""
    findings = [quiet(one, first_seen=NOW - 100 * HOURS + one * timedelta(minutes=1)) for one in range(number)]
    read(store, findings, 0)
    return findings


def test_a_fold_shows_its_gravest_and_tells_how_many_there_are(store: Store) -> None:
    findings = grown(store, 2_250)
    fold = only(store)
    assert (len(fold.members), fold.size) == (MOST_MEMBERS, 2_250)
    assert {one.finding.source_id for one in fold.members} == {one.source_id for one in findings[:MOST_MEMBERS]}
    assert row(store)[:2] == ("Backlog of 111: 2,250 quiet findings", 2_250)
    shown = view(fold, 1, "", NOW, plan_text)
    assert (shown.title, shown.size) == ("Backlog of 111: 2,250 quiet findings", 2_250)


def test_what_is_told_of_it_names_the_whole_number(store: Store) -> None:
    grown(store)
    done = asyncio.run(settled(only(store), Parts(()), NOW))
    case = case_of(done, "")
    assert "250 quiet findings" in case.title
    assert "250 findings, the gravest 200" in case.summary
    assert "250 findings, the gravest 200 shown" in case.note


def test_one_more_quiet_finding_is_counted_and_nothing_is_written_anew(store: Store) -> None:
    findings = grown(store)
    before = row(store)
    read(store, [*findings, quiet(900, first_seen=NOW)], len(findings))
    assert row(store) == ("Backlog of 111: 251 quiet findings", 251, before[2])
    assert only(store).size == 251


def test_a_graver_one_is_shown_and_opens_a_round(store: Store) -> None:
    findings = grown(store)
    grave = quiet(900, first_seen=NOW, severity=Severity.MEDIUM)
    read(store, [*findings, grave], len(findings))
    fold = only(store)
    assert fold.members[0].finding.source_id == grave.source_id
    assert (len(fold.members), fold.size) == (MOST_MEMBERS, 251)
    assert row(store)[2] == 2


def test_what_leaves_makes_room_for_the_next(store: Store) -> None:
    findings = grown(store)
    gone = replace(findings[0], status=Status.RESOLVED, times=replace(findings[0].times, updated=NOW))
    read(store, [*findings, gone], len(findings))
    fold = only(store)
    assert fold.size == 249
    assert {one.finding.source_id for one in fold.members} == {one.source_id for one in findings[1 : MOST_MEMBERS + 1]}
    assert all(one.because.startswith("quiet") for one in fold.members)


def test_a_quiet_day_opens_one_round_the_next_day(store: Store) -> None:
    findings = grown(store)
    for number in (900, 901):
        findings.append(quiet(number, first_seen=NOW))
        read(store, findings, len(findings) - 1, NOW + timedelta(days=1))
    assert row(store)[1:] == (252, 2)


def test_a_fold_that_is_resolved_whole_says_so_once_and_can_come_back(store: Store) -> None:
    findings = grown(store, 3)
    over = [replace(one, status=Status.RESOLVED, times=replace(one.times, updated=NOW)) for one in findings]
    read(store, [*findings, *over], 3)
    fold = only(store)
    assert disposition(fold, NOW).state is State.RESOLVED
    assert row(store)[1] == 0
    again = [*findings, *over, quiet(900)]
    read(store, again, len(again) - 1)
    assert (only(store).id, only(store).size) == (fold.id, 1)


def test_silence_over_a_fold_reaches_no_further_than_what_was_there(store: Store) -> None:
    findings = grown(store)
    name = only(store).id
    Words(store).suppress(BEN, name, "known", NOW + timedelta(days=9), NOW)
    assert disposition(only(store), NOW).state is State.SUPPRESSED
    read(store, [*findings, quiet(900, first_seen=NOW)], len(findings))
    assert disposition(only(store), NOW).state is not State.SUPPRESSED
    assert row(store)[2] == 3


def test_a_finding_that_becomes_a_story_leaves_its_fold(store: Store) -> None:
    findings = grown(store)
    leaked = replace(findings[3], severity=Severity.CRITICAL, times=replace(findings[3].times, updated=NOW))
    read(store, [*findings, leaked], len(findings))
    sizes = {one.incident.scope: one.incident.size for one in every(store)}
    assert sizes == {"backlog": 249, "story": 1}


def test_a_split_outlives_what_is_read_later(store: Store) -> None:
    findings = [threat(number, 1) for number in range(4)]
    read(store, findings, 0)
    story = only(store)
    other = Words(store).split(BEN, story.id, [story.members[0].finding.key], "another matter", NOW)
    findings += [threat(number, 1) for number in range(10, 14)]
    read(store, findings, 4)
    found = folded(store)
    assert found[other] == {story.members[0].finding.key}
    assert len(found[story.id]) == 7


def test_a_merge_outlives_what_is_read_later(store: Store) -> None:
    findings = [threat(1, 1), threat(2, 2)]
    read(store, findings, 0)
    first, second = sorted(folded(store))
    Words(store).merge(BEN, first, second, "one intruder", NOW)
    assert set(folded(store)) == {first}
    findings += [threat(3, 1), threat(4, 2)]
    read(store, findings, 2)
    assert {name: len(keys) for name, keys in folded(store).items()} == {first: 4}


@pytest.mark.parametrize("into", ["story", "backlog"])
def test_a_small_fold_merged_with_a_story_takes_along_what_is_quiet_there_later(store: Store, into: str) -> None:
    findings = [threat(1, 1), *(quiet(number) for number in range(3))]
    read(store, findings, 0)
    names = {one.incident.scope: one.incident.id for one in every(store)}
    Words(store).merge(BEN, names[into], next(name for scope, name in names.items() if scope != into), "one matter", NOW)
    for number in (10, 11):
        findings.append(quiet(number))
        read(store, findings, len(findings) - 1)
    assert {name: len(keys) for name, keys in folded(store).items()} == {names[into]: 6}
    assert (only(store).scope, only(store).size, len(only(store).members)) == ("story", 6, 6)


def test_a_split_from_a_fold_is_counted_out_of_it(store: Store) -> None:
    findings = grown(store)
    fold = only(store)
    other = Words(store).split(BEN, fold.id, [one.finding.key for one in fold.members[:2]], "a matter of its own", NOW)
    read(store, [*findings, quiet(900)], len(findings))
    assert {name: len(keys) for name, keys in folded(store).items()} == {fold.id: 249, other: 2}
    with store.reading() as connection:
        assert incidents.load(connection, store.keys, "default", fold.id).incident.size == 249


def test_a_fold_with_more_than_is_shown_is_not_merged(store: Store) -> None:
    findings = [*grown(store), threat(1, 1)]
    read(store, findings, 250)
    fold, story = sorted(every(store), key=lambda one: one.incident.scope)
    for name, other in ((story, fold), (fold, story)):
        with pytest.raises(Refused, match="more findings than are shown"):
            Words(store).merge(BEN, name.incident.id, other.incident.id, "one matter", NOW)


def test_a_word_said_while_a_batch_is_computed_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [threat(number, 1) for number in range(4)]
    read(store, findings[:3], 0)
    story = only(store)
    said: list[str] = []
    computed = Told._folded

    def meanwhile(self: Told, *given: Any) -> Any:
        made = computed(self, *given)
        if not said:
            said.append(Words(store).split(BEN, story.id, [story.members[0].finding.key], "another matter", NOW))
        return made

    monkeypatch.setattr(Told, "_folded", meanwhile)
    read(store, findings, 3)
    assert {name: len(keys) for name, keys in folded(store).items()} == {story.id: 3, said[0]: 1}
    assert {one.incident.id: len(one.incident.members) for one in every(store)} == {story.id: 3, said[0]: 1}


def test_a_fold_somebody_changed_in_the_database_is_left_and_its_findings_go_on(store: Store) -> None:
    findings = grown(store, 30)
    name = only(store).id
    with store.writing() as connection:
        connection.execute(update(INCIDENTS).values(seal=b"\0" * 32))
    read(store, [*findings, quiet(900)], 30)
    found = folded(store)
    assert name not in found
    assert [len(keys) for keys in found.values()] == [31]


def test_a_database_of_an_earlier_version_is_filled_once_and_reads_on(store: Store) -> None:
    role = replace(threat(0, 9).asset, kind=AssetKind.ROLE, ids=("k8s:role-1", "k8s:role-one"))
    findings = [*(quiet(number) for number in range(20)), *(threat(number, number % 5) for number in range(20))]
    findings[20] = replace(findings[20], ties=(Tie("acts_as", role),))
    read(store, findings, 0)
    before = folded(store)
    tables = links.FINDING_LINKS, links.ASSET_NAMES
    with store.writing() as connection:
        known = [sorted(connection.execute(table.select()).all()) for table in tables]
        assert all(known)
        connection.execute(update(FINDINGS).values(place="", tier=0, gravity="", sorted_by=""))
        connection.execute(update(INCIDENTS).values(number=0))
        for table in tables:
            connection.execute(table.delete())
    read(store, [*findings, quiet(900), threat(900, 3)], 40)
    with store.reading() as connection:
        assert [sorted(connection.execute(table.select()).all()) for table in tables] == known
        numbers = connection.execute(select(INCIDENTS.c.number)).scalars().all()
    assert sorted(numbers) == [0, 0, 0, 0, 0, 21]
    after = folded(store)
    assert after.keys() == before.keys()
    assert sorted(len(keys) for keys in after.values()) == [4, 4, 4, 4, 5, 21]
    assert {one.incident.size for one in every(store)} == {4, 5, 21}


def test_a_cve_that_becomes_exploited_makes_a_story_of_what_is_stored(store: Store) -> None:
    cve = (Vulnerability("CVE-2026-0099"),)
    told: dict[str, Any] = {"kind": Kind.VULNERABILITY, "severity": Severity.HIGH, "vulnerabilities": cve}
    findings = [quiet(1, **told), quiet(2), quiet(3)]
    read(store, findings[:2], 0)
    assert only(store).scope == "backlog"
    later = Told(store, {}, frozenset({"CVE-2026-0099"}), frozenset())
    later.findings = findings
    delivered(store, findings, [2])
    read_all(later)
    assert sorted((one.incident.scope, one.incident.size) for one in every(store)) == [("backlog", 2), ("story", 1)]

"""Reading batch by batch comes to what one look at everything would, and costs what the batch brings."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, event, func, select
from tests.desk.telling_worlds import (
    EXPLOITED,
    HOURS,
    NOW,
    Estate,
    Told,
    delivered,
    folded,
    quiet,
    read_all,
    reader,
    threat,
    whole,
)

from isthmus import assembly
from isthmus.desk import neighbourhood, reading
from isthmus.desk.reading import Reader
from isthmus.lab.day import Day
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.errors import Unreachable
from isthmus.model.findings import Finding, Indicator, Tie, Times
from isthmus.model.severity import Severity, Status
from isthmus.record import findings as findings_on_record
from isthmus.record import holdings, inbox, incidents, leases
from isthmus.record.inbox import API, Handed
from isthmus.record.schema import COUNTS, FINDINGS
from isthmus.record.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path, database: URL | None) -> Iterator[Store]:
    opened = open_store(tmp_path, database)
    yield opened
    opened.close()


def in_batches(store: Store, findings: list[Finding], chance: Random, check: Callable[[list[Finding]], None]) -> None:
    told = reader(store, findings)
    order = list(range(len(findings)))
    chance.shuffle(order)
    so_far: list[Finding] = []
    while order:
        size = chance.randint(1, 12)
        some, order = order[:size], order[size:]
        delivered(store, findings, some)
        read_all(told)
        so_far += [findings[number] for number in some]
        check(so_far)


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_batches_in_any_order_come_to_what_one_look_at_everything_would(seed: int) -> None:
    chance = Random(seed)
    estate = Estate(chance, chance.choice((4, 8, 16)))
    findings = [estate.finding(chance.randint(1, 40)) for _ in range(48)]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))

        def check(so_far: list[Finding]) -> None:
            assert set(folded(store).values()) == whole(so_far)

        in_batches(store, findings, chance, check)
        store.close()


def test_the_same_on_either_database(store: Store) -> None:
    chance = Random(7)
    estate = Estate(chance, 12)
    findings = [estate.finding(chance.randint(1, 60)) for _ in range(90)]

    def check(so_far: list[Finding]) -> None:
        assert set(folded(store).values()) == whole(so_far)

    in_batches(store, findings, chance, check)


def test_a_day_of_every_vendor_in_any_batches(store: Store) -> None:
    day, chance = Day(11), Random(11)
    alerts = [(one.vendor, json.dumps(one.payload).encode()) for one in day.alerts]
    chance.shuffle(alerts)
    told = Reader(store, {one.name: one.source for one in assembly.catalogue() if one.source.shapes}, EXPLOITED, frozenset())
    claims: list[Finding] = []
    for start in range(0, len(alerts), 90):
        some = [Handed("default", vendor, "one", API, f"d-{start}", body, NOW) for vendor, body in alerts[start : start + 90]]
        claims += [finding for _, finding in told._claims(enumerate(some)).claims]
        with store.writing() as connection:
            inbox.accept(connection, some)
        while told.read(NOW):
            pass
        assert set(folded(store).values()) == whole(claims)
    assert len(claims) > 300


def test_everything_seen_is_stored_a_repeat_or_rejected(store: Store) -> None:
    chance = Random(3)
    estate = Estate(chance)
    findings = [estate.finding(chance.randint(1, 20)) for _ in range(60)]
    delivered(store, findings, range(60))
    with store.writing() as connection:
        inbox.accept(connection, [Handed("default", "wiz", "two", API, f"j-{n}", b"junk", NOW) for n in (1,)])
    read_all(reader(store, findings))
    with store.reading() as connection:
        rows = connection.execute(select(COUNTS)).mappings().all()
        stored = connection.execute(select(func.count()).select_from(FINDINGS)).scalar()
    assert {row["instance"]: row["rejected"] for row in rows} == {"one": 0, "two": 1}
    assert all(row["seen"] == row["stored"] + row["duplicate"] + row["rejected"] for row in rows)
    assert sum(row["seen"] for row in rows) == 61
    assert sum(row["stored"] for row in rows) == stored


def test_a_repeat_that_changes_nothing_touches_no_incident_and_keeps_what_was_told(store: Store) -> None:
    first = threat(1, 1, indicators=(Indicator("ip", "203.0.113.1"),))
    again = replace(first, times=Times(NOW - HOURS, NOW), last_seen=NOW - HOURS)
    milder = replace(first, severity=Severity.MEDIUM, times=Times(NOW - HOURS, NOW + HOURS))
    other = threat(2, 1, severity=Severity.MEDIUM)
    findings = [first, again, milder, other]
    told = reader(store, findings)
    for number in range(4):
        delivered(store, findings, [number])
        read_all(told)
    assert set(folded(store).values()) == whole(findings)


def statements(store: Store, batch: list[Finding], size: int) -> int:
    """How many statements a batch takes where so many quiet findings are stored, most of them put in straight."""
    findings = [*(quiet(number, str(number % 40)) for number in range(1_000)), *batch]
    told = reader(store, findings)
    delivered(store, findings, range(1_000))
    read_all(told)
    with store.writing() as connection:
        kept = dict(findings_on_record.following(connection, "default", "", 1_000))
        copies = {f"{key}-{copy}": one for key, one in kept.items() for copy in range(size // 1_000 - 1) if one is not None}
        moved = {key: replace(one, asset=f"{one.asset}-{key}") for key, one in copies.items()}
        findings_on_record.save(connection, "default", moved, (), NOW)
        numbers = findings_on_record.numbers(connection, "default")
        holdings.numbered(connection, "default", numbers)
    delivered(store, findings, range(1_000, len(findings)))
    asked: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    read_all(told)
    return len(asked)


def test_a_batch_asks_as_often_in_a_large_estate_as_in_a_small_one(tmp_path: Path, database: URL | None) -> None:
    batch = [quiet(100_000 + number, str(number % 40)) for number in range(100)]
    batch += [threat(number, number) for number in range(5)]
    asked = []
    store = open_store(tmp_path / "small")
    asked.append(statements(store, batch, 1_000))
    store.close()
    store = open_store(tmp_path / "large", database)
    asked.append(statements(store, batch, 20_000))
    store.close()
    assert asked[1] <= asked[0] * 1.1
    assert asked[0] < 600


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many findings each batch from now on looks at."""
    looked: list[int] = []
    gather = neighbourhood.Neighbourhood.gather

    def counting(self: neighbourhood.Neighbourhood, *given: object) -> neighbourhood.Region:
        region = gather(self, *given)  # type: ignore[arg-type]
        looked.append(len(region.after))
        return region

    monkeypatch.setattr(neighbourhood.Neighbourhood, "gather", counting)
    return looked


def test_a_role_beside_many_stories_does_not_bring_them_all_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = Asset(AssetKind.ROLE, "aws", "111", ids=("k8s:role-1",))
    findings = [threat(number, number, ties=(Tie("acts_as", role),)) for number in range(200)]
    findings += [quiet(1, severity=Severity.HIGH), replace(quiet(2, severity=Severity.MEDIUM), asset=role)]
    store = open_store(tmp_path)
    told = reader(store, findings)
    delivered(store, findings, range(199))
    read_all(told)
    regions = looked_at(monkeypatch)
    delivered(store, findings, [199, 200, 201])
    read_all(told)
    assert regions == [3]
    assert set(folded(store).values()) == whole(findings)
    store.close()


def test_what_stands_beside_one_story_again_joins_it(store: Store) -> None:
    role = Asset(AssetKind.ROLE, "aws", "111", ids=("k8s:role-1",))
    findings = [threat(number, number, ties=(Tie("acts_as", role),)) for number in (1, 2)]
    findings.append(replace(quiet(1, severity=Severity.MEDIUM), asset=role))
    findings.append(replace(findings[0], status=Status.RESOLVED, times=Times(NOW - HOURS, NOW)))
    told = reader(store, findings)
    for some, sizes in (([0, 1, 2], [1, 1, 1]), ([3], [2])):
        delivered(store, findings, some)
        read_all(told)
        assert sorted(len(keys) for keys in folded(store).values()) == sizes
    assert set(folded(store).values()) == whole(findings)


def test_a_repeat_is_kept_also_where_its_neighbour_changed(store: Store) -> None:
    host = threat(1, 1).asset
    first = replace(quiet(1, last_seen=NOW - 9 * HOURS), asset=host)
    again = replace(first, last_seen=NOW, times=Times(NOW - HOURS, NOW))
    findings = [first, threat(1, 1), again, threat(2, 1)]
    told = reader(store, findings)
    for some in ([0, 1], [2, 3]):
        delivered(store, findings, some)
        read_all(told)
    with store.reading() as connection:
        key = next(key for keys in folded(store).values() for key in keys if "/q-" in key)
        assert findings_on_record.by_keys(connection, "default", [key])[key].finding.last_seen == NOW


def test_what_is_scanned_again_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [quiet(number) for number in range(50)]
    findings += [replace(one, last_seen=NOW, times=Times(NOW - HOURS, NOW)) for one in findings]
    store = open_store(tmp_path)
    told = reader(store, findings)
    delivered(store, findings, range(50))
    read_all(told)
    regions = looked_at(monkeypatch)
    delivered(store, findings, range(50, 100))
    read_all(told)
    assert regions == [0]
    store.close()


def test_more_that_hangs_together_than_can_be_looked_at_is_said_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(neighbourhood.Neighbourhood.__init__, "__defaults__", (20,))
    user = Asset(AssetKind.USER, "aws", "111", ids=("k8s:user-1",))
    findings = [threat(number, number, ties=(Tie("actor", user),)) for number in range(60)]
    store = open_store(tmp_path)
    told = reader(store, findings)
    with caplog.at_level(logging.WARNING):
        for start in range(0, 60, 15):
            delivered(store, findings, range(start, start + 15))
            read_all(told)
    assert "hang together" in caplog.text
    found = folded(store)
    assert sum(len(keys) for name, keys in found.items() if name) == 60
    with store.reading() as connection:
        held = {name: incidents.load(connection, store.keys, "default", name).incident for name in found}
    assert {name: {one.key for one in story.findings} for name, story in held.items()} == found
    store.close()


def test_one_reader_at_a_time_for_a_tenant(store: Store) -> None:
    findings = [threat(1, 1)]
    delivered(store, findings, [0])
    with store.writing() as connection:
        held = leases.take(connection, "reading default", "another", timedelta(minutes=1))
    assert held is not None
    assert reader(store, findings).read(NOW) == 0
    with store.writing() as connection:
        leases.give_back(connection, held)
    assert reader(store, findings).read(NOW) == 1


def test_a_reader_that_lost_its_turn_keeps_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [threat(1, 1)]
    delivered(store, findings, [0])
    told, claims = reader(store, findings), Told._claims

    def slept(self: Told, *given: object) -> reading._Read:
        with store.writing() as connection:
            leases.take(connection, "reading default", self._owner, timedelta(minutes=1))
        return claims(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Told, "_claims", slept)
    with pytest.raises(Unreachable, match="somebody else does this now"):
        told.read(NOW)
    assert folded(store) == {}
    monkeypatch.undo()
    assert reader(store, findings).read(NOW) == 1
    assert len(folded(store)) == 1

"""What is read next: the urgent overtakes, nothing starves, and no instance crowds out another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, event, insert, select

from isthmus.record import inbox, turns
from isthmus.record.inbox import API, Handed
from isthmus.record.schema import INBOX
from isthmus.record.store import Store, open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_NUMBERS = count(1)


@pytest.fixture
def store(tmp_path: Path, database: URL | None) -> Iterator[Store]:
    opened = open_store(tmp_path, database)
    yield opened
    opened.close()


def waits(connection: Connection, instance: str, urgency: int, number: int, tenant: str = "default") -> None:
    """So many deliveries of one instance, later than all before."""
    row = {"tenant": tenant, "source": "wiz", "instance": instance, "channel": API, "name": "d", "segment": 1, "position": 0}
    rows = [{**row, "id": next(_NUMBERS), "at": NOW.isoformat(), "urgency": urgency} for _ in range(number)]
    connection.execute(insert(INBOX), rows)


def chosen(connection: Connection, limit: int, tenant: str = "default") -> list[tuple[str, int]]:
    """Instance and urgency of what is next."""
    ids = turns.chosen(connection, tenant, limit)
    assert len(ids) == len(set(ids)) <= limit
    rows = connection.execute(select(INBOX.c.id, INBOX.c.instance, INBOX.c.urgency).where(INBOX.c.id.in_(ids)))
    found: Mapping[int, tuple[str, int]] = {row.id: (row.instance, row.urgency) for row in rows}
    return [found[one] for one in ids]


def test_the_urgent_overtakes_a_storm_and_the_oldest_still_moves(store: Store) -> None:
    with store.writing() as connection:
        waits(connection, "storm", 0, 2_000)
        waits(connection, "storm", 3, 90)
        told = Counter(urgency for _, urgency in chosen(connection, 100))
    assert told == {3: 75, 0: 25}


def test_one_in_four_is_spread_over_the_batch(store: Store) -> None:
    with store.writing() as connection:
        waits(connection, "one", 0, 20)
        waits(connection, "one", 3, 20)
        assert [urgency for _, urgency in chosen(connection, 8)] == [3, 3, 3, 0, 3, 3, 3, 0]


def test_among_equals_every_instance_has_its_turn(store: Store) -> None:
    with store.writing() as connection:
        waits(connection, "a-loud", 2, 1_000)
        for name in ("b", "c", "d"):
            waits(connection, name, 2, 10)
        told = Counter(name for name, _ in chosen(connection, 40))
    assert told == {"a-loud": 10, "b": 10, "c": 10, "d": 10}


def test_room_nobody_else_needs_is_not_left_empty(store: Store) -> None:
    with store.writing() as connection:
        waits(connection, "a-loud", 1, 1_000)
        waits(connection, "b", 1, 3)
        assert Counter(name for name, _ in chosen(connection, 100)) == {"a-loud": 97, "b": 3}
        assert Counter(name for name, _ in chosen(connection, 5_000)) == {"a-loud": 1_000, "b": 3}


def test_tenants_are_told_apart(store: Store) -> None:
    with store.writing() as connection:
        for tenant in ("x", "y", "z"):
            waits(connection, "one", 1, 5, tenant)
        assert sorted(inbox.tenants(connection)) == ["x", "y", "z"]
        assert len(chosen(connection, 10, "y")) == 5
        assert chosen(connection, 10, "nobody") == []


def test_choosing_asks_as_often_however_much_waits(store: Store) -> None:
    asked: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    numbers = []
    for more in (10, 20_000):
        with store.writing() as connection:
            waits(connection, "one", 1, more)
            asked.clear()
            turns.chosen(connection, "default", 100)
            numbers.append(len(asked))
    assert numbers == [2, 2]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=8),
    st.integers(1, 12),
)
def test_everything_is_read_once_and_ends(waiting: list[tuple[str, int, int]], limit: int) -> None:
    lines: dict[tuple[str, int], list[int]] = {}
    numbers = count()
    for instance, urgency, number in waiting:
        lines.setdefault((instance, urgency), []).extend(next(numbers) for _ in range(number))
    read: list[int] = []
    total = next(numbers)
    while len(read) < total:
        some = turns.ordered({line: ids[:limit] for line, ids in lines.items()}, limit)
        assert some
        assert len(some) == min(limit, total - len(read))
        read += some
        lines = {line: [one for one in ids if one not in some] for line, ids in lines.items()}
    assert sorted(read) == list(range(total))


def test_a_batch_of_large_deliveries_is_smaller_but_never_empty(store: Store) -> None:
    large = [Handed("default", "wiz", "one", API, f"d-{n}", bytes([n]) * 5_000_000, NOW) for n in range(3)]
    with store.writing() as connection:
        inbox.accept(connection, large)
        for left in (3, 2, 1):
            [first] = inbox.waiting(connection, 100, "default")
            assert len(first.handed.body) == 5_000_000
            inbox.done(connection, [first.id])
            assert inbox.depth(connection) == left - 1

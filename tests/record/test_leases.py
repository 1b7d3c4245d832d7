"""One at a time, by the database's clock, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import URL

from isthmus.model.errors import Unreachable
from isthmus.record import leases
from isthmus.record.leases import Lease
from isthmus.record.store import Store, open_store

LONG, SHORT = timedelta(seconds=30), timedelta(milliseconds=50)


@pytest.fixture
def store(tmp_path: Path, database: URL | None) -> Iterator[Store]:
    opened = open_store(tmp_path, database)
    yield opened
    opened.close()


def _take(store: Store, owner: str, length: timedelta = LONG) -> Lease | None:
    with store.writing() as connection:
        return leases.take(connection, "reading default", owner, length)


def test_only_one_holds_it(store: Store) -> None:
    first = _take(store, "one")
    assert first is not None
    assert _take(store, "two") is None
    with store.writing() as connection:
        leases.give_back(connection, first)
    second = _take(store, "two")
    assert second is not None
    assert second.epoch == first.epoch + 1


def test_who_was_away_too_long_keeps_nothing(store: Store) -> None:
    first = _take(store, "one", SHORT)
    assert first is not None
    time.sleep(0.1)
    with pytest.raises(Unreachable, match="somebody else"), store.writing() as connection:
        leases.confirm(connection, first)
    second = _take(store, "two")
    assert second is not None
    with store.writing() as connection:
        leases.confirm(connection, second)
        leases.give_back(connection, first)
        leases.confirm(connection, second)


def test_of_many_at_once_one_gets_it(store: Store) -> None:
    together, got = Barrier(6), []

    def one(name: str) -> None:
        together.wait()
        got.append(_take(store, name))

    threads = [Thread(target=one, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(lease is not None for lease in got) == 1

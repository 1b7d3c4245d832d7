"""Deliveries kept by several at once, in one process and in two: of the same delivery exactly one is new."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, func, make_url, select
from tests.databases import Server

from isthmus.record import inbox
from isthmus.record.inbox import API, ASKED, WEBHOOK, Handed
from isthmus.record.schema import COUNTS, FINGERPRINTS, INBOX, SEGMENTS
from isthmus.record.store import Store, open_store

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def handed(body: bytes, instance: str = "wiz-prod", channel: str = WEBHOOK, tenant: str = "default") -> Handed:
    return Handed(tenant, "wiz", instance, channel, "test", body, NOW)


@pytest.fixture
def store(tmp_path: Path, database: URL | None) -> Iterator[Store]:
    opened = open_store(tmp_path, database)
    yield opened
    opened.close()


def counts(store: Store) -> dict[str, tuple[int, int]]:
    with store.reading() as connection:
        rows = connection.execute(select(COUNTS.c.instance, COUNTS.c.deliveries, COUNTS.c.repeated))
        return {row.instance: (row.deliveries, row.repeated) for row in rows}


def waiting(store: Store) -> int:
    with store.reading() as connection:
        return sum(inbox.depths(connection).values())


def test_what_came_before_is_not_kept_again(store: Store) -> None:
    first = [handed(b"[1]"), handed(b"[2]"), handed(b"[1]"), handed(b"[1]", "wiz-other"), handed(b"[1]", channel=API)]
    with store.adding() as connection:
        assert inbox.accept(connection, first) == [True, True, False, True, True]
    with store.adding() as connection:
        assert inbox.accept(connection, [handed(b"[3]"), handed(b"[2]"), handed(b"[3]")]) == [True, False, False]
    assert counts(store) == {"wiz-prod": (7, 3), "wiz-other": (1, 0)}
    assert waiting(store) == 5
    with store.reading() as connection:
        assert inbox.depths(connection) == {"default": 5}
        rows = connection.execute(select(INBOX, SEGMENTS.c.data).join(SEGMENTS, SEGMENTS.c.id == INBOX.c.segment)).all()
    assert sorted((row.instance, row.position) for row in rows) == [
        ("wiz-other", 2),
        *(("wiz-prod", position) for position in (0, 0, 1, 3)),
    ]


def test_what_we_asked_for_is_kept_however_often_it_was_heard(store: Store) -> None:
    for _ in range(2):
        with store.adding() as connection:
            assert inbox.accept(connection, [handed(b"[1]", channel=ASKED)] * 2) == [True, True]
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(FINGERPRINTS)).scalar() == 0
    assert counts(store) == {"wiz-prod": (4, 0)}


def test_tenants_do_not_share_what_was_seen(store: Store) -> None:
    with store.adding() as connection:
        assert inbox.accept(connection, [handed(b"[1]"), handed(b"[1]", tenant="other")]) == [True, True]
    with store.reading() as connection:
        assert inbox.depths(connection) == {"default": 1, "other": 1}
        tenants = connection.execute(select(INBOX.c.tenant, SEGMENTS.c.tenant).join(SEGMENTS, SEGMENTS.c.id == INBOX.c.segment))
        assert all(row[0] == row[1] for row in tenants)


def test_how_pressing_it_looks_is_kept_with_it(store: Store) -> None:
    with store.adding() as connection:
        inbox.accept(connection, [handed(b'{"severity":"%s"}' % word) for word in (b"LOW", b"CRITICAL", b"HIGH", b"")])
    with store.reading() as connection:
        assert list(connection.execute(select(INBOX.c.urgency).order_by(INBOX.c.position)).scalars()) == [0, 3, 2, 1]


def test_nothing_is_left_of_what_was_rolled_back(store: Store) -> None:
    def given_up() -> None:
        with store.adding() as connection:
            inbox.accept(connection, [handed(b"[1]")])
            raise KeyError

    with pytest.raises(KeyError):
        given_up()
    assert (counts(store), waiting(store)) == ({}, 0)
    with store.adding() as connection:
        assert inbox.accept(connection, [handed(b"[1]")]) == [True]


def delivered(store: Store, seed: int, number: int) -> int:
    """All of these bodies in some order, some at a time. Returns how many were new."""
    chance, fresh = random.Random(seed), 0
    bodies = [b"[%d]" % one for one in range(number)] * 2
    chance.shuffle(bodies)
    while bodies:
        size = chance.randrange(1, 40)
        batch, bodies = bodies[:size], bodies[size:]
        with store.adding() as connection:
            both = [handed(one, chance.choice(("wiz-prod", "wiz-other")) if seed < 0 else "wiz-prod") for one in batch]
            fresh += sum(inbox.accept(connection, both))
    return fresh


def at_once(jobs: Sequence[Callable[[], int]]) -> list[int]:
    """All begin together."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], int]) -> int:
        gate.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [one.result(60) for one in [pool.submit(run, job) for job in jobs]]


def test_of_the_same_delivery_at_the_same_time_one_is_new(store: Store) -> None:
    found = at_once([lambda seed=seed: delivered(store, seed, 150) for seed in range(4)])  # type: ignore[misc]
    assert sum(found) == 150
    assert counts(store) == {"wiz-prod": (4 * 300, 4 * 300 - 150)}
    assert waiting(store) == 150


def test_many_on_several_instances_do_not_wait_in_a_circle(store: Store) -> None:
    found = at_once([lambda seed=seed: delivered(store, -seed, 150) for seed in range(1, 5)])  # type: ignore[misc]
    assert sum(found) == waiting(store)
    assert sum(all_of for all_of, _ in counts(store).values()) == 4 * 300


def test_two_processes_share_out_what_both_are_told(tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.fresh()
    store = open_store(tmp_path, url)
    command = [sys.executable, "-m", "tests.record.test_accept", url.render_as_string(hide_password=False), str(tmp_path)]
    both = [subprocess.Popen([*command, seed], cwd=ROOT, stdout=subprocess.PIPE, text=True) for seed in ("1", "2")]
    assert sum(int(one.communicate(timeout=90)[0]) for one in both) == 200
    assert (counts(store), waiting(store)) == ({"wiz-prod": (800, 600)}, 200)
    store.close()
    postgresql.drop(url)


@given(st.lists(st.tuples(st.sampled_from([b"[1]", b"[2]", b"[3]"]), st.booleans()), max_size=12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
def test_conservation(tmp_path_factory: pytest.TempPathFactory, told: list[tuple[bytes, bool]]) -> None:
    store = open_store(tmp_path_factory.mktemp("one"))
    fresh: list[bool] = []
    with store.adding() as connection:
        fresh += inbox.accept(connection, [handed(body) for body, early in told if early])
    with store.adding() as connection:
        fresh += inbox.accept(connection, [handed(body) for body, early in told if not early])
    assert sum(fresh) == len({body for body, _ in told}) == waiting(store)
    assert sum(all_of for all_of, _ in counts(store).values()) == len(told)
    assert sum(repeated for _, repeated in counts(store).values()) == len(told) - sum(fresh)
    store.close()


if __name__ == "__main__":
    opened = open_store(Path(sys.argv[2]), make_url(sys.argv[1]))
    sys.stdout.write(str(delivered(opened, int(sys.argv[3]), 200)))

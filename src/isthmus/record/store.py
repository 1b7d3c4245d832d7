"""The database: one schema and one set of queries, on SQLite in a folder or on PostgreSQL by URL.

One write at a time: a write takes the database for itself from its first statement on (`BEGIN IMMEDIATE` on SQLite, an
advisory lock on PostgreSQL), so what it read before it wrote is still true when it commits. Nothing is asked of the
outside in a write, so each is short; a writer that falls asleep in one is thrown out by the database. `adding` is for
what only adds rows and may go on beside others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record import keys as own_keys
from isthmus.record.keys import Keys

KILL = "kill"
_BUSY_MS = 10_000
_ASLEEP_MS = 15_000
_STATEMENT_MS = 60_000
_ONE_WRITER = text("SELECT pg_advisory_xact_lock(1769173608)")
"""The number is ours (`isth` in ASCII); other programs on the same database take others."""
_THROWN_OUT = {"25P03", "25P04", "57P01", "57P02", "57P03"}
"""SQLSTATE of a session that slept in a transaction or whose server went away: the write is gone, and may be tried again."""


class Store:
    """An open database and the keys that go with it."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self.keys = keys

    @property
    def shared(self) -> bool:
        """Whether other processes may work on it at the same time."""
        return self._engine.dialect.name != "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write; committed at the end, rolled back on any error."""
        with self._begun("write") as connection:
            if self.shared:
                connection.execute(_ONE_WRITER)
            yield connection

    @contextmanager
    def adding(self) -> Iterator[Connection]:
        """As `writing`, for what adds rows and relies on nothing it read; beside other writers, where the database can."""
        with self._begun("write") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view."""
        with self._begun("read") as connection:
            yield connection

    @contextmanager
    def _begun(self, kind: str) -> Iterator[Connection]:
        with _told(), self._engine.connect() as connection:
            options: dict[str, Any] = {"isthmus": kind}
            if self.shared:
                options["isolation_level"] = "REPEATABLE READ" if kind == "read" else "READ COMMITTED"
                options["postgresql_readonly"] = kind == "read"
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except PoolTimeout:
        raise Unreachable("database: too many at once") from None
    except DBAPIError as error:
        away = isinstance(error, OperationalError) or error.connection_invalidated
        if away or getattr(error.orig, "sqlstate", None) in _THROWN_OUT:
            raise Unreachable(f"database: {error.orig}") from None
        raise Untrusted(f"{error.orig}", "database") from None


def open_store(folder: Path, url: URL | None = None) -> Store:
    """The database of this folder, or the one at `url`, made or brought up to date. Raises `IsthmusError` when it cannot be.

    `folder` holds keys and kill switch either way. The folder of the kill switch is made with the installation and never
    again: one that is gone later means on.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "keys").exists():
            (folder / KILL).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be made", str(folder)) from None
    engine = _sqlite(folder / "isthmus.db") if url is None else _postgresql(url)
    with ExitStack() as undoing:
        undoing.callback(engine.dispose)
        with _told():
            _migrate(engine)
        store = Store(engine, own_keys.load(folder / "keys"))
        undoing.pop_all()
    return store


def address(given: str) -> URL:
    """A PostgreSQL address as people write it. Raises `Untrusted` when it is none, or has a password in it."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise Untrusted("is not an address such as postgresql://isthmus@db.example/isthmus", "database") from None
    if url.get_backend_name() != "postgresql":
        raise Untrusted("only postgresql:// can be named; SQLite is what stands in the data folder", "database")
    if url.password is not None:
        raise Untrusted("has a password in it; name it by reference as database_password", "database")
    return url.set(drivername="postgresql+psycopg")


def _sqlite(path: Path) -> Engine:
    engine = create_engine(f"sqlite+pysqlite:///{path}", connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _tuned)
    event.listen(engine, "begin", _begun)
    return engine


def _postgresql(url: URL) -> Engine:
    bounds = {
        "lock_timeout": _BUSY_MS,
        "statement_timeout": _STATEMENT_MS,
        "idle_in_transaction_session_timeout": _ASLEEP_MS,
    }
    options = " ".join(f"-c {name}={value}" for name, value in bounds.items())
    arguments = {"options": options, "connect_timeout": 5, "application_name": "isthmus"}
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_size=10, max_overflow=10, pool_timeout=10)


def _tuned(connection: sqlite3.Connection, _: Any) -> None:
    # Python's own transaction handling would begin late and lock late; ours begins where it says so.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: Connection) -> None:
    write = connection.get_execution_options().get("isthmus") == "write"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection = connection.execution_options(isthmus="write")
        with connection.begin():
            if engine.dialect.name != "sqlite":
                connection.execute(_ONE_WRITER)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def text_of(moment: datetime | None) -> str:
    """A moment as the database keeps it; empty for none. Sorts in time."""
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str) -> datetime | None:
    """The other way round."""
    return datetime.fromisoformat(text) if text else None

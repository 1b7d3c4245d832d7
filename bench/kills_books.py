"""The product's database as somebody else reads it: on its own connection, with its own queries, of both kinds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

_AWAY = 30.0
_NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


class Books:
    """Reads only. What is asked while the database is away is answered once it is back."""

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(url, poolclass=NullPool)
        self._held = f"SELECT id, owner FROM incidents WHERE owned_until > {_NOW[self._engine.dialect.name]}"  # noqa: S608

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One view of everything."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What this query finds."""
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    def moment(self) -> tuple[int, dict[str, str]]:
        """How long the ledger is just now, and who holds which incident."""
        ends = time.monotonic() + _AWAY
        while True:
            try:
                with self.reading() as connection:
                    size = connection.execute(text("SELECT size FROM ledger_head")).scalar() or 0
                    return size, {row.id: row.owner for row in connection.execute(text(self._held))}
            except DBAPIError:
                if time.monotonic() > ends:
                    raise
            time.sleep(0.02)

    def close(self) -> None:
        """Let go of it."""
        self._engine.dispose()

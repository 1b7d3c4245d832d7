"""Logs to try things on: a real ledger in a database, signed, and written out as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from isthmus.record.checkpoints import Signer
from isthmus.record.ledger import BODIES, CHECKPOINTS, ENTRIES, HEAD, Entry, checkpoint, extend
from isthmus.record.schema import METADATA

AT = datetime(2026, 3, 1, tzinfo=UTC)
SIGNER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS_NAME = "witness.example"
TABLES = [ENTRIES, BODIES, HEAD, CHECKPOINTS]


def entry(number: int) -> Entry:
    return Entry("default", f"person-{number % 7}", "case.updated", f"INC-{number % 5}", {"number": number}, AT)


@contextmanager
def log() -> Iterator[Connection]:
    """An empty ledger in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine, tables=TABLES)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def grown_to(connection: Connection, size: int, start: int = 0) -> str:
    """Entries up to this size, and the note that signs them."""
    extend(connection, [entry(number) for number in range(start, size)])
    return checkpoint(connection, SIGNER)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but locks, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }

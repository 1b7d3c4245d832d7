"""What lies in the database after the storm, and whether its reading lets anything unsound pass."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
from bench.deliveries_oracle import sound

from isthmus.intake.parse import Parsed, records


def digest(body: bytes) -> bytes:
    """What stands for a body."""
    return hashlib.blake2b(body, digest_size=16).digest()


def kept(folder: Path) -> list[bytes]:
    """Every body in the database, by plain SQL."""
    found: list[bytes] = []
    database = sqlite3.connect(f"file:{folder}/isthmus.db?mode=ro", uri=True)
    for (data,) in database.execute("SELECT data FROM segments"):
        found += msgspec.msgpack.decode(zlib.decompress(data), type=list[bytes])
    database.close()
    return found


def misread(bodies: Iterable[bytes]) -> tuple[int, int, list[str]]:
    """How many are read whole, how many are rejected somewhere, and what was read that is not sound (or the reverse)."""
    whole = rejected = 0
    wrong = []
    for body in bodies:
        clean = all(isinstance(one, Parsed) and not one.flawed for one in records(io.BytesIO(body), ()))
        whole, rejected = whole + clean, rejected + (not clean)
        meant = sound(body)
        if meant is not None and meant is not clean:
            wrong.append(f"{'rejected' if meant else 'read as sound'} at reading: {body[:120]!r}")
    return whole, rejected, wrong

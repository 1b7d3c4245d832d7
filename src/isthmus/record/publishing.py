"""The log written out as tiles from the database, up to a checkpoint; a little at a time, or from the first entry again."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record.checkpoints import Checkpoint, Key, read
from isthmus.record.files import write_whole
from isthmus.record.ledger import ENTRIES
from isthmus.record.merkle import leaf_hash
from isthmus.record.tiles import CHECKPOINT, WIDTH, Tiles, bundled, path_of, whole_root

_AT_ONCE = 64
"""Bundles read from the database at a time."""


@dataclass(frozen=True, slots=True)
class Published:
    """How far the tiles in a folder go, and the tiles."""

    size: int
    tiles: Tiles


def published(folder: Path, key: Key) -> Published:
    """What is in a folder. A checkpoint that is not there, or not of this log, counts as nothing published."""
    tiles = Tiles(folder)
    try:
        return Published(read(tiles.checkpoint(), key).size, tiles)
    except (Unreachable, Untrusted):
        return Published(0, tiles)


def publish(connection: Connection, folder: Path, note: str, key: Key) -> Published:
    """Write out what this note, signed by the log, covers and the folder does not yet have.

    What was written before is taken as it is, unless it does not lead to the note's root: then everything is written
    again. Raises `Untrusted` when the entries in the database do not lead there either; the checkpoint is then not written.
    """
    told = read(note, key)
    with _alone(folder):
        before = published(folder, key)
        if before.size > told.size:
            return before
        try:
            _extended(connection, before.tiles, before.size, told)
        except (Unreachable, Untrusted):
            _extended(connection, before.tiles, 0, told)
        write_whole(folder / CHECKPOINT, note.encode())
    return Published(told.size, before.tiles)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time. The lock goes with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _extended(connection: Connection, tiles: Tiles, before: int, told: Checkpoint) -> None:
    if before < told.size:
        for number in range(before // WIDTH, -(-told.size // WIDTH), _AT_ONCE):
            _leaves(connection, tiles.folder, number, min(told.size, (number + _AT_ONCE) * WIDTH))
    level, old, size = 1, before // WIDTH, told.size // WIDTH
    while old < size:
        for number in range(old // WIDTH, -(-size // WIDTH)):
            known = max(0, old - number * WIDTH)
            _upper(tiles, level, number, known, min(WIDTH, size - number * WIDTH))
        level, old, size = level + 1, old // WIDTH, size // WIDTH
    if told.size and tiles.root(0, told.size, told.size) != told.root:
        raise Untrusted("the entries in the database do not lead to the root that was signed; not published", "ledger")


def _leaves(connection: Connection, folder: Path, number: int, end: int) -> None:
    """Bundles and tiles of leaf hashes from this one on, up to entry `end`. Hashes are those of the leaves themselves."""
    first = number * WIDTH
    query = select(ENTRIES.c.idx, ENTRIES.c.leaf).where(ENTRIES.c.idx >= first, ENTRIES.c.idx < end).order_by(ENTRIES.c.idx)
    rows = connection.execute(query).all()
    if [row.idx for row in rows] != list(range(first, end)):
        raise Untrusted(f"entries between {first} and {end - 1} are missing; not published", "ledger")
    leaves = [bytes(row.leaf) for row in rows]
    for at in range(0, len(leaves), WIDTH):
        some = leaves[at : at + WIDTH]
        place = number + at // WIDTH
        _put(folder, "entries", place, len(some), bundled(some))
        _put(folder, 0, place, len(some), b"".join(leaf_hash(one) for one in some))


def _upper(tiles: Tiles, level: int, number: int, known: int, width: int) -> None:
    """A tile of roots of the full tiles below it; the first `known` of them are in it already."""
    hashes = tiles.tile(level, number, known) if known else []
    for one in range(number * WIDTH + known, number * WIDTH + width):
        hashes.append(whole_root(tiles.tile(level - 1, one, WIDTH)))
    _put(tiles.folder, level, number, width, b"".join(hashes))


def _put(folder: Path, level: int | str, number: int, width: int, data: bytes) -> None:
    """Write a tile; once it is full the narrower ones are not needed any more."""
    whole = folder / path_of(level, number)
    write_whole(folder / path_of(level, number, width), data)
    if width == WIDTH:
        narrow = whole.with_name(f"{whole.name}.p")
        for one in narrow.iterdir() if narrow.is_dir() else ():
            one.unlink(missing_ok=True)
        if narrow.is_dir():
            narrow.rmdir()

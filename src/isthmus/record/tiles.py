"""The log as files: C2SP `tlog-tiles`, height 8. Everything below the newest checkpoint, readable by anybody's tools.

`tile/L/N` holds 256 hashes of level L, `tile/entries/N` 256 entries with their length before them; the right edge is
`N.p/W`, W wide. All of it follows from the database and can be thrown away. A file is written whole; `checkpoint` comes
last, so that whoever reads it finds what it speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record.merkle import HASH_BYTES, node_hash

WIDTH = 256
_BITS = 8
LARGEST_ENTRY = 65_535
CHECKPOINT = "checkpoint"


def path_of(level: int | str, number: int, width: int = WIDTH) -> str:
    """Where a tile lies: level 0-63 or `entries`, number in groups of three digits, and `.p/W` when it is not full."""
    groups = [f"{number % 1_000:03d}"]
    while number >= 1_000:
        number //= 1_000
        groups.insert(0, f"x{number % 1_000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == WIDTH else f".p/{width}")


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every tile of hashes of a tree of this size, the lowest level first."""
    level = 0
    while size:
        for number in range(-(-size // WIDTH)):
            yield level, number, min(WIDTH, size - number * WIDTH)
        size, level = size // WIDTH, level + 1


def bundled(entries: list[bytes]) -> bytes:
    """Entries one after the other, each after two bytes of its length. Raises `Untrusted` for one that is too long."""
    if any(len(one) > LARGEST_ENTRY for one in entries):
        raise Untrusted(f"longer than {LARGEST_ENTRY} bytes", "entry")
    return b"".join(len(one).to_bytes(2, "big") + one for one in entries)


def unbundled(data: bytes) -> list[bytes]:
    """The other way round. Raises `Untrusted` when bytes are missing or left over."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise Untrusted("ends in the middle of an entry", "entry bundle")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def hashes_in(data: bytes) -> list[bytes]:
    """The hashes of a tile, 32 bytes each."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def whole_root(hashes: list[bytes]) -> bytes:
    """The root over as many neighbours as a power of two."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


class Tiles:
    """The log in a folder, read. A tile that is not there in the width asked for is taken from a wider one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self) -> str:
        """The newest note. Raises `Unreachable` when there is none."""
        return self._read(CHECKPOINT).decode("utf-8", "replace")

    def tile(self, level: int, number: int, width: int) -> list[bytes]:
        """The first `width` hashes of a tile. Raises `Unreachable` when there is none, `Untrusted` for one of another size."""
        found, whole = self._of(level, number, width)
        if len(found) != whole * HASH_BYTES:
            raise Untrusted(f"{len(found)} bytes are not {whole} hashes", path_of(level, number, whole))
        return hashes_in(found)[:width]

    def entries(self, number: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle. Raises as `tile` does."""
        found, whole = self._of("entries", number, width)
        entries = unbundled(found)
        if len(entries) != whole:
            raise Untrusted(f"{len(entries)} entries are not {whole}", path_of("entries", number, whole))
        return entries[:width]

    def _of(self, level: int | str, number: int, width: int) -> tuple[bytes, int]:
        """The bytes, and how wide the tile is that they were taken from."""
        try:
            return self._read(path_of(level, number, width)), width
        except Unreachable:
            if width == WIDTH:
                raise
            return self._read(path_of(level, number)), WIDTH

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise Unreachable(f"{self.folder / name}: {error.strerror}") from None

    def root(self, low: int, high: int, size: int) -> bytes:
        """The root over the leaves from `low` up to but without `high`, in a log that was published at `size` or longer.

        `low` must be where a whole subtree of that length begins, as it is in every proof.
        """
        if high - low == 1 or (low % (high - low) == 0 and (high - low).bit_count() == 1):
            return self._node(low, high, size)
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        return node_hash(self.root(low, middle, size), self.root(middle, high, size))

    def _node(self, low: int, high: int, size: int) -> bytes:
        depth = (high - low).bit_length() - 1
        level, within = divmod(depth, _BITS)
        first = (low >> depth) << within
        number, place = divmod(first, WIDTH)
        width = min(WIDTH, (size >> (_BITS * level)) - number * WIDTH)
        return whole_root(self.tile(level, number, width)[place : place + (1 << within)])

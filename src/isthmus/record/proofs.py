"""Proofs made from tiles, a few reads each however long the log; and C2SP `tlog-proof`, the text one is handed on as."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import Checkpoint, Key, read
from isthmus.record.merkle import HASH_BYTES, check_inclusion, decoded_hash
from isthmus.record.tiles import Tiles

_FIRST = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})", re.ASCII)
_LONGEST_PROOF = 63


class _Once(Tiles):
    """Reads each tile once."""

    def __init__(self, tiles: Tiles) -> None:
        super().__init__(tiles.folder)
        self._tiles = tiles
        self._read_before: dict[tuple[int, int, int], list[bytes]] = {}

    def tile(self, level: int, number: int, width: int) -> list[bytes]:
        """As the tiles themselves."""
        place = level, number, width
        if place not in self._read_before:
            self._read_before[place] = self._tiles.tile(level, number, width)
        return self._read_before[place]


def inclusion(tiles: Tiles, index: int, size: int, published: int) -> tuple[bytes, ...]:
    """Why entry `index` is in the log of `size` entries, from the leaf upwards. `published` is how far the tiles go.

    Raises `Unreachable` when a tile is not there, `Untrusted` when the log has no such entry.
    """
    if not 0 <= index < size <= published:
        raise Untrusted(f"the log of {size} entries has no entry {index}", "inclusion proof")
    tiles, path, low, high = _Once(tiles), [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(tiles.root(middle, high, published))
            high = middle
        else:
            path.append(tiles.root(low, middle, published))
            low = middle
    return tuple(reversed(path))


def consistency(tiles: Tiles, before: int, size: int, published: int) -> tuple[bytes, ...]:
    """Why the log of `size` entries begins with that of `before` entries; empty for the same size, and for none before.

    Raises as `inclusion` does.
    """
    if not 0 <= before <= size <= published:
        raise Untrusted(f"the log of {size} entries did not grow from {before}", "consistency proof")
    if before == 0:
        return ()
    tiles, path, low, high, whole = _Once(tiles), [], 0, size, True
    while before != high:
        middle = low + _split(high - low)
        if before <= middle:
            path.append(tiles.root(middle, high, published))
            high = middle
        else:
            path.append(tiles.root(low, middle, published))
            low, whole = middle, False
    known = () if whole else (tiles.root(low, high, published),)
    return (*known, *reversed(path))


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry stands at `index` of the log as `note` signed it."""

    index: int
    hashes: Sequence[bytes]
    note: str

    def __str__(self) -> str:
        """The text others read it as."""
        hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in self.hashes)
        return f"{_FIRST}\nindex {self.index}\n{hashes}\n{self.note}"


def proof_of(text: str) -> Proof:
    """The proof in a text. Raises `Untrusted` for any other spelling; extra data is refused, we never write any."""
    head, found, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if not found or first != _FIRST or index is None or len(lines) > _LONGEST_PROOF + 1:
        raise Untrusted("is not a tlog-proof of version 1", "proof")
    return Proof(int(index[1]), tuple(decoded_hash(line) for line in lines[1:]), note)


def check(proof: Proof, leaf: bytes, key: Key) -> Checkpoint:
    """The checkpoint under which this leaf hash stands in the log of this key. Raises `Untrusted` when it does not."""
    if len(leaf) != HASH_BYTES:
        raise Untrusted("is no leaf hash", "proof")
    told = read(proof.note, key)
    check_inclusion(leaf, proof.index, told.size, proof.hashes, told.root)
    return told

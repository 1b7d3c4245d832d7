"""The Merkle tree of RFC 9162, section 2.1: hashes, growth by its right edge, proofs, and a strict reader of proofs.

A proof that does not hold raises `Untrusted`; nothing here answers yes or no. A tree of size 0 has a root and no
proofs: a proof about nothing proves nothing, so it is refused, as witnesses of transparency logs do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isthmus.model.errors import Untrusted

HASH_BYTES = 32
_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes, 32 bytes; the prefix keeps a leaf from passing for a node."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours, 32 bytes."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: the roots of its whole subtrees, the largest first. All that growing needs."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Frontier:
        """The tree with one more leaf, given by its leaf hash."""
        hashes, node, below = list(self.hashes), leaf, self.size
        while below & 1:
            node, below = node_hash(hashes.pop(), node), below >> 1
        return Frontier(self.size + 1, (*hashes, node))

    def root(self) -> bytes:
        """The root hash, 32 bytes; that of the empty tree is the hash of nothing."""
        if not self.hashes:
            return hashlib.sha256(b"").digest()
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def encoded(self) -> bytes:
        """The hashes one after the other, 32 bytes each."""
        return b"".join(self.hashes)


def decoded(size: int, hashes: bytes) -> Frontier:
    """The frontier of a tree of this size. Raises `Untrusted` unless there are exactly as many hashes as it needs."""
    if size < 0 or len(hashes) != HASH_BYTES * size.bit_count():
        raise Untrusted(f"{len(hashes)} bytes are not the right edge of a tree of {size} leaves", "frontier")
    return Frontier(size, tuple(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))


def grown(leaves: Iterable[bytes]) -> Frontier:
    """The frontier over these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier


def decoded_bytes(text: str, place: str) -> bytes:
    """Bytes from standard Base64. Raises `Untrusted` for anything but their one spelling."""
    try:
        given = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Untrusted("not Base64", place) from None
    if base64.b64encode(given).decode() != text:
        raise Untrusted("not Base64 in its one spelling", place)
    return given


def decoded_hash(text: str) -> bytes:
    """A hash from standard Base64. Raises `Untrusted` for anything but the one spelling of exactly 32 bytes."""
    given = decoded_bytes(text, "hash")
    if len(given) != HASH_BYTES:
        raise Untrusted(f"{len(given)} bytes instead of {HASH_BYTES}", "hash")
    return given


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Why the leaf at `index` is in the tree over these leaf hashes, from the leaf upwards. Takes time like the tree."""
    if not 0 <= index < len(leaves):
        raise Untrusted(f"a tree of {len(leaves)} leaves has no leaf {index}", "inclusion proof")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(grown(leaves[middle:high]).root())
            high = middle
        else:
            path.append(grown(leaves[low:middle]).root())
            low = middle
    return tuple(reversed(path))


def consistency_proof(leaves: Sequence[bytes], before: int) -> tuple[bytes, ...]:
    """Why the tree over these leaf hashes begins with the tree of its first `before` leaves. Takes time like the tree."""
    if not 0 < before <= len(leaves):
        raise Untrusted(f"a tree of {len(leaves)} leaves did not grow from {before}", "consistency proof")
    path: list[bytes] = []
    low, high, whole = 0, len(leaves), True
    while before != high:
        middle = low + _split(high - low)
        if before <= middle:
            path.append(grown(leaves[middle:high]).root())
            high = middle
        else:
            path.append(grown(leaves[low:middle]).root())
            low, whole = middle, False
    known = () if whole else (grown(leaves[low:high]).root(),)
    return (*known, *reversed(path))


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises `Untrusted` unless the proof shows this leaf hash at `index` of the tree of `size` leaves under `root`."""
    if not 0 <= index < size:
        raise Untrusted(f"a tree of {size} leaves has no leaf {index}", "inclusion proof")
    _whole((leaf, *proof, root), "inclusion proof")
    here, last, seen = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise Untrusted("longer than the tree is deep", "inclusion proof")
        if here & 1 or here == last:
            seen = node_hash(step, seen)
            here, last = _up_to_odd(here, last)
        else:
            seen = node_hash(seen, step)
        here, last = here >> 1, last >> 1
    if last != 0:
        raise Untrusted("shorter than the tree is deep", "inclusion proof")
    if seen != root:
        raise Untrusted("leads to another root", "inclusion proof")


def check_consistency(before: int, after: int, proof: Sequence[bytes], root_before: bytes, root_after: bytes) -> None:
    """Raises `Untrusted` unless the proof shows that the tree of `after` leaves begins with that of `before`."""
    if not 0 < before <= after:
        raise Untrusted(f"a tree of {after} leaves did not grow from {before}", "consistency proof")
    if before == after:
        if proof or root_before != root_after:
            raise Untrusted("one size has one root and needs no proof", "consistency proof")
        return
    _whole((root_before, *proof, root_after), "consistency proof")
    path = [root_before, *proof] if before & (before - 1) == 0 else list(proof)
    if not path or not proof:
        raise Untrusted("empty", "consistency proof")
    if _climbed(before - 1, after - 1, path) != (root_before, root_after):
        raise Untrusted("leads to other roots", "consistency proof")


def _whole(hashes: Iterable[bytes], place: str) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise Untrusted(f"a hash in it is not {HASH_BYTES} bytes", place)


def _climbed(here: int, last: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """Both roots a consistency proof leads to."""
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            raise Untrusted("longer than the tree is deep", "consistency proof")
        if here & 1 or here == last:
            old, new = node_hash(step, old), node_hash(step, new)
            here, last = _up_to_odd(here, last)
        else:
            new = node_hash(new, step)
        here, last = here >> 1, last >> 1
    if last != 0:
        raise Untrusted("shorter than the tree is deep", "consistency proof")
    return old, new


def _up_to_odd(here: int, last: int) -> tuple[int, int]:
    """Levels on which the last node has no neighbour are passed over."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last

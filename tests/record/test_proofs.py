"""Proofs from the files of a log: those the tree has, and nothing near them is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.record.logs import SIGNER, grown_to, log

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record.checkpoints import Checkpoint, Signer, signed
from isthmus.record.merkle import (
    check_consistency,
    check_inclusion,
    consistency_proof,
    grown,
    inclusion_proof,
    leaf_hash,
    node_hash,
)
from isthmus.record.proofs import Proof, check, consistency, inclusion, proof_of
from isthmus.record.publishing import publish
from isthmus.record.tiles import Tiles, path_of, tiles_of

SIZE = 128
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(70_000)]
ROOTS = [grown(LEAVES[:size]).root() for size in range(SIZE + 1)]


class InMemory(Tiles):
    """Tiles over leaf hashes, without a disk."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        super().__init__(Path())
        self._levels = [list(leaves)]
        while len(self._levels[-1]) >= 256:
            below = self._levels[-1]
            self._levels.append([grown(below[at : at + 256]).root() for at in range(0, len(below) - 255, 256)])

    def tile(self, level: int, number: int, width: int) -> list[bytes]:
        found = self._levels[level][number * 256 : number * 256 + width]
        if len(found) != width:
            raise Unreachable(path_of(level, number, width))
        return found


def refused(check: object, *given: object) -> bool:
    assert callable(check)
    try:
        check(*given)
    except Untrusted:
        return True
    return False


def bent(proof: Sequence[bytes], seed: int) -> list[list[bytes]]:
    """The proof with one bit of one hash other than it was, for each hash of it."""
    found = []
    for at, one in enumerate(proof):
        bit = (seed * 37 + at * 101) % 256
        other = bytes(byte ^ (1 << (bit & 7)) if place == bit >> 3 else byte for place, byte in enumerate(one))
        found.append([*proof[:at], other, *proof[at + 1 :]])
    return found


def test_every_tree_up_to_128_leaves_and_every_proof_with_a_bit_flipped() -> None:
    """16,512 proofs, each hash of each flipped: none is accepted."""
    tiles = InMemory(LEAVES[:SIZE])
    proofs = flips = 0
    for size in range(1, SIZE + 1):
        for index in range(size):
            proof = inclusion(tiles, index, size, SIZE)
            check_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
            for other in bent(proof, index):
                assert refused(check_inclusion, LEAVES[index], index, size, other, ROOTS[size])
                flips += 1
            old = index + 1
            grew = consistency(tiles, old, size, SIZE)
            check_consistency(old, size, grew, ROOTS[old], ROOTS[size])
            for other in bent(grew, index):
                assert refused(check_consistency, old, size, other, ROOTS[old], ROOTS[size])
                flips += 1
            proofs += 2
    assert (proofs, flips > 90_000) == (128 * 129, True)


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 300, 511, 513, 700])
def test_tiles_give_the_proofs_the_definition_gives(size: int) -> None:
    tiles = InMemory(LEAVES[:700])
    for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
        assert inclusion(tiles, index, size, 700) == inclusion_proof(LEAVES[:size], index)
        assert consistency(tiles, index + 1, size, 700) == consistency_proof(LEAVES[:size], index + 1)
    assert consistency(tiles, 0, size, 700) == ()


def test_a_log_of_three_levels() -> None:
    size = len(LEAVES)
    tiles, root = InMemory(LEAVES), grown(LEAVES).root()
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, size - 1):
        check_inclusion(LEAVES[index], index, size, inclusion(tiles, index, size, size), root)
        before = grown(LEAVES[: index + 1]).root()
        check_consistency(index + 1, size, consistency(tiles, index + 1, size, size), before, root)
    assert max(level for level, _, _ in tiles_of(size)) == 2


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (0, 701), (700, 701)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    tiles = InMemory(LEAVES[:700])
    with pytest.raises(Untrusted):
        inclusion(tiles, index, size, 700)
    with pytest.raises(Untrusted):
        consistency(tiles, size + 1 if index >= 0 else -1, size, 700)


def proved(tmp_path: Path) -> tuple[Proof, bytes]:
    with log() as connection:
        done = publish(connection, tmp_path, grown_to(connection, 20), SIGNER.key)
    leaf = leaf_hash(done.tiles.entries(0, 20)[11])
    return Proof(11, inclusion(done.tiles, 11, 20, 20), done.tiles.checkpoint()), leaf


def test_a_proof_is_spelled_as_the_specification_says(tmp_path: Path) -> None:
    proof, leaf = proved(tmp_path)
    lines = str(proof).split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 11"]
    assert lines[2 + len(proof.hashes)] == "" and lines[3 + len(proof.hashes)] == SIGNER.name
    assert str(proof).endswith("\n\n" + proof.note.rpartition("\n\n")[2])
    assert proof_of(str(proof)) == proof
    assert check(proof_of(str(proof)), leaf, SIGNER.key).size == 20


def test_nothing_near_a_right_proof_is_taken(tmp_path: Path) -> None:
    proof, leaf = proved(tmp_path)
    text = str(proof)
    for at, was in enumerate(text):
        for other in {"", "\n", " ", "0", "A", "="} - {was}:
            near = text[:at] + other + text[at + 1 :]
            assert refused(lambda told: check(proof_of(told), leaf, SIGNER.key), near), at
    assert refused(check, proof, leaf[:-1], SIGNER.key)
    assert refused(check, proof, node_hash(leaf, leaf), SIGNER.key)
    assert refused(check, proof, leaf, Signer("another.example", SIGNER.private).key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\n\n",
        "c2sp.org/tlog-proof@v2\nindex 1\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex -1\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex ١\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra QUFB\nindex 1\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\nQUFB\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\n" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + "\nnote",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(Untrusted):
        proof_of(text)


def test_a_proof_under_somebody_elses_root_is_refused(tmp_path: Path) -> None:
    proof, leaf = proved(tmp_path)
    forged = signed(Checkpoint(SIGNER.name, 20, bytes(32)).text, SIGNER)
    assert refused(check, Proof(proof.index, proof.hashes, forged), leaf, SIGNER.key)
    assert refused(check, Proof(proof.index + 1, proof.hashes, proof.note), leaf, SIGNER.key)

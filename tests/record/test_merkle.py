"""The tree of RFC 9162, against its definition, against public vectors, and against everything near a right proof."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.model.errors import Untrusted
from isthmus.record.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    decoded,
    decoded_hash,
    grown,
    inclusion_proof,
    leaf_hash,
)

MOST = 64
LEAVES = [leaf_hash(bytes([number])) for number in range(MOST + 1)]


def defined(leaves: Sequence[bytes]) -> bytes:
    """The root as the RFC defines it, by recursion, with hashes written out."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(2**power for power in range(10) if 2**power < len(leaves))
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


ROOTS = [defined(LEAVES[:size]) for size in range(MOST + 1)]


def refused(check: Callable[..., None], *given: Any) -> bool:
    try:
        check(*given)
    except Untrusted:
        return True
    return False


def flipped(value: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << (bit & 7) if place == bit >> 3 else 0) for place, byte in enumerate(value))


def test_a_tree_grown_leaf_by_leaf_is_the_defined_one() -> None:
    frontier = Frontier()
    for size in range(MOST + 1):
        assert (frontier.size, frontier.root()) == (size, ROOTS[size])
        assert decoded(size, frontier.encoded()) == frontier
        frontier = frontier.append(LEAVES[size])


def test_leaf_and_node_hashes_are_prefixed() -> None:
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert grown([leaf_hash(b"a"), leaf_hash(b"b")]).root() != leaf_hash(leaf_hash(b"a") + leaf_hash(b"b"))


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_inclusion_in_every_small_tree_and_nothing_near_it(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(LEAVES[:size], index)
        check_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
        for bit in range(0, 256, 37):
            assert refused(check_inclusion, flipped(LEAVES[index], bit), index, size, proof, ROOTS[size])
            assert refused(check_inclusion, LEAVES[index], index, size, proof, flipped(ROOTS[size], bit))
            for at, step in enumerate(proof):
                bent = (*proof[:at], flipped(step, bit), *proof[at + 1 :])
                assert refused(check_inclusion, LEAVES[index], index, size, bent, ROOTS[size])
        for other in range(-1, size + 2):
            if other != index:
                assert refused(check_inclusion, LEAVES[index], other, size, proof, ROOTS[size])
        assert refused(check_inclusion, LEAVES[index], index, size, (*proof, ROOTS[size]), ROOTS[size])
        assert refused(check_inclusion, LEAVES[index], index, size, (ROOTS[size], *proof), ROOTS[size])
        if proof:
            assert refused(check_inclusion, LEAVES[index], index, size, proof[:-1], ROOTS[size])
            assert refused(check_inclusion, LEAVES[index], index, size, proof[1:], ROOTS[size])


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_growth_of_every_small_tree_and_nothing_near_it(size: int) -> None:
    for before in range(1, size + 1):
        proof = consistency_proof(LEAVES[:size], before)
        check_consistency(before, size, proof, ROOTS[before], ROOTS[size])
        for bit in range(0, 256, 37):
            assert refused(check_consistency, before, size, proof, flipped(ROOTS[before], bit), ROOTS[size])
            assert refused(check_consistency, before, size, proof, ROOTS[before], flipped(ROOTS[size], bit))
            for at, step in enumerate(proof):
                bent = (*proof[:at], flipped(step, bit), *proof[at + 1 :])
                assert refused(check_consistency, before, size, bent, ROOTS[before], ROOTS[size])
        for other in range(-1, size + 2):
            if other != before:
                assert refused(check_consistency, other, size, proof, ROOTS[before], ROOTS[size])
        assert refused(check_consistency, before, size, (*proof, ROOTS[size]), ROOTS[before], ROOTS[size])
        if proof:
            assert refused(check_consistency, before, size, proof[:-1], ROOTS[before], ROOTS[size])
            assert refused(check_consistency, before, size, (), ROOTS[before], ROOTS[size])


def test_a_proof_about_nothing_is_refused() -> None:
    assert refused(check_inclusion, LEAVES[0], 0, 0, (), ROOTS[0])
    assert refused(check_consistency, 0, 0, (), ROOTS[0], ROOTS[0])
    assert refused(check_consistency, 0, 5, (), ROOTS[0], ROOTS[5])
    assert refused(check_inclusion, b"", 0, 1, (), b"")
    for make in (inclusion_proof, consistency_proof):
        with pytest.raises(Untrusted):
            make([], 0)
        with pytest.raises(Untrusted):
            make(LEAVES[:4], 5)


@given(st.binary(max_size=40), st.integers(min_value=-1, max_value=9))
def test_only_a_whole_frontier_is_taken(held: bytes, size: int) -> None:
    if size >= 0 and len(held) == 32 * size.bit_count():
        assert decoded(size, held).encoded() == held
    else:
        with pytest.raises(Untrusted):
            decoded(size, held)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        base64.b64encode(bytes(32)).decode().rstrip("="),
        base64.b64encode(bytes(32)).decode() + "\n",
        " " + base64.b64encode(bytes(32)).decode(),
        base64.b64encode(bytes(32)).decode().replace("A=", "B="),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "＝" * 44,
    ],
)
def test_a_hash_has_one_spelling(text: str) -> None:
    with pytest.raises(Untrusted):
        decoded_hash(text)
    assert decoded_hash(base64.b64encode(b"\xff" * 32).decode()) == b"\xff" * 32


def judged(vector: dict[str, Any]) -> bool:
    """Whether we refuse a vector."""
    root = [base64.b64decode(vector.get(name) or "") for name in ("root", "root1", "root2")]
    proof = [base64.b64decode(step) for step in vector["proof"] or ()]
    if "leafIdx" in vector:
        leaf = base64.b64decode(vector["leafHash"] or "")
        return refused(check_inclusion, leaf, vector["leafIdx"], vector["treeSize"], proof, root[0])
    return refused(check_consistency, vector["size1"], vector["size2"], proof, root[1], root[2])


def test_public_vectors_are_judged_as_they_should_be(shared: Path) -> None:
    told = {"inclusion": 0, "consistency": 0}
    for path in sorted((shared / "vectors/merkle").rglob("*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        assert judged(vector) is vector["wantErr"], path.relative_to(shared)
        told["inclusion" if "leafIdx" in vector else "consistency"] += 1
    assert told == {"inclusion": 98, "consistency": 98}

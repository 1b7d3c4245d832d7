"""Requests to a witness: right ones, and what in them can be replaced."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from isthmus.record.checkpoints import Checkpoint, Signer, signed
from isthmus.record.merkle import consistency_proof, grown, leaf_hash

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOG = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(32)))
ELSEWHERE = Signer("elsewhere.example", LOG.private)
LEAVES = [leaf_hash(bytes([number])) for number in range(64)]
FORK = [leaf_hash(bytes([number + (number >= 5)])) for number in range(64)]
EMPTY = grown([]).root()


def note(size: int, leaves: list[bytes] = LEAVES, signer: Signer = LOG, root: bytes | None = None) -> str:
    return signed(Checkpoint(signer.name, size, root or grown(leaves[:size]).root()).text, signer)


def asked(old: int, size: int, leaves: list[bytes] = LEAVES, **more: Any) -> bytes:
    """A right request, unless something in it is replaced."""
    proof = more.get("proof", consistency_proof(leaves[:size], old) if 0 < old <= size else ())
    lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
    return f"{more.get('first', f'old {old}')}\n{lines}\n{more.get('note') or note(size, leaves)}".encode()


def post(client: httpx.Client, body: bytes) -> tuple[int, str, str]:
    answer = client.post("/add-checkpoint", content=body)
    return answer.status_code, answer.text, answer.headers["content-type"]

"""Cosignatures: one spelling, one key, one time."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import Checkpoint, Signer, signed
from isthmus.record.cosignatures import WitnessKey, cosignature_time, cosigned, joined, parts, witness_key_of

LOG = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def note(size: int) -> str:
    return signed(Checkpoint(LOG.name, size, bytes(range(32))).text, LOG)


KEY = WitnessKey("witness.example", LOG.private.public_key().public_bytes_raw())
LINE = cosigned(note(3).partition("\n\n")[0] + "\n", KEY.name, LOG.private, 1_700_000_000)


def test_nothing_near_a_cosignature_is_taken() -> None:
    assert cosignature_time(note(3) + LINE, KEY) == 1_700_000_000
    for at, was in enumerate(LINE):
        for other in {"", "\n", " ", "A", "=", "—"} - {was}:
            with pytest.raises(Untrusted):
                cosignature_time(note(3) + LINE[:at] + other + LINE[at + 1 :], KEY)
    for near in (note(4) + LINE, note(3), note(3) + LINE + LINE.replace("A", "B", 1)):
        with pytest.raises(Untrusted):
            cosignature_time(near, KEY)


@pytest.mark.parametrize(
    "key",
    [
        WitnessKey("other.example", KEY.public),
        WitnessKey(KEY.name, bytes(32)),
        WitnessKey(KEY.name, STRANGER.private.public_key().public_bytes_raw()),
    ],
)
def test_another_witness_did_not_sign(key: WitnessKey) -> None:
    with pytest.raises(Untrusted, match="not signed by the witness"):
        cosignature_time(note(3) + LINE, key)


def test_a_log_key_is_no_witness_key_and_every_other_spelling_is_refused() -> None:
    whole = str(KEY)
    with pytest.raises(Untrusted, match="for cosignatures"):
        witness_key_of(str(LOG.key))
    for at in range(len(whole)):
        for near in (whole[:at], whole[:at] + chr(ord(whole[at]) + 1) + whole[at + 1 :]):
            with pytest.raises(Untrusted):
                witness_key_of(near)


def test_lines_of_strangers_in_an_answer_are_left_out() -> None:
    strange = cosigned(parts(note(3))[0], "other.example", STRANGER.private, 5)
    assert joined(note(3), strange + LINE, KEY) == note(3) + LINE
    for answer in ("", "\n", LINE[:-1], strange, "nonsense\n", LINE + "nonsense\n"):
        with pytest.raises(Untrusted):
            joined(note(3), answer, KEY)


@pytest.mark.parametrize("at", [0, -1, 2**63])
def test_a_cosignature_has_a_time(at: int) -> None:
    with pytest.raises(Untrusted):
        cosigned(parts(note(3))[0], KEY.name, LOG.private, at)

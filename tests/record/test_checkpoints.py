"""Signed checkpoints: one spelling, one key, one log."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import Checkpoint, Key, Signer, key_of, opened, read, signed

SIGNER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
POINT = Checkpoint(SIGNER.name, 75, bytes(range(32)))
NOTE = signed(POINT.text, SIGNER)
STRANGER = Signer("witness.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_a_note_is_spelled_as_the_specification_says() -> None:
    public = SIGNER.private.public_key().public_bytes_raw()
    name = b"isthmus.example/ledger"
    id_ = hashlib.sha256(name + b"\x0a\x01" + public).digest()[:4]
    text = b"isthmus.example/ledger\n75\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    signature = base64.b64encode(id_ + SIGNER.private.sign(text))
    assert NOTE.encode() == text + "\n— ".encode() + name + b" " + signature + b"\n"
    spelled = base64.b64encode(b"\x01" + public).decode()
    assert str(SIGNER.key) == f"isthmus.example/ledger+{id_.hex()}+{spelled}"


def test_what_was_signed_is_read_back() -> None:
    assert read(NOTE, SIGNER.key) == POINT
    assert key_of(str(SIGNER.key)) == SIGNER.key
    assert "private" not in repr(SIGNER).lower()


def test_every_other_byte_is_refused() -> None:
    for at, was in enumerate(NOTE):
        for other in {"\n", " ", "+", "0", "A", "=", "—", "\r", "\t", "\x00", ""} - {was}:
            with pytest.raises(Untrusted):
                read(NOTE[:at] + other + NOTE[at + 1 :], SIGNER.key)
        with pytest.raises(Untrusted):
            read(NOTE[:at], SIGNER.key)


def test_every_other_spelling_of_a_key_is_refused() -> None:
    whole = str(SIGNER.key)
    for start in range(len(whole)):
        for end in range(start, len(whole) + 1):
            if (start, end) != (0, len(whole)):
                with pytest.raises(Untrusted):
                    key_of(whole[start:end])
    for at in range(len(whole)):
        with pytest.raises(Untrusted):
            key_of(whole[:at] + chr(ord(whole[at]) + 1) + whole[at + 1 :])


@pytest.mark.parametrize("size", ["075", "+75", "7_5", "-1", " 75", "٧٥", "75.0", "0x4b", "", "1" * 19])
def test_a_size_is_a_plain_number_whoever_signed_it(size: str) -> None:
    with pytest.raises(Untrusted):
        read(signed(POINT.text.replace("75", size, 1), SIGNER), SIGNER.key)


@pytest.mark.parametrize(
    "text", [POINT.text + "extension\n", "isthmus.example/ledger\n75\n", POINT.text.replace("AAEC", "AAE", 1)]
)
def test_a_checkpoint_has_three_lines_whoever_signed_them(text: str) -> None:
    with pytest.raises(Untrusted):
        read(signed(text, SIGNER), SIGNER.key)


def test_another_log_and_another_key_are_refused() -> None:
    with pytest.raises(Untrusted, match="another log"):
        read(signed(Checkpoint("other.example", 1, bytes(32)).text, SIGNER), SIGNER.key)
    with pytest.raises(Untrusted, match="not signed by"):
        read(NOTE, STRANGER.key)
    with pytest.raises(Untrusted, match="not signed by"):
        read(NOTE, Key(SIGNER.name, STRANGER.key.public))


def test_signatures_of_strangers_are_passed_over_and_false_ones_in_our_name_are_not() -> None:
    line = signed(POINT.text, STRANGER).rpartition("\n\n")[2]
    assert read(NOTE + line, SIGNER.key) == POINT
    assert read(NOTE + line, STRANGER.key if STRANGER.name == POINT.origin else SIGNER.key) == POINT
    false = base64.b64encode(SIGNER.key.id + bytes(64)).decode()
    with pytest.raises(Untrusted, match="does not hold"):
        read(NOTE + f"— {SIGNER.name} {false}\n", SIGNER.key)
    with pytest.raises(Untrusted, match="more than 64"):
        read(NOTE + line * 64, SIGNER.key)
    assert read(NOTE + line * 63, SIGNER.key) == POINT


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\u200bb"])
def test_a_log_has_a_name_a_note_can_carry(name: str) -> None:
    with pytest.raises(Untrusted):
        Key(name, bytes(32))


@given(st.text(max_size=200))
def test_nothing_but_a_refusal_comes_of_nonsense(text: str) -> None:
    for note in (text, f"{text}\n\n— {SIGNER.name} {text}\n", NOTE + text if text else ""):
        with pytest.raises(Untrusted):
            opened(note, SIGNER.key)
    with pytest.raises(Untrusted):
        key_of(text)

"""Cosignatures of a witness: C2SP `tlog-cosignature`, version 1 with Ed25519 keys (signature type 0x04).

A cosignature says: at this time, the longest history of this log that I have seen and found to grow only at its end has
this root. It is a line below a checkpoint's own signature.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import Checkpoint, Key
from isthmus.record.merkle import decoded_bytes, decoded_hash

_TYPE = b"\x04"
_ID_BYTES, _TIME_BYTES, _SIGNATURE_BYTES = 4, 8, 64
_LONGEST, _MOST_SIGNATURES = 65_536, 64
_LATEST = 2**63
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """Who may cosign: a witness's name and 32 bytes of public key. Another signature type gives the same key another id."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        """Raises `Untrusted` for a name no note can carry or a key that is none."""
        Key(self.name, self.public)

    @property
    def id(self) -> bytes:
        """Four bytes that tell a note's reader which key signed a line."""
        return hashlib.sha256(self.name.encode() + b"\n" + _TYPE + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The key in one line, as verifiers are configured."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_TYPE + self.public).decode()}"


def witness_key_of(text: str) -> WitnessKey:
    """The key in a line such as `str(key)` gives. Raises `Untrusted` for any other spelling, and for a log's key."""
    parts = _VKEY.fullmatch(text)
    given = decoded_bytes(parts[3], "a witness's public key") if parts else b""
    if parts is None or given[:1] != _TYPE:
        raise Untrusted("must be NAME+ID+KEY with a key for cosignatures", "a witness's public key")
    key = WitnessKey(parts[1], given[1:])
    if key.id.hex() != parts[2]:
        raise Untrusted("its id does not belong to it", "a witness's public key")
    return key


def parts(note: str) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    """The text of a note and its signatures, each as a name and id plus signature; none of them is checked.

    Raises `Untrusted` when it is not spelled as a note is.
    """
    head, found, tail = note.rpartition("\n\n")
    if len(note) > _LONGEST or not found or not head or not tail.endswith("\n"):
        raise Untrusted("not a signed note", "checkpoint")
    if any(sign < " " for sign in note if sign != "\n"):
        raise Untrusted("a control character in it", "checkpoint")
    lines = tail[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise Untrusted(f"more than {_MOST_SIGNATURES} signatures", "checkpoint")
    return head + "\n", tuple(_line(one) for one in lines)


def _line(line: str) -> tuple[str, bytes]:
    mark, _, rest = line.partition(" ")
    name, _, spelled = rest.partition(" ")
    signature = decoded_bytes(spelled, "checkpoint")
    if mark != "—" or not name or "+" in name or len(signature) <= _ID_BYTES:
        raise Untrusted("a line below the text is no signature", "checkpoint")
    return name, signature


def body_of(text: str) -> Checkpoint:
    """What the text of a checkpoint says, whoever signed it. Lines after the third are for whoever put them there.

    Raises `Untrusted` when it is no checkpoint.
    """
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not text.endswith("\n") or not all(lines):
        raise Untrusted("must be lines with origin, size and root, none of them empty", "checkpoint")
    if not _SIZE.fullmatch(lines[1]):
        raise Untrusted("its size is no plain number", "checkpoint")
    return Checkpoint(lines[0], int(lines[1]), decoded_hash(lines[2]))


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def cosigned(text: str, name: str, private: Ed25519PrivateKey, at: int) -> str:
    """The line a witness of this name signs a checkpoint's text with. `at` is in whole seconds since 1970, not zero."""
    if not 0 < at < _LATEST:
        raise Untrusted("must be later than 1970", "the time of a cosignature")
    key = WitnessKey(name, private.public_key().public_bytes_raw())
    signature = key.id + at.to_bytes(_TIME_BYTES, "big") + private.sign(_message(text, at))
    return f"— {name} {base64.b64encode(signature).decode()}\n"


def cosignature_time(note: str, key: WitnessKey) -> int:
    """When this witness signed the note, the newest if several times, in seconds since 1970.

    Raises `Untrusted` when it did not sign, or a signature in its name does not hold.
    """
    text, lines = parts(note)
    ours = [signature[_ID_BYTES:] for name, signature in lines if name == key.name and signature[:_ID_BYTES] == key.id]
    if not ours:
        raise Untrusted(f"not signed by the witness {key.name}", "checkpoint")
    return max(_checked(key, one, text) for one in ours)


def _checked(key: WitnessKey, signature: bytes, text: str) -> int:
    at = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES or not 0 < at < _LATEST:
        raise Untrusted(f"what stands in the name of the witness {key.name} is no cosignature", "checkpoint")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature[_TIME_BYTES:], _message(text, at))
    except (InvalidSignature, ValueError):
        raise Untrusted(f"the signature in the name of the witness {key.name} does not hold", "checkpoint") from None
    return at


def joined(note: str, answer: str, key: WitnessKey) -> str:
    """The note with those lines of a witness's answer that this key signed. Lines of others are left out.

    Raises `Untrusted` when the answer is no signature lines, or has none of this key that holds.
    """
    if not answer.endswith("\n"):
        raise Untrusted("is not signature lines", "the witness's answer")
    lines = [line + "\n" for line in answer[:-1].split("\n")]
    own = "".join(line for line in lines if _is_of(line, key))
    cosignature_time(note + own, key)
    return note + own


def _is_of(line: str, key: WitnessKey) -> bool:
    name, signature = _line(line[:-1])
    return name == key.name and signature[:_ID_BYTES] == key.id


def only_of(note: str, keys: Iterable[Key | WitnessKey]) -> str:
    """The note with the signature lines of these keys alone."""
    text, _ = parts(note)
    wanted = {(one.name, one.id) for one in keys}
    lines = note.rpartition("\n\n")[2][:-1].split("\n")
    read = [(line, _line(line)) for line in lines]
    return text + "\n" + "".join(f"{line}\n" for line, (name, signature) in read if (name, signature[:_ID_BYTES]) in wanted)

"""Signed checkpoints of a log: C2SP `signed-note` with Ed25519 keys, and C2SP `tlog-checkpoint` as its text.

A checkpoint says how long a log was and what its root hash was, so that whoever holds one can see later whether
anything below it was changed. The reader takes exactly one spelling of everything.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from isthmus.model.errors import Untrusted
from isthmus.record.merkle import decoded_bytes, decoded_hash

_ED25519 = b"\x01"
_PUBLIC_BYTES, _ID_BYTES = 32, 4
_MOST_SIGNATURES, _LONGEST = 64, 65_536
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """Who may sign checkpoints of a log: its name, which is the log's origin, and 32 bytes of public key."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        """Raises `Untrusted` for a name no note can carry or a key that is none."""
        if not self.name or not self.name.isprintable() or re.search(r"[\s+]", self.name):
            raise Untrusted("must be printable, without spaces and plus signs", "the name of a log")
        if len(self.public) != _PUBLIC_BYTES:
            raise Untrusted("must be 32 bytes", "a log's public key")

    @property
    def id(self) -> bytes:
        """Four bytes that tell a note's reader which key signed a line. They identify, they do not protect."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The key in one line, as verifiers of notes are configured: name, id and key, joined by plus signs."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


def key_of(text: str) -> Key:
    """The key in a line such as `str(key)` gives. Raises `Untrusted` for any other spelling."""
    parts = _VKEY.fullmatch(text)
    given = decoded_bytes(parts[3], "a log's public key") if parts else b""
    if parts is None or given[:1] != _ED25519:
        raise Untrusted("must be NAME+ID+KEY with an Ed25519 key", "a log's public key")
    key = Key(parts[1], given[1:])
    if key.id.hex() != parts[2]:
        raise Untrusted("its id does not belong to it", "a log's public key")
    return key


@dataclass(frozen=True, slots=True)
class Signer:
    """A log's private key in hand. It is never printed."""

    name: str
    private: Ed25519PrivateKey

    @property
    def key(self) -> Key:
        """What everybody may know of it."""
        return Key(self.name, self.private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.key})"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's state: who says it, how many entries there were, and the root hash over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def signed(text: str, signer: Signer) -> str:
    """The text as a note with one signature. The same text and key give the same note."""
    signature = signer.key.id + signer.private.sign(text.encode())
    return f"{text}\n— {signer.name} {base64.b64encode(signature).decode()}\n"


def opened(note: str, key: Key) -> str:
    """The text of a note, once this key has signed it. Signatures of keys we do not know are passed over.

    Raises `Untrusted` when it is no note, when this key did not sign, or when a signature in its name does not hold.
    """
    head, found, tail = note.rpartition("\n\n")
    if len(note) > _LONGEST or not found or not tail.endswith("\n") or any(sign < " " for sign in note if sign != "\n"):
        raise Untrusted("not a signed note", "checkpoint")
    text, lines = head + "\n", tail[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise Untrusted(f"more than {_MOST_SIGNATURES} signatures", "checkpoint")
    signatures = [_signature(line) for line in lines]
    ours = [signature for name, signature in signatures if name == key.name and signature[:_ID_BYTES] == key.id]
    if not ours:
        raise Untrusted(f"not signed by {key.name}", "checkpoint")
    for signature in ours:
        _check(key, signature[_ID_BYTES:], text)
    return text


def _signature(line: str) -> tuple[str, bytes]:
    mark, _, rest = line.partition(" ")
    name, _, spelled = rest.partition(" ")
    signature = decoded_bytes(spelled, "checkpoint")
    if mark != "—" or not name or len(signature) <= _ID_BYTES:
        raise Untrusted("a line below the text is no signature", "checkpoint")
    return name, signature


def _check(key: Key, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, _encoded(text))
    except (InvalidSignature, ValueError):
        raise Untrusted(f"the signature in the name of {key.name} does not hold", "checkpoint") from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Untrusted("not UTF-8", "checkpoint") from None


def read(note: str, key: Key) -> Checkpoint:
    """The checkpoint in a note this log signed. Raises `Untrusted` when it is another log's, or not exactly one."""
    lines = opened(note, key).split("\n")
    if len(lines) != 4:
        raise Untrusted("must be three lines: origin, size, root", "checkpoint")
    origin, size, root, _ = lines
    if origin != key.name:
        raise Untrusted(f"of another log than {key.name}", "checkpoint")
    if not _SIZE.fullmatch(size):
        raise Untrusted("its size is no plain number", "checkpoint")
    return Checkpoint(origin, int(size), decoded_hash(root))

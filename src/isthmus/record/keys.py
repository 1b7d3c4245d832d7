"""This installation's own keys: one seals rows, one signs approvals and checkpoints. They lie outside the database.

Who can write to the database but cannot read these files can neither change an incident nor make up an approval.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from isthmus.model.errors import Refused, Untrusted

_LENGTH = 32


class Keys:
    """Seals and signatures of this installation."""

    def __init__(self, sealing: bytes, signing: bytes) -> None:
        self._sealing = sealing
        self._signing = Ed25519PrivateKey.from_private_bytes(signing)
        self._public = self._signing.public_key()

    @property
    def public(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes."""
        return self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def private(self) -> Ed25519PrivateKey:
        """For the signer of checkpoints."""
        return self._signing

    def seal(self, *parts: bytes) -> bytes:
        """A keyed digest over these parts, which cannot be shifted against one another."""
        made = hmac.new(self._sealing, digestmod=hashlib.sha256)
        for part in parts:
            made.update(len(part).to_bytes(8, "big") + part)
        return made.digest()

    def check(self, seal: bytes, place: str, *parts: bytes) -> None:
        """Raises `Untrusted` naming the row when it is not as we wrote it."""
        if not hmac.compare_digest(seal, self.seal(*parts)):
            raise Untrusted("was changed in the database by somebody else; not used", place)

    def sign(self, data: bytes) -> str:
        """An Ed25519 signature, in hex."""
        return self._signing.sign(data).hex()

    def verify(self, data: bytes, signature: str) -> bool:
        """Whether we signed this."""
        try:
            self._public.verify(bytes.fromhex(signature), data)
        except (InvalidSignature, ValueError):
            return False
        return True

    def derived(self, purpose: str) -> str:
        """A key for one other purpose (sessions, forms), in hex."""
        return self.seal(b"derived", purpose.encode()).hex()


def load(folder: Path) -> Keys:
    """The keys in this folder, made on first use and readable by their owner only. Raises `Refused` when they are not."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Keys(_own(folder / "seal.key"), _own(folder / "sign.key"))


def _own(path: Path) -> bytes:
    try:
        if not path.exists():
            _made(path)
        found, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    if len(found) != _LENGTH:
        raise Refused(f"{path}: is not a key of {_LENGTH} bytes")
    if mode & 0o077:
        raise Refused(f"{path}: others can read it; chmod 600 it")
    return found


def _made(path: Path) -> None:
    """The key under its name whole or not at all, whatever dies meanwhile; of two makers the first one's stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_LENGTH))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def public_text(keys: Keys) -> str:
    """The public key as PEM, for whoever checks our record."""
    return keys.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

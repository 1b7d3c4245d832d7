"""What a witness keeps: its key, and for each log the last checkpoint it signed. Files, each whole or not there at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from isthmus.model.errors import Refused, Untrusted
from isthmus.record.checkpoints import Checkpoint
from isthmus.record.cosignatures import WitnessKey, body_of, parts
from isthmus.record.files import write_whole

_KEY_BYTES = 32
_ASIDE = re.compile(r"[0-9A-Za-z:+.-]{1,40}", re.ASCII)


class Memory:
    """The folder of one witness. Only one process opens it at a time."""

    def __init__(self, folder: Path, name: str, private: Ed25519PrivateKey) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.name = name
        self.private = private

    @property
    def key(self) -> WitnessKey:
        """What others know this witness by."""
        return WitnessKey(self.name, self.private.public_key().public_bytes_raw())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Between looking at what was signed last and keeping what is signed now nobody else comes in."""
        with self._lock:
            yield

    def last(self, origin: str) -> Checkpoint | None:
        """What this witness signed last of a log; None when it never did. Raises `Refused` when that cannot be read."""
        note = self.note(origin)
        if note is None:
            return None
        try:
            told = body_of(parts(note)[0])
        except Untrusted as error:
            raise Refused(f"{self._of(origin)}: what was signed last is not readable: {error.reason}") from None
        if told.origin != origin:
            raise Refused(f"{self._of(origin)}: is of another log")
        return told

    def note(self, origin: str) -> str | None:
        """The same, whole, with the log's signature and ours."""
        try:
            return self._of(origin).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise Refused(f"{self._of(origin)}: what was signed last cannot be read") from None

    def keep(self, origin: str, note: str) -> None:
        """From now on this is what was signed last; on the disk before this returns. Raises `Refused` when it cannot be."""
        try:
            write_whole(self._of(origin), note.encode())
        except OSError as error:
            raise Refused(f"{self._of(origin)}: {error.strerror}") from None

    def forget(self, origin: str, aside: str) -> Path:
        """Begin anew with a log: what was signed last is set aside under this name. Raises `Refused` when there is nothing."""
        if not _ASIDE.fullmatch(aside):
            raise Untrusted("must be letters, digits, colons and dashes", "name")
        old = self._of(origin)
        new = old.with_name(f"{old.name}.before-{aside}")
        try:
            old.rename(new)
        except OSError:
            raise Refused(f"this witness never signed anything of {origin}") from None
        return new

    def _of(self, origin: str) -> Path:
        return self._folder / "logs" / origin_hash(origin)


def origin_hash(origin: str) -> str:
    """SHA-256 of a log's origin in hex: its name in paths."""
    return hashlib.sha256(origin.encode()).hexdigest()


@contextmanager
def opened(folder: Path, name: str = "") -> Iterator[Memory]:
    """The memory in this folder; key and name are made on first use, for which a name must be given.

    Raises `Refused` when another process has it open, when its key is not what it must be, or when it has another name.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"another witness is already running on {folder}") from None
        yield _loaded(folder, name)
    finally:
        os.close(descriptor)


def read_key(folder: Path) -> WitnessKey:
    """The public key of a witness that was begun, also while it runs. Raises `Refused` when there is none."""
    if not (folder / "name").exists():
        raise Refused(f"{folder}: there is no witness here yet")
    return _loaded(folder, "").key


def _loaded(folder: Path, name: str) -> Memory:
    try:
        if not (folder / "name").exists():
            _begun(folder, name)
        own = (folder / "name").read_text(encoding="utf-8").strip()
        path = folder / "witness.key"
        key, mode = path.read_bytes(), path.stat().st_mode
    except (OSError, UnicodeDecodeError):
        raise Refused(f"{folder}: name and key of the witness cannot be read") from None
    if len(key) != _KEY_BYTES or mode & 0o077:
        raise Refused(f"{path}: must be {_KEY_BYTES} bytes that nobody else can read")
    if name and name != own:
        raise Refused(f"{folder}: this witness is called {own}")
    return Memory(folder, own, Ed25519PrivateKey.from_private_bytes(key))


def _begun(folder: Path, name: str) -> None:
    """The key first: a witness that has a name has a key."""
    WitnessKey(name, bytes(_KEY_BYTES))
    write_whole(folder / "witness.key", secrets.token_bytes(_KEY_BYTES), mode=0o600)
    write_whole(folder / "name", f"{name}\n".encode())

"""The record's lines in a file that somebody's shipper follows: each at least once, whatever dies meanwhile.

Lines are on the disk before the cursor beside the file moves on. A kill between the two repeats lines, never loses any.
"""

from __future__ import annotations

import os
from pathlib import Path

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record.checkpoints import Key
from isthmus.record.export import Form, batches
from isthmus.record.files import write_whole
from isthmus.record.store import Store

_LONGEST_LINE = 1 << 20


class Shipping:
    """One file and its cursor, `FILE.cursor`: how many entries of the log are in it."""

    def __init__(self, path: Path, form: Form) -> None:
        self._path = path
        self._form = form
        self._cursor = path.with_name(f"{path.name}.cursor")

    def ship(self, store: Store, key: Key) -> int:
        """Add what is new below the newest checkpoint; how many entries. Raises `Unreachable` when the disk fails us."""
        try:
            start = since = self._since()
            with store.reading() as connection:
                for batch in batches(connection, key, since, self._form):
                    self._append(batch.lines)
                    write_whole(self._cursor, f"{batch.next}\n".encode())
                    since = batch.next
        except OSError as error:
            raise Unreachable(f"export {self._path}: {error.strerror}") from None
        return since - start

    def _since(self) -> int:
        try:
            text = self._cursor.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        except UnicodeDecodeError:
            text = ""
        if not text.isdigit():
            raise Untrusted("is no cursor; with it deleted everything is exported again", str(self._cursor))
        return int(text)

    def _append(self, lines: bytes) -> None:
        """After the last whole line: half of one, from a kill in mid-write, was never read by anybody."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
        with os.fdopen(descriptor, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            start = file.seek(max(0, end - _LONGEST_LINE))
            tail = file.read()
            file.truncate(start + tail.rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

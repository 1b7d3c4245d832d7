"""Files, folders, gzip and standard input become deliveries."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from isthmus.model.deliveries import Origin
from isthmus.model.outside import printable
from isthmus.pipeline import Intake

UNPACKED_LIMIT = 4 << 30
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Export:
    """A file to read; `path` None is standard input."""

    name: str
    path: Path | None


class _Bounded(io.RawIOBase):
    """A stream that refuses to unpack without end."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._left = UNPACKED_LIMIT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        found = self._inner.read(len(view))
        self._left -= len(found)
        if self._left < 0:
            raise OSError(f"unpacks to more than {UNPACKED_LIMIT >> 30} GiB")
        view[: len(found)] = found
        return len(found)


def exports(paths: Iterable[str]) -> Iterator[Export]:
    """Every file behind these paths, folders in the order of their names; `-` is standard input.

    A link to a folder is not followed; it is handed on, so that it is rejected where a person can see it.
    """
    for given in paths:
        path = Path(given)
        if given == "-":
            yield Export("<stdin>", None)
        elif path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() or inner.is_symlink():
                    yield Export(printable(str(inner)), inner)
        else:
            yield Export(printable(given), path)


def take(intake: Intake, export: Export, origin: Origin) -> None:
    """Read one export into the intake; what cannot be opened or unpacked is a rejection, not an error."""
    try:
        if export.path is None:
            _take(intake, export.name, sys.stdin.buffer, origin)
        else:
            with export.path.open("rb") as file:
                _take(intake, export.name, file, origin)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        intake.reject(export.name, f"cannot be read: {reason}")


def _take(intake: Intake, name: str, stream: BinaryIO, origin: Origin) -> None:
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))
    if buffered.peek(2)[:2] == _GZIP:
        unpacked = _Bounded(cast(BinaryIO, gzip.GzipFile(fileobj=buffered)))
        intake.take(name, cast(BinaryIO, io.BufferedReader(unpacked)), origin)
    else:
        intake.take(name, buffered, origin)

"""Bytes become records, strictly: nothing is guessed, repaired or dropped without a rejection that says where.

JSON documents, arrays, NDJSON and concatenated JSON are read value by value, so one bad record costs one record.
Duplicate keys and NaN, which Python's parser would swallow, spoil the record they stand in.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from isthmus.contracts.roles import CsvExport
from isthmus.model.errors import Untrusted
from isthmus.model.outside import printable

DOCUMENT_LIMIT = 1 << 30
LINE_LIMIT = 32 << 20
_PEEK = 1 << 20
_TAKE = "CSVs that are read: {known}. Else take the JSON export; `isthmus connectors describe VENDOR` says which"
_BLANK = " \t\r\n\ufeff"
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive (an Excel workbook?)",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"SQLite format": "a database",
    b"PAR1": "a Parquet file",
}


class Flawed(dict[str, Any]):
    """An object that parsed but must not be read, and why."""

    flaw = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One value and where it stood. `flawed` says that something inside it must not be read."""

    value: Any
    position: str
    flawed: bool = False


class _Strict:
    """A JSON decoder that marks what the standard parser would let pass."""

    def __init__(self) -> None:
        self.flawed = False
        self._decode = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant).raw_decode

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        return self._spoil(made, f"duplicate key {printable(twice)[:80]!r}")

    def _constant(self, name: str) -> Flawed:
        return self._spoil({}, f"{name} is not JSON")

    def _spoil(self, content: dict[str, Any], flaw: str) -> Flawed:
        self.flawed = True
        spoiled = Flawed(content)
        spoiled.flaw = flaw
        return spoiled

    def value(self, text: str, start: int) -> tuple[Any, int, bool]:
        """The value at `start`, where it ends, and whether it is flawed. Raises `Untrusted` when it is no JSON."""
        self.flawed = False
        try:
            value, end = self._decode(text, start)
        except json.JSONDecodeError as error:
            cut = error.pos >= len(text.rstrip(_BLANK)) or error.msg.startswith("Unterminated string")
            said = "cut off: it ends in the middle (an unfinished export?)" if cut else f"not JSON: {error.msg}"
            raise Untrusted(said, _place(text, error.pos)) from None
        except RecursionError:
            raise Untrusted("nested too deep to be an alert", _place(text, start)) from None
        except ValueError:
            raise Untrusted("a number with too many digits", _place(text, start)) from None
        return value, end, self.flawed


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} column {position - text.rfind(chr(10), 0, position)}"


def records(stream: BinaryIO, exports: Sequence[CsvExport]) -> Iterator[Parsed | Untrusted]:
    """Every record of one file, and an `Untrusted` with its place for everything that is none."""
    head = stream.read(_PEEK)
    if not head.strip():
        yield Untrusted("empty: there is nothing in it")
        return
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            yield Untrusted(f"{what}, not an export we read; export as JSON")
            return
    if _is_lines(head):
        yield from _lines(head, stream)
        return
    rest = stream.read(DOCUMENT_LIMIT)
    if len(rest) == DOCUMENT_LIMIT:
        yield Untrusted(f"a single document over {DOCUMENT_LIMIT >> 20} MiB; export as NDJSON, which has no limit")
        return
    try:
        text = _decoded(head + rest)
    except Untrusted as error:
        yield error
        return
    yield from _document(text, exports)


def _decoded(body: bytes) -> str:
    wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return body.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\x00" in body[:1024]:
            raise Untrusted("binary, not text") from None
        raise Untrusted(f"not UTF-8: byte 0x{body[error.start]:02x}", f"offset {error.start}") from None


def _is_lines(head: bytes) -> bool:
    """NDJSON: the first line is an object by itself, or the second line starts a new one at its margin."""
    lines = [line for line in head.removeprefix(codecs.BOM_UTF8).split(b"\n", 4)[:4] if line.strip()]
    if not lines or not lines[0].lstrip().startswith(b"{") or (len(lines) == 1 and b"\n" not in head):
        return False
    if len(lines) > 1 and lines[1].startswith(b"{"):
        return True
    return len(lines) == 1 or lines[0].rstrip().endswith(b"}")


def _lines(head: bytes, stream: BinaryIO) -> Iterator[Parsed | Untrusted]:
    strict = _Strict()
    for number, line in enumerate(_split(head.removeprefix(codecs.BOM_UTF8), stream), start=1):
        if line is None:
            yield Untrusted(f"a record over {LINE_LIMIT >> 20} MiB", f"line {number}")
            continue
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8").strip(_BLANK)
            value, end, flawed = strict.value(text, 0)
            if end != len(text):
                raise Untrusted("more than one value on the line", f"column {end + 1}")
            yield Parsed(value, f"line {number}", flawed)
        except UnicodeDecodeError as error:
            yield Untrusted(f"not UTF-8: byte 0x{line[error.start]:02x}", f"line {number} column {error.start + 1}")
        except Untrusted as error:
            yield Untrusted(error.reason, f"line {number} {error.place.removeprefix('line 1 ')}")


def _split(head: bytes, stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines of the stream; None for one that is too long to hold."""
    waiting = head
    while True:
        *whole, waiting = waiting.split(b"\n")
        yield from whole
        more = stream.read(_PEEK)
        if not more:
            break
        if len(waiting) > LINE_LIMIT:
            yield None
            while more and b"\n" not in more:
                more = stream.read(_PEEK)
            waiting = more.partition(b"\n")[2]
            continue
        waiting += more
    yield waiting if len(waiting) <= LINE_LIMIT else None


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start] in _BLANK:
        start += 1
    return start


def _document(text: str, exports: Sequence[CsvExport]) -> Iterator[Parsed | Untrusted]:
    start = _skip(text, 0)
    first = text[start : start + 1]
    if first not in ("{", "["):
        yield from _csv_or_refusal(text[start:], exports)
        return
    strict, number = _Strict(), 0
    while start < len(text):
        number += 1
        try:
            if text[start] == "[":
                start = yield from _array(strict, text, start)
            else:
                value, start, flawed = strict.value(text, start)
                yield Parsed(value, f"document {number}", flawed)
        except Untrusted as error:
            yield error
            return
        start = _skip(text, start)


def _array(strict: _Strict, text: str, start: int) -> Generator[Parsed | Untrusted, None, int]:
    """The elements of an array, one by one; returns where it ends."""
    start, position = _skip(text, start + 1), 0
    if text[start : start + 1] == "]":
        return start + 1
    while True:
        value, start, flawed = strict.value(text, start)
        yield Parsed(value, f"[{position}]", flawed)
        position, start = position + 1, _skip(text, start)
        if text[start : start + 1] == "]":
            return start + 1
        if text[start : start + 1] != ",":
            raise Untrusted("cut off in the middle of a list" if start >= len(text) else "expected , or ]", _place(text, start))
        start = _skip(text, start + 1)


def _csv_or_refusal(text: str, exports: Sequence[CsvExport]) -> Iterator[Parsed | Untrusted]:
    if text.startswith("<"):
        yield Untrusted("an HTML or XML page (a sign-in page saved instead of the export?)", "line 1")
        return
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    if header.count(delimiter) < 2 or len(header) > 20_000:
        yield Untrusted(f"neither JSON nor a CSV export: it starts with {printable(text[:24])!r}", "line 1")
        return
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        columns = [printable(name.strip()) for name in next(reader)]
    except csv.Error as error:
        yield Untrusted(f"neither JSON nor CSV: {error}", "line 1")
        return
    if not any(export.columns <= set(columns) for export in exports):
        known = ", ".join(export.title for export in exports)
        yield Untrusted(
            f"a CSV with a header we do not know ({', '.join(columns[:4])}, ...). {_TAKE.format(known=known)}", "line 1"
        )
        return
    yield from _rows(reader, columns)


def _rows(reader: Any, columns: list[str]) -> Iterator[Parsed | Untrusted]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Untrusted(f"not CSV: {error}", f"line {reader.line_num}")
            return
        if not row:
            continue
        if len(row) != len(columns):
            yield Untrusted(f"{len(row)} columns where the header has {len(columns)}", f"line {reader.line_num}")
            continue
        yield Parsed(dict(zip(columns, row, strict=True)), f"line {reader.line_num}")

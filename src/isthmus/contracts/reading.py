"""Typed access to a vendor's record by path.

A missing or null field is empty; a field of the wrong type is `Untrusted` naming its path, so a drifted payload is
rejected where a person can see it and never half-read. Every text that leaves here is one printable line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from isthmus.model.errors import Untrusted
from isthmus.model.findings import Control, Finding
from isthmus.model.outside import Outside, printable

Record = Mapping[str, Any]

_YEARS = range(1990, 2100)
_EPOCH_MS = 100_000_000_000
_DATE_WORDS = (
    "%d %b %Y %H:%M %Z",
    "%b %d %Y",
    "%d %b %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%m/%d/%Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S %Z",
)
_TECHNIQUE = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,7}\b", re.IGNORECASE)


def _wrong(path: tuple[str, ...], expected: str, value: object) -> Untrusted:
    found = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return Untrusted(f"expected {expected}, got {found.get(type(value), type(value).__name__)}", ".".join(path))


def value_at(record: Record, *path: str) -> Any:
    """Whatever lies at the path, or None. Walking through something that is no object is `Untrusted`."""
    value: Any = record
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif value is None:
            return None
        else:
            raise _wrong(path[: path.index(key)], "an object", value)
    return value


def text(record: Record, *path: str) -> str:
    """The text (or number, as text) at the path; empty when missing."""
    # Most paths are one key of a plain object: the hottest line of all reading.
    value = record.get(path[0]) if len(path) == 1 else value_at(record, *path)
    if type(value) is str:
        return value if value.isprintable() else printable(value)
    if value is None:
        return ""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (int, float):
        return str(value)
    raise _wrong(path, "text", value)


def first_text(record: Record, *paths: str) -> str:
    """The first non-empty text among dotted paths."""
    for path in paths:
        found = text(record, *path.split("."))
        if found:
            return found
    return ""


def number(record: Record, *path: str) -> float | None:
    """The finite number (or numeric text) at the path; None when missing or empty."""
    value = value_at(record, *path)
    if value is None or value == "":
        return None
    if type(value) in (int, float, str):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            raise _wrong(path, "a number", value) from None
        if math.isfinite(found):
            return found
    raise _wrong(path, "a number", value)


def flag(record: Record, *path: str) -> bool | None:
    """True or false (or a vendor's word for it) at the path; None when missing."""
    value = value_at(record, *path)
    if value is None or value == "":
        return None
    if type(value) is bool:
        return value
    if type(value) is int and value in (0, 1):
        return bool(value)
    if type(value) is str:
        known = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
        if value.lower() in known:
            return known[value.lower()]
    raise _wrong(path, "true or false", value)


def section(record: Record, *path: str) -> dict[str, Any]:
    """The object at the path; empty when missing."""
    value = value_at(record, *path)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def items(record: Record, *path: str) -> list[dict[str, Any]]:
    """The list of objects at the path; empty when missing."""
    value = value_at(record, *path)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(path, "a list", value)
    for position, item in enumerate(value):
        if not isinstance(item, dict):
            raise _wrong((*path, f"[{position}]"), "an object", item)
    return value


def words(record: Record, *path: str) -> tuple[str, ...]:
    """The list of texts at the path; a single text counts as a list of one."""
    value = value_at(record, *path)
    if value is None or value == "":
        return ()
    if type(value) is str:
        return (printable(value),)
    if not isinstance(value, list):
        raise _wrong(path, "a list of texts", value)
    for position, item in enumerate(value):
        if type(item) not in (str, int, float):
            raise _wrong((*path, f"[{position}]"), "text", item)
    return tuple(printable(str(item)) for item in value)


def when(record: Record, *path: str) -> datetime | None:
    """The moment at the path, UTC: ISO 8601 with any separator and precision, epoch seconds or milliseconds, or a
    vendor's written date. A time without a zone is UTC. None when missing or a zero time (year 1).
    """
    value = value_at(record, *path)
    if value is None or value == "":
        return None
    if type(value) in (int, float):
        return _from_epoch(value, path)
    if type(value) is not str:
        raise _wrong(path, "a time", value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _written(value, path)
    if moment.year not in _YEARS:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def first_when(record: Record, *paths: str) -> datetime | None:
    """The first moment present among dotted paths."""
    for path in paths:
        found = when(record, *path.split("."))
        if found is not None:
            return found
    return None


def _from_epoch(value: float, path: tuple[str, ...]) -> datetime | None:
    try:
        if value <= 0:
            return None
        moment = datetime.fromtimestamp(value / 1000 if value >= _EPOCH_MS else value, UTC)
    except (OverflowError, OSError, ValueError):
        raise Untrusted("a number that is no time", ".".join(path)) from None
    return moment if moment.year in _YEARS else None


def _written(value: str, path: tuple[str, ...]) -> datetime | None:
    stripped = value.strip().removesuffix(" UTC")
    if stripped.replace(".", "", 1).isdigit() and len(stripped) < 20:
        return _from_epoch(float(stripped), path)
    for pattern in _DATE_WORDS:
        try:
            moment = datetime.strptime(stripped, pattern)  # noqa: DTZ007 - the zone is set below
        except ValueError:
            continue
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    try:
        return datetime.fromisoformat(stripped).replace(tzinfo=UTC)
    except ValueError:
        raise Untrusted(f"{printable(value[:60])!r} is not a time", ".".join(path)) from None


def needed(value: str, *path: str) -> str:
    """The value, or `Untrusted` when it is empty: an alert without it has no identity."""
    if not value:
        raise Untrusted("missing", ".".join(path))
    return value


def techniques(*texts: str) -> tuple[str, ...]:
    """ATT&CK technique ids named in these texts, each once, sorted."""
    return tuple(sorted({found for given in texts for found in _TECHNIQUE.findall(given)}))


def cves(*texts: str) -> tuple[str, ...]:
    """CVE ids named in these texts, each once, upper case, sorted."""
    return tuple(sorted({found.upper() for given in texts for found in _CVE.findall(given)}))


def controls(pairs: Iterable[tuple[str, str]]) -> tuple[Control, ...]:
    """Compliance requirements, each once, in a stable order."""
    return tuple(Control(framework, requirement) for framework, requirement in sorted(set(pairs)) if framework)


def by_name(tags: Iterable[tuple[str, Outside]]) -> tuple[tuple[str, Outside], ...]:
    """Tags in a stable order; a name written twice keeps both values."""
    return tuple(sorted(tags, key=lambda tag: (tag[0], str(tag[1]))))


def each(
    parts: Iterable[dict[str, Any]], name: str, read: Callable[[dict[str, Any]], Finding]
) -> Iterator[Finding | Untrusted]:
    """One claim per part of a record; a part that cannot be read is rejected by its position, the rest goes on."""
    for position, part in enumerate(parts):
        try:
            yield read(part)
        except Untrusted as error:
            yield Untrusted(str(error), f"{name}[{position}]")

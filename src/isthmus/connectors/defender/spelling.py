"""Microsoft writes the same fields in camel case (REST) and in Pascal case (Event Hub, Logic Apps, Sentinel).

These accessors take the camel-case name and read whichever of the two is there.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from isthmus.contracts.reading import Record, flag, items, number, section, text, when
from isthmus.model.errors import Untrusted


def _key(row: Record, name: str) -> str:
    return name if name in row else name[:1].upper() + name[1:]


def said(row: Record, *names: str) -> str:
    """The first non-empty text among these fields. A plain text is taken at once: an alert is asked some fifty times."""
    for name in names:
        key = name if name in row else name[:1].upper() + name[1:]
        value = row.get(key)
        if value is None:
            continue
        found = value if type(value) is str and value.isprintable() else text(row, key)
        if found:
            return found
    return ""


def said_when(row: Record, *names: str) -> datetime | None:
    for name in names:
        key = _key(row, name)
        found = when(row, key) if key in row else None
        if found is not None:
            return found
    return None


def said_flag(row: Record, name: str) -> bool:
    return flag(row, _key(row, name)) is True


def said_number(row: Record, name: str) -> float | None:
    return number(row, _key(row, name))


def part(row: Record, *names: str) -> Record:
    """The object at this path; empty when missing."""
    for name in names:
        key = _key(row, name)
        row = section(row, key) if key in row else {}
    return row


def unfolded(row: Record, name: str) -> Any:
    """The value of a field that is an object or list in one form, and JSON in a text in another (Sentinel)."""
    key = _key(row, name)
    value = row.get(key)
    if not isinstance(value, str) or not value:
        return value or None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Untrusted("is no JSON", key) from None


def rows(row: Record, name: str) -> list[dict[str, Any]]:
    """The list of objects in a field, unfolded; empty when missing."""
    value = unfolded(row, name)
    return items({name: value}, name) if value is not None else []

"""How far each stream of each pulled instance has been read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from isthmus.record.schema import CURSORS
from isthmus.record.store import moment_of, text_of

Place = tuple[str, str, str, str]
"""Tenant, source, instance and stream."""
_PLACE = ("tenant", "source", "instance", "stream")


def _where(place: Place) -> list[ColumnElement[bool]]:
    return [CURSORS.c[name] == value for name, value in zip(_PLACE, place, strict=True)]


def read(connection: Connection, place: Place) -> tuple[str, datetime | None]:
    """The cursor (empty at first) and when the stream is to be asked again."""
    row = connection.execute(select(CURSORS.c.cursor, CURSORS.c.next_at).where(*_where(place))).first()
    return ("", None) if row is None else (row.cursor, moment_of(row.next_at))


def advance(connection: Connection, place: Place, cursor: str, now: datetime, again: datetime) -> None:
    """The page up to this cursor is kept in the same transaction."""
    _put(connection, place, {"cursor": cursor, "at": text_of(now), "next_at": text_of(again), "trouble": ""})


def trouble(connection: Connection, place: Place, cursor: str, said: str, again: datetime) -> None:
    """The platform did not answer; nothing moved."""
    _put(connection, place, {"cursor": cursor, "next_at": text_of(again), "trouble": said})


def _put(connection: Connection, place: Place, values: dict[str, Any]) -> None:
    if connection.execute(update(CURSORS).where(*_where(place)).values(**values)).rowcount == 0:
        own = dict(zip(_PLACE, place, strict=True))
        connection.execute(insert(CURSORS).values(**{"at": "", **own, **values}))


def next_pull(connection: Connection, places: Iterable[Place]) -> str:
    """When the next of these streams is to be asked; empty for none, and for one nobody asked yet."""
    rows = connection.execute(select(*(CURSORS.c[name] for name in _PLACE), CURSORS.c.next_at))
    times = {tuple(row[:-1]): str(row.next_at) for row in rows}
    return min((times.get(place, "") for place in places), default="")

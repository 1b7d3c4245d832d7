"""What was answered to writes that carried an Idempotency-Key, so that a repeated request is not done twice.

A key is taken before the write begins. A process that dies in between leaves the key taken and the answer unknown: the
write is never done twice, and whoever asks again is told that nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from isthmus.record.schema import ANSWERS
from isthmus.record.store import text_of

KEPT = timedelta(days=1)
_UNKNOWN = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Whose key it is: the same words of somebody else are another key."""

    tenant: str
    person: str
    key: str

    def columns(self) -> dict[str, str]:
        """The row's primary key."""
        return {"tenant": self.tenant, "person": self.person, "key": self.key}

    def where(self) -> list[ColumnElement[bool]]:
        """The row."""
        return [ANSWERS.c[name] == value for name, value in self.columns().items()]


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands under a key. `request` is the SHA-256 of the request it came with; `known` is false for a write that
    was begun and of which no answer was kept.
    """

    request: bytes
    status: int
    body: bytes

    @property
    def known(self) -> bool:
        return self.status != _UNKNOWN


def take(connection: Connection, place: Place, request: bytes, at: datetime) -> Answer | None:
    """Take this key for this request: None, or what already stands under it. Keys older than `KEPT` are forgotten."""
    connection.execute(delete(ANSWERS).where(ANSWERS.c.at < text_of(at - KEPT)))
    row = connection.execute(select(ANSWERS).where(*place.where())).first()
    if row is not None:
        return Answer(row.request, row.status, row.body)
    values = {**place.columns(), "request": request, "status": _UNKNOWN, "body": b"", "at": text_of(at)}
    connection.execute(insert(ANSWERS).values(**values))
    return None


def keep(connection: Connection, place: Place, status: int, body: bytes) -> None:
    """The answer, to be repeated to whoever asks the same under this key."""
    connection.execute(update(ANSWERS).where(*place.where()).values(status=status, body=body))


def give_back(connection: Connection, place: Place) -> None:
    """Nothing was done: the key may be used again."""
    connection.execute(delete(ANSWERS).where(*place.where(), ANSWERS.c.status == _UNKNOWN))

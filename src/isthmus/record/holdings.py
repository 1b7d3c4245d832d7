"""What incidents hold, for folding new findings: read for those a batch can touch, never for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from isthmus.model.incidents import STORY
from isthmus.record.incidents import TAMPERED
from isthmus.record.links import chunks
from isthmus.record.schema import INCIDENTS
from isthmus.record.store import moment_of, text_of

_MEMBERS = msgspec.json.Decoder(tuple[tuple[str, str], ...])


class _Body(msgspec.Struct):
    scope: str


_BODY = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Holding:
    """A row of an incident, unchecked: what it says is checked by its seal before anything of it is changed.

    `shown` are the keys of its members; a fold has `number` findings in all. `gone` is where it went when it was merged,
    or why it is not used any more.
    """

    id: str
    scope: str
    shown: frozenset[str]
    number: int
    gone: str
    tampered: bool
    state: str
    title: str
    opened_at: str
    changed_at: datetime | None

    @property
    def fold(self) -> bool:
        """Whether it may have more findings than are shown."""
        return self.scope != STORY


def of(connection: Connection, tenant: str, names: Iterable[str]) -> dict[str, Holding]:
    """Those of these incidents that are on record."""
    wanted = ("id", "body", "members", "number", "merged_into", "state", "title", "opened_at", "changed_at")
    columns = [INCIDENTS.c[name] for name in wanted]
    found: dict[str, Holding] = {}
    for some in chunks(names):
        for row in connection.execute(select(*columns).where(INCIDENTS.c.tenant == tenant, INCIDENTS.c.id.in_(some))):
            found[row.id] = _holding(row)
    return found


def _holding(row: Any) -> Holding:
    """One that was set aside keeps its name and holds nothing: what it had goes to an incident of its own."""
    tampered = row.state == TAMPERED
    try:
        scope, shown = _BODY.decode(row.body).scope, frozenset(key for key, _ in _MEMBERS.decode(row.members))
    except msgspec.DecodeError:
        # Its seal will not fit either; until somebody loads it, it is taken for what is asked about most.
        scope, shown = STORY, frozenset()
    return Holding(
        id=row.id,
        scope=scope,
        shown=frozenset() if tampered else shown,
        number=row.number,
        gone=f"({TAMPERED})" if tampered else row.merged_into,
        tampered=tampered,
        state=row.state,
        title=row.title,
        opened_at=row.opened_at,
        changed_at=moment_of(row.changed_at),
    )


def exists(connection: Connection, tenant: str, name: str) -> bool:
    """Whether an incident has this name."""
    row = select(INCIDENTS.c.id).where(INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == name)
    return connection.execute(row).first() is not None


def counted(connection: Connection, tenant: str, name: str, number: int, title: str | None, at: datetime) -> None:
    """A fold has so many findings now. What it is made of is in the rows of its findings, so this is no new revision."""
    values = {"number": number, **({} if title is None else {"title": title, "changed_at": text_of(at)})}
    connection.execute(update(INCIDENTS).where(INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == name).values(**values))


def numbered(connection: Connection, tenant: str, numbers: Mapping[str, int]) -> None:
    """As `counted`, of many, where nothing is shown otherwise."""
    for name, number in sorted(numbers.items()):
        place = INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == name
        connection.execute(update(INCIDENTS).where(*place).values(number=number))

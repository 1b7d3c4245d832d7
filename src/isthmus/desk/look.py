"""One look at how things stand, for promises and metrics: a fixed number of questions, each with a bounded answer.

Whatever is stored, a look reads at most the inbox (which has a limit of its own), `MOST` rows of each state of each
tenant, and a day of effects. Numbers that reach `MOST` mean "at least so many".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, Table, func, literal, select, union_all

from isthmus.model.disposition import State
from isthmus.record.cursors import Place
from isthmus.record.findings import WANTED
from isthmus.record.incidents import TAMPERED
from isthmus.record.ledger import CHECKPOINTS, ENTRIES, HEAD
from isthmus.record.schema import COUNTS, CURSORS, EFFECTS, FINDINGS, INBOX, INCIDENTS
from isthmus.record.store import Store, moment_of, text_of

MOST = 10_000
STATES = (*(one.value for one in State), TAMPERED)
_MOST_STREAMS = 1_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and since when the oldest of them has."""

    number: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """An incident that has waited since then."""

    tenant: str
    id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Pull:
    """How far a stream was pulled: when last, when again, and what is wrong with it."""

    place: Place
    at: datetime | None
    again: datetime | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Signed:
    """The record: its entries, how many of them stand below a signed checkpoint, and when the first that does not and
    the newest were written.
    """

    size: int
    covered: int
    uncovered_since: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """How things stood at that moment.

    `inbox` is by tenant and instance, `counts` by tenant, source and instance, `states` by tenant and state, `approvals`
    by tenant, `effects` by ability and state over the last day. `undecided` is the incident that has been without a
    disposition the longest, `overdue` the one that should have gone on the longest ago.
    """

    at: datetime
    inbox: Mapping[tuple[str, str], Waiting]
    counts: Mapping[tuple[str, str, str], Mapping[str, int]]
    states: Mapping[tuple[str, str], int]
    undecided: Held | None
    overdue: Held | None
    approvals: Mapping[str, Waiting]
    pulls: tuple[Pull, ...]
    refetch: Waiting
    effects: Mapping[tuple[str, str], int]
    signed: Signed

    @property
    def depth(self) -> int:
        """How many deliveries wait to be read."""
        return sum(one.number for one in self.inbox.values())

    @property
    def oldest_unread(self) -> datetime | None:
        """Since when the oldest of them has."""
        return min((one.oldest for one in self.inbox.values() if one.oldest is not None), default=None)


def look(store: Store, tenants: Iterable[str], now: datetime) -> Look:
    """How things stand. Raises `IsthmusError` when the database cannot be asked."""
    with store.reading() as connection:
        counts = _counts(connection)
        named = sorted({*tenants, *(tenant for tenant, _, _ in counts)})
        return Look(
            at=now,
            inbox=_inbox(connection),
            counts=counts,
            states={key: number for tenant in named for key, number in _states(connection, tenant)},
            undecided=_oldest(connection, "changed_at", INCIDENTS.c.state == State.NEW.value),
            overdue=_oldest(connection, "wake_at", INCIDENTS.c.wake_at > ""),
            approvals=_approvals(connection),
            pulls=_pulls(connection),
            refetch=_refetch(connection),
            effects=_effects(connection, now),
            signed=_signed(connection),
        )


def _inbox(connection: Connection) -> dict[tuple[str, str], Waiting]:
    place = INBOX.c.tenant, INBOX.c.instance
    rows = connection.execute(select(*place, func.count(), func.min(INBOX.c.at)).group_by(*place))
    return {(row[0], row[1]): Waiting(row[2], moment_of(row[3])) for row in rows}


def _counts(connection: Connection) -> dict[tuple[str, str, str], Mapping[str, int]]:
    named = {column.name for column in COUNTS.c} - {"tenant", "source", "instance"}
    rows = connection.execute(select(COUNTS)).mappings()
    return {(row["tenant"], row["source"], row["instance"]): {name: int(row[name]) for name in named} for row in rows}


def _some(table: Table, *wanted: ColumnElement[bool]) -> Subquery:
    return select(literal(1)).select_from(table).where(*wanted).limit(MOST).subquery()


def _states(connection: Connection, tenant: str) -> list[tuple[tuple[str, str], int]]:
    """One question for a tenant, whatever the number of its incidents."""
    each = [
        select(literal(state), func.count()).select_from(
            _some(INCIDENTS, INCIDENTS.c.tenant == tenant, INCIDENTS.c.state == state)
        )
        for state in STATES
    ]
    return [((tenant, row[0]), row[1]) for row in connection.execute(union_all(*each))]


def _oldest(connection: Connection, column: str, wanted: ColumnElement[bool]) -> Held | None:
    since = INCIDENTS.c[column]
    row = connection.execute(select(INCIDENTS.c.tenant, INCIDENTS.c.id, since).where(wanted).order_by(since).limit(1)).first()
    return None if row is None else Held(row[0], row[1], datetime.fromisoformat(row[2]))


def _approvals(connection: Connection) -> dict[str, Waiting]:
    asked = INCIDENTS.c.state == State.APPROVAL.value
    some = (
        select(INCIDENTS.c.tenant, INCIDENTS.c.changed_at).where(asked).order_by(INCIDENTS.c.changed_at).limit(MOST).subquery()
    )
    rows = connection.execute(select(some.c.tenant, func.count(), func.min(some.c.changed_at)).group_by(some.c.tenant))
    return {row[0]: Waiting(row[1], moment_of(row[2])) for row in rows}


def _pulls(connection: Connection) -> tuple[Pull, ...]:
    rows = connection.execute(select(CURSORS).limit(_MOST_STREAMS)).mappings()
    return tuple(
        Pull(
            (row["tenant"], row["source"], row["instance"], row["stream"]),
            *(moment_of(row["at"]), moment_of(row["next_at"]), row["trouble"]),
        )
        for row in rows
    )


def _refetch(connection: Connection) -> Waiting:
    some = (
        select(FINDINGS.c.refetch_at).where(FINDINGS.c.refetch == WANTED).order_by(FINDINGS.c.refetch_at).limit(MOST).subquery()
    )
    row = connection.execute(select(func.count(), func.min(some.c.refetch_at))).one()
    return Waiting(row[0], moment_of(row[1] or ""))


def _effects(connection: Connection, now: datetime) -> dict[tuple[str, str], int]:
    recent = select(EFFECTS.c.ability, EFFECTS.c.state).where(EFFECTS.c.at > text_of(now - _DAY)).limit(10 * MOST).subquery()
    rows = connection.execute(select(recent.c.ability, recent.c.state, func.count()).group_by(recent.c.ability, recent.c.state))
    return {(row[0], row[1]): row[2] for row in rows}


def _signed(connection: Connection) -> Signed:
    size = connection.execute(select(HEAD.c.size)).scalar() or 0
    covered = connection.execute(select(func.max(CHECKPOINTS.c.size))).scalar() or 0
    wanted = [covered, size - 1]
    rows = connection.execute(select(ENTRIES.c.idx, ENTRIES.c.leaf).where(ENTRIES.c.idx.in_(wanted)))
    at = {row.idx: datetime.fromisoformat(_leaf(row.leaf)["at"]) for row in rows}
    return Signed(size, covered, at.get(covered), at.get(size - 1))


def _leaf(leaf: bytes) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(leaf)
    return read

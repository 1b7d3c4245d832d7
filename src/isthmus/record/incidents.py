"""Incidents on record: sealed, versioned, and with their effects, all saved in one transaction with their entry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, insert, or_, select, update
from sqlalchemy.engine import Row

from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.findings import Finding
from isthmus.model.incidents import SCHEMA_VERSION, Incident, Member
from isthmus.record import findings, leases, ledger
from isthmus.record.codec import body_of, encode, incident_from
from isthmus.record.keys import Keys
from isthmus.record.schema import INCIDENTS
from isthmus.record.store import text_of

NEW = 0
TAMPERED = "tampered"
MOST_URGENT = 3
_MEMBERS = msgspec.json.Decoder(tuple[tuple[str, str], ...])


@dataclass(frozen=True, slots=True)
class Stored:
    """An incident and the revision it was read at: a save of anything older is refused."""

    incident: Incident
    revision: int
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the queue looks things up by; for display, never believed for deciding."""

    state: str
    priority: str
    score: int
    title: str
    assignee: str
    urgency: int
    changed_at: datetime
    wake_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """An incident one worker carries on until its lease ends. Whoever takes it next has a higher epoch."""

    tenant: str
    id: str
    epoch: int


def load(
    connection: Connection, keys: Keys, tenant: str, incident_id: str, seen: Mapping[str, Finding] | None = None
) -> Stored:
    """Raises `Refused` when there is none, `Untrusted` when the row was changed by somebody else.

    `seen` are findings the caller has just read or written; they are not read again.
    """
    row = connection.execute(select(INCIDENTS).where(*_place(tenant, incident_id))).first()
    if row is None:
        raise Refused(f"there is no incident {incident_id[:80]}")
    return _stored(connection, keys, row, seen or {})


def _stored(connection: Connection, keys: Keys, row: Row[Any], seen: Mapping[str, Finding]) -> Stored:
    place = f"incident {row.id}"
    keys.check(row.seal, place, *_sealed(row.tenant, row.id, row.revision, row.merged_into, row.body, row.members))
    told = ledger.last(connection, row.tenant, row.id, holding="revision")
    if told is not None and told[1]["revision"] > row.revision:
        raise Untrusted("is older than the record says; not used", place)
    incident = incident_from(row.body, place)
    members = _MEMBERS.decode(row.members)
    read = findings.by_keys(connection, row.tenant, (key for key, _ in members if key not in seen))
    if any(key not in read and key not in seen for key, _ in members):
        raise Untrusted("a finding of it is no longer there; not used", place)
    whole = tuple(Member(seen[key] if key in seen else read[key].finding, because) for key, because in members)
    return Stored(replace(incident, members=whole, number=row.number), row.revision, row.merged_into)


def _sealed(tenant: str, name: str, revision: int, merged_into: str, body: bytes, members: bytes) -> tuple[bytes, ...]:
    return tenant.encode(), name.encode(), str(revision).encode(), merged_into.encode(), body, members


def save(connection: Connection, keys: Keys, stored: Stored, listed: Listed, claim: Claim | None = None) -> Stored:
    """Write the incident over the revision it was read at; a worker names the claim it works under.

    Raises `Unreachable` when somebody else was faster, or has the incident now.
    """
    incident, revision = stored.incident, stored.revision + 1
    body = body_of(incident)
    members = encode(tuple((one.finding.key, one.because) for one in incident.members))
    seal = keys.seal(*_sealed(incident.tenant, incident.id, revision, stored.merged_into, body, members))
    row = {
        **{"tenant": incident.tenant, "id": incident.id, "schema_version": SCHEMA_VERSION, "revision": revision},
        **{"state": listed.state, "priority": listed.priority, "score": listed.score, "assignee": listed.assignee},
        **{"urgency": listed.urgency},
        **{"merged_into": stored.merged_into, "title": listed.title, "body": body, "members": members, "seal": seal},
        **{"opened_at": text_of(incident.rounds[0].opened_at), "changed_at": text_of(listed.changed_at)},
        "wake_at": text_of(listed.wake_at),
    }
    if stored.revision == NEW:
        connection.execute(insert(INCIDENTS).values(**row))
    else:
        place = [*_place(incident.tenant, incident.id), INCIDENTS.c.revision == stored.revision]
        if claim is not None:
            place.append(INCIDENTS.c.epoch == claim.epoch)
        if connection.execute(update(INCIDENTS).where(*place).values(**row)).rowcount != 1:
            raise Unreachable(f"incident {incident.id}: somebody else changed it at the same time; try again")
    return replace(stored, revision=revision)


def claim(
    connection: Connection, owner: str, length: timedelta, now: datetime, limit: int, under_way: Collection[tuple[str, str]]
) -> list[Claim]:
    """Take what wants to go on and nobody carries on: the most urgent first, every tenant in turn. In a writing transaction.

    What this owner held before, in a process that ended, is free to it at once.
    """
    clock = leases.clock(connection)
    free = or_(INCIDENTS.c.owned_until <= clock, INCIDENTS.c.owner == owner)
    waking = INCIDENTS.c.wake_at > "", INCIDENTS.c.wake_at <= text_of(now)
    tenants = connection.execute(select(INCIDENTS.c.tenant).where(*waking).distinct()).scalars().all()
    taken: list[Claim] = []
    for urgency in range(MOST_URGENT, -1, -1):
        queues = []
        for tenant in sorted(tenants):
            place = INCIDENTS.c.tenant == tenant, INCIDENTS.c.urgency == urgency, *waking, free
            rows = select(INCIDENTS.c.id, INCIDENTS.c.epoch).where(*place).order_by(INCIDENTS.c.wake_at)
            found = connection.execute(rows.limit(limit + len(under_way)))
            queues.append([Claim(tenant, row.id, row.epoch + 1) for row in found if (tenant, row.id) not in under_way])
        taken += [one for turn in zip_longest(*queues) for one in turn if one is not None]
        if len(taken) >= limit:
            break
    until = clock + int(length.total_seconds() * 1000)
    for one in taken[:limit]:
        mine = {"owner": owner, "epoch": one.epoch, "owned_until": until}
        connection.execute(update(INCIDENTS).where(*_place(one.tenant, one.id)).values(**mine))
    return taken[:limit]


def renew(connection: Connection, length: timedelta, claims: Iterable[Claim]) -> list[Claim]:
    """Hold on to these for so long from now; those that are still ours."""
    until = leases.clock(connection) + int(length.total_seconds() * 1000)
    held = []
    for one in claims:
        place = *_place(one.tenant, one.id), INCIDENTS.c.epoch == one.epoch
        if connection.execute(update(INCIDENTS).where(*place).values(owned_until=until)).rowcount == 1:
            held.append(one)
    return held


def release(connection: Connection, claim: Claim, postponed: datetime | None = None) -> None:
    """Let go of it; nothing when somebody else has it. `postponed` is when it is to go on, else as it was saved."""
    values: dict[str, Any] = {"owned_until": 0}
    if postponed is not None:
        values["wake_at"] = text_of(postponed)
    place = *_place(claim.tenant, claim.id), INCIDENTS.c.epoch == claim.epoch
    connection.execute(update(INCIDENTS).where(*place).values(**values))


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether something wants to go on."""
    waking = INCIDENTS.c.wake_at > "", INCIDENTS.c.wake_at <= text_of(now)
    return connection.execute(select(INCIDENTS.c.id).where(*waking).limit(1)).first() is not None


def next_wake(connection: Connection) -> str:
    """When the next one wants to go on; empty for none."""
    rows = select(INCIDENTS.c.wake_at).where(INCIDENTS.c.wake_at > "").order_by(INCIDENTS.c.wake_at).limit(1)
    return connection.execute(rows).scalar() or ""


def queue(connection: Connection, tenant: str, wanted: Mapping[str, str], limit: int, offset: int) -> list[Row[Any]]:
    """Rows of the queue, gravest first: id, state, priority, score, title, assignee, times. `wanted` are exact filters.

    Merged incidents come only when their state is asked for.
    """
    shown = ("id", "state", "priority", "score", "title", "assignee", "opened_at", "changed_at", "merged_into")
    filters = [INCIDENTS.c[name] == value for name, value in wanted.items()]
    if "state" not in wanted:
        filters.append(INCIDENTS.c.merged_into == "")
    rows = select(*(INCIDENTS.c[name] for name in shown)).where(INCIDENTS.c.tenant == tenant, *filters)
    ordered = rows.order_by(INCIDENTS.c.score.desc(), INCIDENTS.c.id).limit(limit).offset(offset)
    return list(connection.execute(ordered).all())


def ids(connection: Connection, tenant: str) -> Iterable[str]:
    """Every incident of a tenant."""
    return list(connection.execute(select(INCIDENTS.c.id).where(INCIDENTS.c.tenant == tenant)).scalars())


def rest(connection: Connection, stored: Stored, listed: Listed, claim: Claim) -> None:
    """Nothing changed but what the queue shows and when it wants to go on: no new revision, no entry. It is let go of."""
    incident = stored.incident
    place = *_place(incident.tenant, incident.id), INCIDENTS.c.revision == stored.revision, INCIDENTS.c.epoch == claim.epoch
    shown = {"state": listed.state, "priority": listed.priority, "score": listed.score, "urgency": listed.urgency}
    values = {**shown, "wake_at": text_of(listed.wake_at), "owned_until": 0}
    if connection.execute(update(INCIDENTS).where(*place).values(**values)).rowcount != 1:
        release(connection, claim)


def _place(tenant: str, incident_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == incident_id


def park(connection: Connection, tenant: str, incident_id: str) -> None:
    """An incident somebody else changed in the database: shown as such, and not carried on."""
    connection.execute(update(INCIDENTS).where(*_place(tenant, incident_id)).values(state=TAMPERED, wake_at=""))

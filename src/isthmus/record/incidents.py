"""Incidents on record: sealed, versioned, and with their effects, all saved in one transaction with their entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row

from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.incidents import SCHEMA_VERSION, Held, Incident, Member
from isthmus.record import findings, ledger
from isthmus.record.codec import body_of, encode, incident_from
from isthmus.record.keys import Keys
from isthmus.record.schema import INCIDENTS
from isthmus.record.store import text_of

NEW = 0
TAMPERED = "tampered"
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
    changed_at: datetime
    wake_at: datetime | None


def load(connection: Connection, keys: Keys, tenant: str, incident_id: str) -> Stored:
    """Raises `Refused` when there is none, `Untrusted` when the row was changed by somebody else."""
    place = INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == incident_id
    row = connection.execute(select(INCIDENTS).where(*place)).first()
    if row is None:
        raise Refused(f"there is no incident {incident_id[:80]}")
    return _stored(connection, keys, row)


def _stored(connection: Connection, keys: Keys, row: Row[Any]) -> Stored:
    place = f"incident {row.id}"
    keys.check(row.seal, place, *_sealed(row.tenant, row.id, row.revision, row.merged_into, row.body, row.members))
    told = ledger.last(connection, row.tenant, row.id, holding="revision")
    if told is not None and told[1]["revision"] > row.revision:
        raise Untrusted("is older than the record says; not used", place)
    incident = incident_from(row.body, place)
    members = _MEMBERS.decode(row.members)
    held = findings.by_keys(connection, row.tenant, (key for key, _ in members))
    if any(key not in held for key, _ in members):
        raise Untrusted("a finding of it is no longer there; not used", place)
    whole = tuple(Member(held[key].finding, because) for key, because in members)
    return Stored(replace(incident, members=whole), row.revision, row.merged_into)


def _sealed(tenant: str, name: str, revision: int, merged_into: str, body: bytes, members: bytes) -> tuple[bytes, ...]:
    return tenant.encode(), name.encode(), str(revision).encode(), merged_into.encode(), body, members


def save(connection: Connection, keys: Keys, stored: Stored, listed: Listed) -> Stored:
    """Write the incident over the revision it was read at. Raises `Unreachable` when somebody else was faster."""
    incident, revision = stored.incident, stored.revision + 1
    body = body_of(incident)
    members = encode(tuple((one.finding.key, one.because) for one in incident.members))
    seal = keys.seal(*_sealed(incident.tenant, incident.id, revision, stored.merged_into, body, members))
    row = {
        **{"tenant": incident.tenant, "id": incident.id, "schema_version": SCHEMA_VERSION, "revision": revision},
        **{"state": listed.state, "priority": listed.priority, "score": listed.score, "assignee": listed.assignee},
        **{"merged_into": stored.merged_into, "title": listed.title, "body": body, "members": members, "seal": seal},
        **{"opened_at": text_of(incident.rounds[0].opened_at), "changed_at": text_of(listed.changed_at)},
        "wake_at": text_of(listed.wake_at),
    }
    if stored.revision == NEW:
        connection.execute(insert(INCIDENTS).values(**row))
    else:
        place = INCIDENTS.c.tenant == incident.tenant, INCIDENTS.c.id == incident.id
        written = update(INCIDENTS).where(*place, INCIDENTS.c.revision == stored.revision).values(**row)
        if connection.execute(written).rowcount != 1:
            raise Unreachable(f"incident {incident.id}: somebody else changed it at the same time; try again")
    return replace(stored, revision=revision)


def known(connection: Connection, tenant: str) -> list[Held]:
    """Every incident of a tenant with the keys of its findings."""
    columns = INCIDENTS.c.id, INCIDENTS.c.members, INCIDENTS.c.opened_at, INCIDENTS.c.merged_into, INCIDENTS.c.state
    rows = connection.execute(select(*columns).where(INCIDENTS.c.tenant == tenant))
    return [_held(row) for row in rows]


def _held(row: Any) -> Held:
    """One that was set aside keeps its name and holds nothing: what it had goes to an incident of its own."""
    if row.state == TAMPERED:
        return Held(row.id, frozenset(), row.opened_at, f"({TAMPERED})")
    return Held(row.id, frozenset(key for key, _ in _MEMBERS.decode(row.members)), row.opened_at, row.merged_into)


def due(connection: Connection, now: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Tenant and id of incidents that want to go on, the gravest first."""
    wanted = INCIDENTS.c.wake_at != "", INCIDENTS.c.wake_at <= text_of(now)
    ordered = select(INCIDENTS.c.tenant, INCIDENTS.c.id).where(*wanted).order_by(INCIDENTS.c.score.desc(), INCIDENTS.c.wake_at)
    return [(row.tenant, row.id) for row in connection.execute(ordered.limit(limit))]


def next_wake(connection: Connection) -> str:
    """When the next one wants to go on; empty for none."""
    rows = select(INCIDENTS.c.wake_at).where(INCIDENTS.c.wake_at != "").order_by(INCIDENTS.c.wake_at).limit(1)
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


def rest(connection: Connection, stored: Stored, listed: Listed) -> None:
    """Nothing changed but what the queue shows and when it wants to go on; no new revision, no entry."""
    incident = stored.incident
    place = INCIDENTS.c.tenant == incident.tenant, INCIDENTS.c.id == incident.id, INCIDENTS.c.revision == stored.revision
    shown = {"state": listed.state, "priority": listed.priority, "score": listed.score, "wake_at": text_of(listed.wake_at)}
    connection.execute(update(INCIDENTS).where(*place).values(**shown))


def postpone(connection: Connection, tenant: str, incident_id: str, until: datetime) -> None:
    """Not before then."""
    place = INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == incident_id
    connection.execute(update(INCIDENTS).where(*place).values(wake_at=text_of(until)))


def park(connection: Connection, tenant: str, incident_id: str) -> None:
    """An incident somebody else changed in the database: shown as such, and not carried on."""
    place = INCIDENTS.c.tenant == tenant, INCIDENTS.c.id == incident_id
    connection.execute(update(INCIDENTS).where(*place).values(state=TAMPERED, wake_at=""))

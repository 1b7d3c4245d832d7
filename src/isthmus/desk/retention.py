"""What is deleted when, and the deletion of everything of a tenant. The record stays whole: it holds commitments.

Raw deliveries go first, then findings and incidents that are over, then the bodies of entries. An incident with anything
of ours in place, or that anybody waits for, is never deleted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from isthmus.desk.saving import OURSELVES
from isthmus.model.disposition import State
from isthmus.model.errors import Refused
from isthmus.record import ledger
from isthmus.record.effects import STANDING
from isthmus.record.ledger import BODIES, ENTRIES
from isthmus.record.links import ASSET_NAMES, FINDING_LINKS
from isthmus.record.schema import (
    ANSWERS,
    COUNTS,
    CURSORS,
    EFFECTS,
    FINDINGS,
    FINGERPRINTS,
    INBOX,
    INCIDENTS,
    KEYS,
    PEOPLE,
    PINS,
    REJECTIONS,
    SEGMENTS,
)
from isthmus.record.store import Store, text_of
from isthmus.settings import RetentionSettings

_OVER = (State.CLOSED, State.RESOLVED, State.NOTED, State.MERGED)
_EVERYTHING = (
    *(ANSWERS, COUNTS, CURSORS, EFFECTS, FINDINGS, FINGERPRINTS, INBOX, INCIDENTS, KEYS, PEOPLE, PINS, REJECTIONS, SEGMENTS),
    *(FINDING_LINKS, ASSET_NAMES),
)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Deleted:
    """How much went: raw segments, incidents, findings, and bodies of entries."""

    segments: int
    incidents: int
    findings: int
    bodies: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes by age, or a tenant as a whole."""

    store: Store
    days: RetentionSettings

    def run(self, tenant: str, now: datetime) -> Deleted:
        """Everything of this tenant that has outlived its time."""
        with self.store.writing() as connection:
            raw = text_of(now - timedelta(days=self.days.raw_days))
            segments = self._segments(connection, tenant, raw)
            for table in (FINGERPRINTS, REJECTIONS, ANSWERS):
                connection.execute(delete(table).where(table.c.tenant == tenant, table.c.at < raw))
            closed = text_of(now - timedelta(days=self.days.closed_days))
            incidents, findings = self._incidents(connection, tenant, closed)
            bodies = self._bodies(connection, tenant, now - timedelta(days=self.days.record_bodies_days))
            done = Deleted(segments, incidents, findings, bodies)
            body = {"segments": segments, "incidents": incidents, "findings": findings, "bodies": bodies}
            ledger.append(connection, tenant=tenant, actor=OURSELVES, event="retention.run", subject=tenant, body=body, at=now)
        return done

    def delete_tenant(self, tenant: str, by: str, now: datetime) -> int:
        """Everything of a tenant but the leaves of its record. Raises `Refused` while a containment of ours stands.

        Returns how many rows and bodies went.
        """
        with self.store.writing() as connection:
            standing = select(EFFECTS.c.handle).where(EFFECTS.c.tenant == tenant, EFFECTS.c.state.in_(STANDING))
            held = connection.execute(standing.where(EFFECTS.c.kind != "case").limit(1)).scalar()
            if held is not None:
                raise Refused(f"{tenant}: {held} is still contained by us; take it back first")
            gone = sum(connection.execute(delete(table).where(table.c.tenant == tenant)).rowcount for table in _EVERYTHING)
            gone += self._bodies(connection, tenant, now + timedelta(microseconds=1))
            body = {"rows": gone}
            ledger.append(connection, tenant=tenant, actor=by, event="tenant.deleted", subject=tenant, body=body, at=now)
        return gone

    def _segments(self, connection: Connection, tenant: str, before: str) -> int:
        """Segments nobody has to read any more."""
        unread = select(INBOX.c.segment).where(INBOX.c.tenant == tenant)
        old = SEGMENTS.c.tenant == tenant, SEGMENTS.c.at < before, SEGMENTS.c.id.not_in(unread)
        return connection.execute(delete(SEGMENTS).where(*old)).rowcount

    def _incidents(self, connection: Connection, tenant: str, before: str) -> tuple[int, int]:
        """Incidents that are over, with their findings; not one in which something of ours stands."""
        standing = select(EFFECTS.c.incident).where(EFFECTS.c.tenant == tenant, EFFECTS.c.state.in_(STANDING))
        standing = standing.where(EFFECTS.c.kind != "case")
        over: list[ColumnElement[bool]] = [
            INCIDENTS.c.tenant == tenant,
            INCIDENTS.c.changed_at < before,
            INCIDENTS.c.state.in_([one.value for one in _OVER]),
            INCIDENTS.c.id.not_in(standing),
        ]
        names = list(connection.execute(select(INCIDENTS.c.id).where(*over)).scalars())
        findings = _deleted(connection, FINDINGS, tenant, FINDINGS.c.incident, names)
        _deleted(connection, FINDING_LINKS, tenant, FINDING_LINKS.c.incident, names)
        return _deleted(connection, INCIDENTS, tenant, INCIDENTS.c.id, names), findings

    def _bodies(self, connection: Connection, tenant: str, before: datetime) -> int:
        """Bodies of old entries; their commitments, and with them the tree, stay."""
        theirs = (
            select(ENTRIES.c.idx, ENTRIES.c.leaf).join(BODIES, BODIES.c.idx == ENTRIES.c.idx).where(ENTRIES.c.tenant == tenant)
        )
        old = [row.idx for row in connection.execute(theirs) if _written(row.leaf) < before]
        return ledger.forget(connection, old)


def _written(leaf: bytes) -> datetime:
    """When an entry was written, as its leaf says."""
    return datetime.fromisoformat(json.loads(leaf)["at"])


def _deleted(connection: Connection, table: Table, tenant: str, column: ColumnElement[str], names: Sequence[str]) -> int:
    gone = 0
    for start in range(0, len(names), _AT_ONCE):
        chosen = column.in_(names[start : start + _AT_ONCE])
        gone += connection.execute(delete(table).where(table.c.tenant == tenant, chosen)).rowcount
    return gone

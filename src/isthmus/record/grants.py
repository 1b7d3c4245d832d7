"""Which policy bundles are in force: a person's word on exactly one digest, sealed, and in the record.

A folder of policies that was changed, swapped or merely written is another bundle and has no grant: the installation
stays read-only until somebody who may looked at it and said so.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from isthmus.model.errors import Refused, Untrusted
from isthmus.model.outside import printable
from isthmus.model.people import Person, Right
from isthmus.record import ledger
from isthmus.record.keys import Keys
from isthmus.record.schema import GRANTS
from isthmus.record.store import text_of


@dataclass(frozen=True, slots=True)
class Grant:
    """Who put a bundle into force, when and why."""

    bundle: str
    person: str
    reason: str
    at: str


def give(connection: Connection, keys: Keys, bundle: str, person: Person, reason: str, now: datetime) -> None:
    """Put this bundle into force. Raises `Refused` unless an admin, a human one, says so; `Untrusted` without a reason."""
    if not person.may(Right.RUN) or not person.human:
        raise Refused(f"{person.id}: a policy is put into force by a person with the role admin")
    why = printable(reason)[:1_000].strip()
    if not why:
        raise Untrusted("is needed", "reason")
    at = text_of(now)
    connection.execute(delete(GRANTS).where(GRANTS.c.bundle == bundle))
    seal = _seal(keys, bundle, person.tenant, person.id, why, at, "")
    row = {"bundle": bundle, "tenant": person.tenant, "person": person.id, "reason": why, "at": at}
    connection.execute(insert(GRANTS).values(**row, revoked_at="", seal=seal))
    body = {"bundle": bundle, "reason": why}
    ledger.append(connection, tenant=person.tenant, actor=person.id, event="policy.granted", subject=bundle, body=body, at=now)


def revoke(connection: Connection, keys: Keys, bundle: str, person: Person, now: datetime) -> None:
    """Take a bundle out of force, from the next start on."""
    if not person.may(Right.RUN):
        raise Refused(f"{person.id}: this needs the role admin")
    row = connection.execute(select(GRANTS).where(GRANTS.c.bundle == bundle)).first()
    if row is None:
        raise Refused("there is no such grant")
    at = text_of(now)
    seal = _seal(keys, bundle, row.tenant, row.person, row.reason, row.at, at)
    connection.execute(update(GRANTS).where(GRANTS.c.bundle == bundle).values(revoked_at=at, seal=seal))
    ledger.append(connection, tenant=row.tenant, actor=person.id, event="policy.revoked", subject=bundle, body={}, at=now)


def of(connection: Connection, keys: Keys, bundle: str) -> Grant | None:
    """The grant this bundle is in force by; None when there is none, it was revoked, or somebody else wrote it."""
    row = connection.execute(select(GRANTS).where(GRANTS.c.bundle == bundle)).first()
    if row is None or row.revoked_at:
        return None
    told = ledger.last(connection, row.tenant, bundle, "policy")
    if told is not None and told[0] != "policy.granted":
        return None
    sealed = _seal(keys, row.bundle, row.tenant, row.person, row.reason, row.at, row.revoked_at)
    return Grant(row.bundle, row.person, row.reason, row.at) if hmac.compare_digest(row.seal, sealed) else None


def _seal(keys: Keys, *parts: str) -> bytes:
    return keys.seal(b"grant", *(part.encode() for part in parts))

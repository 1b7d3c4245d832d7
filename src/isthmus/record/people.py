"""The register of people and programs, and their API keys. Every row is sealed: nobody joins it by the database alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row

from isthmus.model.errors import Refused, Untrusted
from isthmus.model.people import Person, Role
from isthmus.record import ledger
from isthmus.record.codec import encode
from isthmus.record.keys import Keys
from isthmus.record.schema import KEYS, PEOPLE
from isthmus.record.store import moment_of, text_of

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_KEY = re.compile(r"isk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key as it may be shown."""

    id: str
    person: str
    expires_at: datetime | None
    revoked: bool


def _nobodys() -> Refused:
    """Always the same words; a new error each time, since an error keeps the frames it was raised in."""
    return Refused("this key is not known, has expired, or was revoked")


def put(connection: Connection, keys: Keys, person: Person, now: datetime, by: str) -> None:
    """Add somebody, or change their name, role or whether they are active. Raises `Untrusted` for an id that is none."""
    if not _ID.fullmatch(person.id) or person.id == "isthmus":
        raise Untrusted("must be lower-case letters, digits, dots and dashes", f"person {person.id[:64]!r}")
    row = {
        **{"tenant": person.tenant, "id": person.id, "name": person.name, "role": person.role.value},
        **{"human": person.human, "active": person.active, "at": text_of(now), "seal": keys.seal(encode(person))},
    }
    place = PEOPLE.c.tenant == person.tenant, PEOPLE.c.id == person.id
    if connection.execute(update(PEOPLE).where(*place).values(**row)).rowcount == 0:
        connection.execute(insert(PEOPLE).values(**row))
    body = _said(person)
    ledger.append(connection, tenant=person.tenant, actor=by, event="person.put", subject=person.id, body=body, at=now)


def _said(person: Person) -> dict[str, Any]:
    """What the record says of somebody: no names."""
    return {"role": person.role.value, "human": person.human, "active": person.active}


def register(connection: Connection, keys: Keys, tenant: str) -> dict[str, Person]:
    """Everybody of a tenant, by id. A row somebody else wrote, or an older one put back, is not in it."""
    found = {}
    for row in connection.execute(select(PEOPLE).where(PEOPLE.c.tenant == tenant)):
        person = _person(row)
        told = ledger.last(connection, tenant, person.id, "person.put")
        current = told is None or told[1] == _said(person)
        if current and hmac.compare_digest(row.seal, keys.seal(encode(person))):
            found[person.id] = person
    return found


def _person(row: Row[Any]) -> Person:
    return Person(row.id, row.tenant, row.name, Role(row.role), bool(row.human), bool(row.active))


def forget_name(connection: Connection, keys: Keys, tenant: str, person_id: str, now: datetime, by: str) -> None:
    """Delete what is personal of somebody; their id stays in the record, and they can do nothing any more."""
    known = register(connection, keys, tenant).get(person_id)
    if known is None:
        raise Refused(f"there is nobody called {person_id[:64]}")
    put(connection, keys, replace(known, name="", active=False), now, by)


def new_key(connection: Connection, keys: Keys, person: Person, expires_at: datetime | None, now: datetime, by: str) -> str:
    """A new API key of this person. It is shown this once; only its hash is kept."""
    name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).digest()
    seal = _seal(keys, name, person.tenant, person.id, digest, text_of(expires_at), "")
    row = {"id": name, "tenant": person.tenant, "person": person.id, "hash": digest, "at": text_of(now), "seal": seal}
    connection.execute(insert(KEYS).values(**row, expires_at=text_of(expires_at), revoked_at=""))
    body = {"person": person.id, "expires_at": text_of(expires_at)}
    ledger.append(connection, tenant=person.tenant, actor=by, event="key.new", subject=name, body=body, at=now)
    return f"isk_{name}_{secret}"


def revoke(connection: Connection, keys: Keys, tenant: str, key_id: str, now: datetime, by: str) -> None:
    """From now on this key opens nothing."""
    row = connection.execute(select(KEYS).where(KEYS.c.id == key_id, KEYS.c.tenant == tenant)).first()
    if row is None:
        raise Refused(f"there is no key {key_id[:32]}")
    at = text_of(now)
    seal = _seal(keys, row.id, row.tenant, row.person, row.hash, row.expires_at, at)
    connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(revoked_at=at, seal=seal))
    ledger.append(connection, tenant=tenant, actor=by, event="key.revoked", subject=key_id, body={}, at=now)


def owner(connection: Connection, keys: Keys, presented: str, now: datetime) -> tuple[str, Person]:
    """The id of this key and whose it is. Raises `Refused`, always in the same words, when it is nobody's."""
    found = _KEY.fullmatch(presented)
    row = None if found is None else connection.execute(select(KEYS).where(KEYS.c.id == found[1])).first()
    if found is None or row is None or not hmac.compare_digest(row.hash, hashlib.sha256(found[2].encode()).digest()):
        raise _nobodys()
    return row.id, _holder(connection, keys, row, now)


def holder(connection: Connection, keys: Keys, key_id: str, now: datetime) -> Person:
    """Whose key this is, for somebody who showed it before (a session). Raises `Refused` as `owner` does."""
    row = connection.execute(select(KEYS).where(KEYS.c.id == key_id)).first()
    if row is None:
        raise _nobodys()
    return _holder(connection, keys, row, now)


def _holder(connection: Connection, keys: Keys, row: Row[Any], now: datetime) -> Person:
    sealed = _seal(keys, row.id, row.tenant, row.person, row.hash, row.expires_at, row.revoked_at)
    expires = moment_of(row.expires_at)
    if not hmac.compare_digest(row.seal, sealed) or row.revoked_at or (expires is not None and now >= expires):
        raise _nobodys()
    if ledger.last(connection, row.tenant, row.id, "key.revoked") is not None:
        raise _nobodys()
    person = register(connection, keys, row.tenant).get(row.person)
    if person is None or not person.active:
        raise _nobodys()
    return person


def keys_of(connection: Connection, tenant: str) -> list[KeyRow]:
    """Every key of a tenant."""
    rows = connection.execute(select(KEYS).where(KEYS.c.tenant == tenant).order_by(KEYS.c.at))
    return [KeyRow(row.id, row.person, moment_of(row.expires_at), bool(row.revoked_at)) for row in rows]


def _seal(keys: Keys, name: str, tenant: str, person: str, digest: bytes, expires_at: str, revoked_at: str) -> bytes:
    return keys.seal(name.encode(), tenant.encode(), person.encode(), digest, expires_at.encode(), revoked_at.encode())

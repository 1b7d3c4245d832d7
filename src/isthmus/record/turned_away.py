"""Deliveries that are not worth reading: kept as a rejection with its reason, once, however often they are delivered."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from isthmus.model.deliveries import Rejection
from isthmus.record import inbox
from isthmus.record.inbox import Handed
from isthmus.record.schema import FINGERPRINTS
from isthmus.record.store import text_of

_NOT_READ = b"\0turned away\0"
_NOTED = {
    "sqlite": sqlite.insert(FINGERPRINTS).on_conflict_do_nothing().returning(FINGERPRINTS.c.digest),
    "postgresql": postgresql.insert(FINGERPRINTS).on_conflict_do_nothing().returning(FINGERPRINTS.c.digest),
}


def turn_away(connection: Connection, one: Handed, reason: str) -> bool:
    """Count and keep the rejection of this delivery; False when it was turned away before, byte for byte.

    Its bytes are not kept. May go on in several transactions at once: of the same delivery in two of them one is new.
    """
    # A digest of another form than an accepted delivery's: one may be rejected now and welcome later, or the other way.
    digest = hashlib.sha256(one.channel.encode() + _NOT_READ + one.body).digest()
    key = {**dict(zip(("tenant", "source", "instance"), one.place, strict=True)), "digest": digest}
    if connection.execute(_NOTED[connection.dialect.name], {**key, "at": text_of(one.at)}).first() is None:
        inbox.add(connection, one.place, deliveries=1, repeated=1)
        return False
    inbox.add(connection, one.place, deliveries=1, seen=1, rejected=1)
    inbox.reject(connection, one.place, [Rejection(one.name, "the whole message", reason)], one.at)
    return True

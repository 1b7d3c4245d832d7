"""The record of one incident, read from the ledger."""

from __future__ import annotations

import json

import msgspec
from sqlalchemy import select

from isthmus.doors.api.answers import Entry
from isthmus.record.ledger import BODIES, ENTRIES
from isthmus.record.store import Store


class _Leaf(msgspec.Struct, frozen=True):
    actor: str
    at: str
    event: str
    subject: str


def entries_about(store: Store, tenant: str, subject: str, limit: int, before: int | None) -> list[Entry]:
    """Entries about this subject, newest first, below the index `before`."""
    wanted = [ENTRIES.c.tenant == tenant, ENTRIES.c.subject == subject]
    if before is not None:
        wanted.append(ENTRIES.c.idx < before)
    joined = ENTRIES.outerjoin(BODIES, ENTRIES.c.idx == BODIES.c.idx)
    query = select(ENTRIES.c.idx, ENTRIES.c.leaf, BODIES.c.body).select_from(joined).where(*wanted)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(ENTRIES.c.idx.desc()).limit(limit)).all()
    found = []
    for row in rows:
        leaf = msgspec.json.decode(row.leaf, type=_Leaf)
        body = None if row.body is None else json.loads(row.body)
        found.append(Entry(row.idx, leaf.at, leaf.actor, leaf.event, body))
    return found

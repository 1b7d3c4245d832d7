"""A proof package made from the database and the log's tiles."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from isthmus.model.errors import Refused
from isthmus.record.checkpoints import Key, read
from isthmus.record.cosignatures import WitnessKey
from isthmus.record.ledger import BODIES, ENTRIES
from isthmus.record.package import FORMAT, Package, Packed
from isthmus.record.proofs import Proof, inclusion
from isthmus.record.publishing import Published


@dataclass(frozen=True, slots=True)
class About:
    """What a package is to be about."""

    tenant: str
    subject: str


def packed(
    connection: Connection, done: Published, about: About, note: str, log: Key, witnesses: tuple[WitnessKey, ...]
) -> tuple[Package, int]:
    """The package of everything about a subject below this checkpoint, and how many entries are younger than it.

    Raises `Refused` when there is nothing below it.
    """
    told = read(note, log)
    columns = ENTRIES.c.idx, ENTRIES.c.leaf, BODIES.c.salt, BODIES.c.body
    joined = ENTRIES.outerjoin(BODIES, ENTRIES.c.idx == BODIES.c.idx)
    wanted = select(*columns).select_from(joined)
    wanted = wanted.where(ENTRIES.c.tenant == about.tenant, ENTRIES.c.subject == about.subject).order_by(ENTRIES.c.idx)
    rows = connection.execute(wanted).all()
    entries = tuple(
        Packed(
            leaf=bytes(row.leaf).decode(),
            proof=str(Proof(row.idx, inclusion(done.tiles, row.idx, told.size, done.size), note)),
            salt="" if row.salt is None else bytes(row.salt).hex(),
            body="" if row.body is None else bytes(row.body).decode(),
        )
        for row in rows
        if row.idx < told.size
    )
    if not entries:
        raise Refused(f"the record has nothing about {about.subject[:80]} below its newest checkpoint")
    names = tuple(str(one) for one in witnesses)
    return Package(FORMAT, about.tenant, about.subject, str(log), names, entries), len(rows) - len(entries)

"""The desk: everything a door may do with what is on record. Doors translate; they decide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from isthmus.answer.incident_view import IncidentView, QueueRow, view
from isthmus.decide import approvals
from isthmus.desk.instances import Instances
from isthmus.desk.saving import set_aside
from isthmus.desk.words import Words
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.people import Person, Right
from isthmus.model.plans import Step
from isthmus.record import audit, inbox, incidents, people
from isthmus.record.audit import Verified
from isthmus.record.checkpoints import Key
from isthmus.record.inbox import Handed
from isthmus.record.schema import COUNTS, CURSORS, INCIDENTS
from isthmus.record.store import Store

MOST_ROWS = 500
FILTERS = ("state", "priority", "assignee")


@dataclass(frozen=True, slots=True)
class Desk:
    """`words` takes what people say; the rest reads, or stores deliveries."""

    store: Store
    instances: Instances
    words: Words
    log_key: Key

    def signed_in(self, key: str, now: datetime) -> tuple[str, Person]:
        """The id of this API key and whose it is. Raises `Refused` when it is nobody's."""
        with self.store.reading() as connection:
            return people.owner(connection, self.store.keys, key, now)

    def still_signed_in(self, key_id: str, now: datetime) -> Person:
        """Whose key this is, for a session that began with it. Raises `Refused` once it is revoked or has run out."""
        with self.store.reading() as connection:
            return people.holder(connection, self.store.keys, key_id, now)

    def accept(self, deliveries: Sequence[Handed]) -> list[bool]:
        """Store deliveries durably; False for one that came before, byte for byte."""
        with self.store.adding() as connection:
            return inbox.accept(connection, deliveries)

    def depth(self) -> int:
        """How many deliveries wait to be read."""
        with self.store.reading() as connection:
            return inbox.depth(connection)

    def queue(self, person: Person, wanted: Mapping[str, str], limit: int = 50, offset: int = 0) -> list[QueueRow]:
        """The queue of the person's tenant, gravest first. Merged incidents only when asked for by their state."""
        unknown = set(wanted) - set(FILTERS)
        if unknown or not 0 < limit <= MOST_ROWS or offset < 0:
            raise Untrusted(f"filters are {', '.join(FILTERS)}; a page has at most {MOST_ROWS} rows", "query")
        _readable(person)
        with self.store.reading() as connection:
            rows = incidents.queue(connection, person.tenant, wanted, limit, offset)
        return [
            QueueRow(
                *(row.id, row.title, row.state, row.priority, row.score, row.assignee),
                *(row.opened_at[:19] + "Z", row.changed_at[:19] + "Z", row.merged_into),
            )
            for row in rows
        ]

    def by_state(self, person: Person) -> dict[str, int]:
        """How many incidents are in each state."""
        _readable(person)
        counted = select(INCIDENTS.c.state, func.count()).where(INCIDENTS.c.tenant == person.tenant).group_by(INCIDENTS.c.state)
        with self.store.reading() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(counted)}

    def incident(self, person: Person, name: str, now: datetime) -> IncidentView:
        """One incident of the person's tenant. Raises `Refused` when there is none."""
        _readable(person)
        with self.store.reading() as connection:
            stored = incidents.load(connection, self.store.keys, person.tenant, name)
        return view(stored.incident, stored.revision, stored.merged_into, now, plan_text)

    def waiting(self, person: Person, now: datetime) -> list[IncidentView]:
        """Every incident that waits for an approval. One somebody changed in the database is set aside and not among them."""
        found = []
        for row in self.queue(person, {"state": "waiting_for_approval"}, MOST_ROWS):
            try:
                found.append(self.incident(person, row.id, now))
            except Untrusted as error:
                with self.store.writing() as connection:
                    set_aside(connection, person.tenant, row.id, str(error), now)
        return found

    def counts(self, person: Person) -> list[dict[str, Any]]:
        """What came in, by instance: seen = stored + duplicate + rejected."""
        _readable(person)
        with self.store.reading() as connection:
            rows = connection.execute(select(COUNTS).where(COUNTS.c.tenant == person.tenant)).mappings()
            return [dict(row) for row in rows]

    def pulls(self, person: Person) -> list[dict[str, Any]]:
        """How far each stream was pulled, and what is wrong with it."""
        _readable(person)
        shown = CURSORS.c.source, CURSORS.c.instance, CURSORS.c.stream, CURSORS.c.at, CURSORS.c.trouble
        with self.store.reading() as connection:
            return [dict(row) for row in connection.execute(select(*shown).where(CURSORS.c.tenant == person.tenant)).mappings()]

    def verify_record(self, held: Iterable[str] = ()) -> Verified:
        """Check the whole record; `held` are checkpoints kept elsewhere."""
        with self.store.reading() as connection:
            return audit.verify(connection, self.log_key, held)


def plan_text(step: Step) -> str:
    """The canonical plan people are asked about, as the bytes that were hashed."""
    return approvals.plan_of(step).decode()


def _readable(person: Person) -> None:
    if not person.may(Right.READ):
        raise Refused(f"{person.id}: may not read")

"""The daily certificate: for each tenant and instance what was delivered and what became of it, as an entry of the record.

Its numbers are totals since the installation began, so that two certificates subtracted say what the time between them
brought. One is written on each day (UTC) on which somebody watches; a kill at any moment leaves one or none, and none is
made up for at the next turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from isthmus.desk.saving import OURSELVES
from isthmus.record import ledger
from isthmus.record.schema import COUNTS, INBOX
from isthmus.record.store import Store

EVENT = "intake.certificate"
_NUMBERS = ("deliveries", "repeated", "seen", "stored", "duplicate", "rejected")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the record certifies of one instance on a day. `holds` is whether seen = stored + duplicate + rejected."""

    tenant: str
    instance: str
    body: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Whether nothing that was seen is unaccounted for."""
        return bool(self.body["holds"])


def certify(store: Store, now: datetime) -> int:
    """Write today's certificates where there are none yet; how many. Raises `Unreachable` when it must be tried again."""
    day = now.astimezone(UTC).date().isoformat()
    with store.reading() as connection:
        if not any(True for _ in _lacking(connection, day)):
            return 0
    with store.writing() as connection:
        # Asked again where nobody else can write: another process may have been faster.
        entries = [_entry(connection, place, row, day, now) for place, row in _lacking(connection, day)]
        ledger.extend(connection, entries)
    return len(entries)


def _lacking(connection: Connection, day: str) -> Iterator[tuple[tuple[str, str, str], Mapping[str, int]]]:
    """Instances without a certificate of this day or a later one."""
    for row in connection.execute(select(COUNTS)).mappings().all():
        last = ledger.last(connection, row["tenant"], row["instance"], EVENT)
        if last is None or last[1]["day"] < day:
            yield (row["tenant"], row["source"], row["instance"]), {name: int(row[name]) for name in _NUMBERS}


def _entry(
    connection: Connection, place: tuple[str, str, str], numbers: Mapping[str, int], day: str, now: datetime
) -> ledger.Entry:
    tenant, source, instance = place
    waiting = select(func.count()).select_from(INBOX).where(INBOX.c.tenant == tenant, INBOX.c.instance == instance)
    body = {
        **{"day": day, "source": source, **numbers},
        "waiting": connection.execute(waiting).scalar() or 0,
        "holds": numbers["seen"] == numbers["stored"] + numbers["duplicate"] + numbers["rejected"],
    }
    return ledger.Entry(tenant, OURSELVES, EVENT, instance, body, now)


def newest(connection: Connection, tenant: str) -> list[Certificate]:
    """The newest certificate of each instance of a tenant that has one."""
    names = connection.execute(select(COUNTS.c.instance).where(COUNTS.c.tenant == tenant).order_by(COUNTS.c.instance)).scalars()
    found = [(name, ledger.last(connection, tenant, name, EVENT)) for name in names.all()]
    return [Certificate(tenant, name, last[1]) for name, last in found if last is not None]

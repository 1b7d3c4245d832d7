"""Who does what only one worker may do at a time: a lease with an epoch, by the database's own clock.

A worker that was away too long finds its epoch gone and writes nothing. Clocks of machines are not asked: one that jumps
neither takes a lease from somebody nor keeps one too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnClause, Connection, func, insert, literal_column, select, update

from isthmus.model.errors import Unreachable
from isthmus.record.schema import LEASES

_CLOCK: dict[str, ColumnClause[int]] = {
    "sqlite": literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"),
    "postgresql": literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
}


@dataclass(frozen=True, slots=True)
class Lease:
    """What somebody holds: `epoch` is one higher each time it is taken."""

    name: str
    owner: str
    epoch: int


def clock(connection: Connection) -> int:
    """The database's clock, in milliseconds."""
    return int(connection.execute(select(_CLOCK[connection.dialect.name])).scalar_one())


def take(connection: Connection, name: str, owner: str, length: timedelta) -> Lease | None:
    """The lease of this name, in the caller's writing transaction; None while another owner holds it."""
    now = clock(connection)
    row = connection.execute(select(LEASES).where(LEASES.c.name == name)).first()
    if row is not None and row.owner != owner and row.until > now:
        return None
    epoch = 1 if row is None else row.epoch + 1
    values = {"owner": owner, "epoch": epoch, "until": now + _milliseconds(length)}
    if row is None:
        connection.execute(insert(LEASES).values(name=name, **values))
    else:
        connection.execute(update(LEASES).where(LEASES.c.name == name).values(**values))
    return Lease(name, owner, epoch)


def confirm(connection: Connection, held: Lease) -> None:
    """Raises `Unreachable` when it is no longer ours; asked in the transaction that writes what was done under it."""
    row = connection.execute(select(LEASES.c.epoch, LEASES.c.until).where(LEASES.c.name == held.name)).first()
    if row is None or row.epoch != held.epoch or row.until <= clock(connection):
        raise Unreachable(f"{held.name}: somebody else does this now; nothing of ours is kept")


def renew(connection: Connection, held: Lease, length: timedelta) -> Lease:
    """Hold on to it for so long from now, in the transaction that writes what was done under it. As `confirm`."""
    confirm(connection, held)
    until = clock(connection) + _milliseconds(length)
    connection.execute(update(LEASES).where(LEASES.c.name == held.name).values(until=until))
    return held


def give_back(connection: Connection, held: Lease) -> None:
    """Done with it; it keeps its epoch."""
    place = LEASES.c.name == held.name, LEASES.c.epoch == held.epoch
    connection.execute(update(LEASES).where(*place).values(until=0))


def held(connection: Connection) -> int:
    """How many are held just now."""
    now = clock(connection)
    return connection.execute(select(func.count()).select_from(LEASES).where(LEASES.c.until > now)).scalar() or 0


def _milliseconds(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)

"""What was delivered and not yet read: durable before it is acknowledged, removed in the transaction that stores it."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from isthmus.model.deliveries import Rejection
from isthmus.model.errors import IsthmusError
from isthmus.record import turns
from isthmus.record.rows import insert_rows
from isthmus.record.schema import COUNTS, FINGERPRINTS, INBOX, REJECTIONS, SEGMENTS
from isthmus.record.store import text_of
from isthmus.record.urgency import urgency

SCHEMA_VERSION = 1
WEBHOOK, API, ASKED = "webhook", "api", "asked"
"""Told to us; pulled; and said again when we asked about one alert, which is read however often it was heard before."""
_MOST_BYTES = 8_000_000
_PLACE = ("tenant", "source", "instance")
_PRINT = (*_PLACE, "digest", "at")
_NEW = f"ON CONFLICT DO NOTHING RETURNING {', '.join(_PRINT[:-1])}"
_WAITS = (*_PLACE, "channel", "name", "segment", "position", "at", "urgency")
_Insert = sqlite.Insert | postgresql.Insert
_COUNTED = ("deliveries", "repeated", "seen", "stored", "duplicate", "rejected")


def _added(into: _Insert) -> _Insert:
    more = {name: COUNTS.c[name] + into.excluded[name] for name in _COUNTED}
    return into.on_conflict_do_update(index_elements=_PLACE, set_=more)


# Made once: putting a statement together costs more than running it.
_ADDED = {"sqlite": _added(sqlite.insert(COUNTS)), "postgresql": _added(postgresql.insert(COUNTS))}
_SEGMENT = insert(SEGMENTS).returning(SEGMENTS.c.id)


@dataclass(frozen=True, slots=True)
class Handed:
    """A delivery on its way in: whose, through which instance of which connector, by which channel."""

    tenant: str
    source: str
    instance: str
    channel: str
    name: str
    body: bytes
    at: datetime

    @property
    def place(self) -> tuple[str, str, str]:
        return self.tenant, self.source, self.instance


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery in the inbox."""

    id: int
    handed: Handed


def accept(connection: Connection, deliveries: Sequence[Handed]) -> list[bool]:
    """Store these deliveries; False for one that came before, byte for byte, and is not stored again.

    May go on in several transactions at once, in one process or many: of the same delivery in two of them one is new.
    """
    fresh = _fresh(connection, deliveries)
    new: dict[str, list[Handed]] = {}
    for one, is_new in zip(deliveries, fresh, strict=True):
        if is_new:
            new.setdefault(one.tenant, []).append(one)
    for tenant, handed in sorted(new.items()):
        _store(connection, tenant, handed)
    came = Counter(one.place for one in deliveries)
    repeated = Counter(one.place for one, is_new in zip(deliveries, fresh, strict=True) if not is_new)
    # Last, and in one order everywhere: the row of an instance is held until the commit by whoever counts on it.
    for place in sorted(came):
        add(connection, place, deliveries=came[place], repeated=repeated[place])
    return fresh


def _fresh(connection: Connection, deliveries: Sequence[Handed]) -> list[bool]:
    """Which of these are new. The database decides, by the primary key: whoever inserts a fingerprint has the delivery."""
    first: dict[tuple[str, str, str, bytes], int] = {}
    for number, one in enumerate(deliveries):
        if one.channel != ASKED:
            first.setdefault((*one.place, hashlib.sha256(one.channel.encode() + b"\0" + one.body).digest()), number)
    fresh = [one.channel == ASKED for one in deliveries]
    if first:
        # In one order everywhere, so that two who bring the same wait for each other and not in a circle.
        rows = [(*key, text_of(deliveries[number].at)) for key, number in sorted(first.items())]
        for row in insert_rows(connection, FINGERPRINTS, _PRINT, rows, _NEW):
            fresh[first[row.tenant, row.source, row.instance, bytes(row.digest)]] = True
    return fresh


def _store(connection: Connection, tenant: str, handed: Sequence[Handed]) -> None:
    data = zlib.compress(msgspec.msgpack.encode([one.body for one in handed]), 1)
    row = {"tenant": tenant, "schema_version": SCHEMA_VERSION, "at": text_of(handed[0].at), "data": data}
    segment = connection.execute(_SEGMENT, row).scalar_one()
    rows = [
        (*one.place, one.channel, one.name, segment, position, text_of(one.at), urgency(one.source, one.body))
        for position, one in enumerate(handed)
    ]
    insert_rows(connection, INBOX, _WAITS, rows)


def waiting(connection: Connection, limit: int, tenant: str | None = None) -> list[Waiting]:
    """The next deliveries of a tenant that nobody has read yet, by turns; without one, of whose is the oldest.

    No more at once than fit into a few megabytes, but always one.
    """
    if tenant is None:
        tenant = connection.execute(select(INBOX.c.tenant).order_by(INBOX.c.id).limit(1)).scalar() or ""
    ids = turns.chosen(connection, tenant, limit)
    rows = {row.id: row for row in connection.execute(select(INBOX).where(INBOX.c.id.in_(ids)))}
    segments: dict[int, list[bytes]] = {}
    found: list[Waiting] = []
    room = _MOST_BYTES
    for row in (rows[one] for one in ids if one in rows):
        if row.segment not in segments:
            segments[row.segment] = _bodies(connection, row.segment)
        body, at = segments[row.segment][row.position], datetime.fromisoformat(row.at)
        room -= len(body)
        if room < 0 and found:
            break
        found.append(Waiting(row.id, Handed(row.tenant, row.source, row.instance, row.channel, row.name, body, at)))
    return found


def tenants(connection: Connection) -> list[str]:
    """Tenants with something in the inbox."""
    return turns.tenants(connection)


def _bodies(connection: Connection, segment: int) -> list[bytes]:
    data = connection.execute(select(SEGMENTS.c.data).where(SEGMENTS.c.id == segment)).scalar()
    if data is None:
        raise IsthmusError(f"segment {segment}: is gone though its deliveries were not read")
    bodies: list[bytes] = msgspec.msgpack.decode(zlib.decompress(data), type=list[bytes])
    return bodies


def depth(connection: Connection) -> int:
    """How many deliveries wait."""
    return connection.execute(select(func.count()).select_from(INBOX)).scalar() or 0


def done(connection: Connection, ids: Sequence[int]) -> None:
    """These deliveries are read. Raises when somebody else read one of them: then nothing of this may be kept."""
    gone = connection.execute(delete(INBOX).where(INBOX.c.id.in_(ids))).rowcount
    if gone != len(ids):
        raise IsthmusError("somebody else read these deliveries at the same time")


def depths(connection: Connection) -> dict[str, int]:
    """How many deliveries wait, by tenant."""
    counted = select(INBOX.c.tenant, func.count()).group_by(INBOX.c.tenant)
    return {str(row[0]): int(row[1]) for row in connection.execute(counted)}


def add(connection: Connection, place: tuple[str, str, str], **numbers: int) -> None:
    """Add to the counts of one instance."""
    row = {**dict(zip(_PLACE, place, strict=True)), **dict.fromkeys(_COUNTED, 0), **numbers}
    connection.execute(_ADDED[connection.dialect.name], row)


def reject(connection: Connection, place: tuple[str, str, str], rejected: Iterable[Rejection], at: datetime) -> None:
    """Keep what was not taken, where it stood and why."""
    own = dict(zip(("tenant", "source", "instance"), place, strict=True), at=text_of(at))
    rows = [{**own, "delivery": one.file[:200], "position": one.position, "reason": one.reason} for one in rejected]
    if rows:
        connection.execute(insert(REJECTIONS), rows)

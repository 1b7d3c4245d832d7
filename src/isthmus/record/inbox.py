"""What was delivered and not yet read: durable before it is acknowledged, removed in the transaction that stores it."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from isthmus.model.deliveries import Rejection
from isthmus.model.errors import IsthmusError
from isthmus.record.schema import COUNTS, FINGERPRINTS, INBOX, REJECTIONS, SEGMENTS
from isthmus.record.store import text_of

SCHEMA_VERSION = 1
WEBHOOK, API, ASKED = "webhook", "api", "asked"
"""Told to us; pulled; and said again when we asked about one alert, which is read however often it was heard before."""
_PLACE = ("tenant", "source", "instance")
_AT_ONCE = 500


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
    """Store these deliveries; False for one that came before, byte for byte, and is not stored again."""
    digests = [hashlib.sha256(one.channel.encode() + b"\0" + one.body).digest() for one in deliveries]
    seen = _seen(connection, deliveries, digests)
    fresh: list[bool] = []
    rows: list[dict[str, object]] = []
    new: dict[str, list[Handed]] = {}
    for one, digest in zip(deliveries, digests, strict=True):
        fresh.append(one.channel == ASKED or (one.place, digest) not in seen)
        if fresh[-1] and one.channel == ASKED:
            new.setdefault(one.tenant, []).append(one)
        elif fresh[-1]:
            seen.add((one.place, digest))
            rows.append({**dict(zip(_PLACE, one.place, strict=True)), "digest": digest, "at": text_of(one.at)})
            new.setdefault(one.tenant, []).append(one)
    if rows:
        connection.execute(insert(FINGERPRINTS), rows)
    for tenant, handed in new.items():
        _store(connection, tenant, handed)
    for place, count in Counter(one.place for one in deliveries).items():
        repeated = sum(1 for one, is_new in zip(deliveries, fresh, strict=True) if one.place == place and not is_new)
        add(connection, place, deliveries=count, repeated=repeated)
    return fresh


def _seen(
    connection: Connection, deliveries: Sequence[Handed], digests: Sequence[bytes]
) -> set[tuple[tuple[str, str, str], bytes]]:
    """Which of these fingerprints are on record, asked together: one question for many costs what one costs."""
    wanted: dict[tuple[str, str, str], list[bytes]] = {}
    for one, digest in zip(deliveries, digests, strict=True):
        wanted.setdefault(one.place, []).append(digest)
    seen: set[tuple[tuple[str, str, str], bytes]] = set()
    for place, ours in wanted.items():
        where = [FINGERPRINTS.c[name] == value for name, value in zip(_PLACE, place, strict=True)]
        for start in range(0, len(ours), _AT_ONCE):
            found = select(FINGERPRINTS.c.digest).where(*where, FINGERPRINTS.c.digest.in_(ours[start : start + _AT_ONCE]))
            seen.update((place, bytes(digest)) for digest in connection.execute(found).scalars())
    return seen


def _store(connection: Connection, tenant: str, handed: Sequence[Handed]) -> None:
    data = zlib.compress(msgspec.msgpack.encode([one.body for one in handed]), 1)
    row = {"tenant": tenant, "schema_version": SCHEMA_VERSION, "at": text_of(handed[0].at), "data": data}
    segment = connection.execute(insert(SEGMENTS).values(**row)).inserted_primary_key
    assert segment is not None  # noqa: S101 - an insert has a key
    connection.execute(
        insert(INBOX),
        [
            {
                **dict(zip(("tenant", "source", "instance"), one.place, strict=True)),
                **{"channel": one.channel, "name": one.name, "segment": segment[0], "position": position},
                "at": text_of(one.at),
            }
            for position, one in enumerate(handed)
        ],
    )


def waiting(connection: Connection, limit: int) -> list[Waiting]:
    """The oldest deliveries of one tenant that nobody has read yet."""
    first = connection.execute(select(INBOX.c.tenant).order_by(INBOX.c.id).limit(1)).scalar()
    rows = connection.execute(select(INBOX).where(INBOX.c.tenant == first).order_by(INBOX.c.id).limit(limit)).all()
    segments: dict[int, list[bytes]] = {}
    found = []
    for row in rows:
        if row.segment not in segments:
            segments[row.segment] = _bodies(connection, row.segment)
        body, at = segments[row.segment][row.position], datetime.fromisoformat(row.at)
        found.append(Waiting(row.id, Handed(row.tenant, row.source, row.instance, row.channel, row.name, body, at)))
    return found


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


def add(connection: Connection, place: tuple[str, str, str], **numbers: int) -> None:
    """Add to the counts of one instance."""
    where = [COUNTS.c[name] == value for name, value in zip(("tenant", "source", "instance"), place, strict=True)]
    more = {name: COUNTS.c[name] + number for name, number in numbers.items()}
    if connection.execute(update(COUNTS).where(*where).values(**more)).rowcount == 0:
        own = dict(zip(("tenant", "source", "instance"), place, strict=True))
        names = ("deliveries", "repeated", "seen", "stored", "duplicate", "rejected")
        connection.execute(insert(COUNTS).values(**own, **{name: numbers.get(name, 0) for name in names}))


def reject(connection: Connection, place: tuple[str, str, str], rejected: Iterable[Rejection], at: datetime) -> None:
    """Keep what was not taken, where it stood and why."""
    own = dict(zip(("tenant", "source", "instance"), place, strict=True), at=text_of(at))
    rows = [{**own, "delivery": one.file[:200], "position": one.position, "reason": one.reason} for one in rejected]
    if rows:
        connection.execute(insert(REJECTIONS), rows)

"""Alerts from cloud queues: received, stored in one transaction, and acknowledged only once that is committed.

A process that dies between the two is given the messages again and knows them by their fingerprint. What cannot be an
alert is stored as a rejection and acknowledged, so that it does not come back for ever. While storing is slow the
messages are held; while the database is away or the inbox is full nothing is received: the queue keeps it.

Whoever may write into a queue can write alerts. So what came by one is a hint, exactly as from a webhook: it is shown and
asked back where its platform can be asked, and nothing is done about it automatically before that. Only where the
settings vouch for the queue, and nobody can be asked, does it count as if it had been pulled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from isthmus.contracts.roles import Message, Queue
from isthmus.desk.instances import Instance, Instances
from isthmus.model.errors import IsthmusError, Refused, Untrusted
from isthmus.model.outside import printable
from isthmus.record import cursors, inbox
from isthmus.record.inbox import API, WEBHOOK, Handed
from isthmus.record.store import Store
from isthmus.record.turned_away import turn_away

LOG = logging.getLogger("isthmus.queues")
STREAM = "queue"
"""Under which name a queue's last arrival and its trouble stand beside those of pulled streams."""
MOST, LARGEST, ROOM = 100, 1 << 20, 50_000
_TRIES = 3
_PAUSE, _FULL = timedelta(seconds=1), timedelta(seconds=5)
_SHOWN = timedelta(minutes=1)
"""How often it is written down that a queue was asked and answered."""
_FIRST, _LONGEST = timedelta(seconds=1), timedelta(seconds=60)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a queue is to be asked again is no business of the pulls, whose times stand in the same table."""
_BOM = b"\xef\xbb\xbf"

Place = tuple[str, str, str]


def place_of(instance: Instance, instances: Instances, sources: Collection[str]) -> Place:
    """Tenant, source and instance the alerts of this queue are read under; `sources` are connectors that tell of alerts.

    Raises `Untrusted` when `reads` names nobody whose alerts can be read, somebody of another tenant, or, for a queue that
    is vouched for, a platform that can be asked: what can be asked is asked.
    """
    queue, place = instance.roles.queue, f"instances.{instance.name}.config.reads"
    reads = queue.reads if queue is not None else ""
    other = instances.by_name.get(reads)
    if other is None and reads in sources:
        return instance.tenant, reads, instance.name
    if other is None:
        raise Untrusted(f"there is neither an instance nor a source {reads!r}", place)
    if other.tenant != instance.tenant or other.connector.name not in sources:
        raise Untrusted(f"{reads} is not an instance of the same tenant that tells of alerts", place)
    if queue is not None and queue.trusted and other.roles.refetcher is not None:
        raise Untrusted(f"{reads} can be asked back, so its queue need not be trusted; leave `trusted` out", place)
    return instance.tenant, other.connector.name, other.name


class Queues:
    """Every queue of an installation. `clock` says when a message arrived: that may be long after a turn began.

    `room` is how many deliveries may wait in the inbox before nothing more is received; `largest` how many bytes of a
    message are read. Raises `Untrusted` for a queue of which it is unclear whose alerts are in it.
    """

    def __init__(
        self,
        store: Store,
        instances: Instances,
        sources: Collection[str],
        clock: Callable[[], datetime],
        room: int = ROOM,
        largest: int = LARGEST,
    ) -> None:
        self.lanes = tuple(
            Lane(store, one, one.roles.queue, place_of(one, instances, sources), clock, room, largest)
            for one in instances.by_name.values()
            if one.roles.queue is not None
        )
        """One for each queue, to be turned side by side: a lane waits for its own queue only."""

    async def turn(self, now: datetime) -> datetime | None:
        """Every queue once. Returns when to come back: at once when something arrived, None when there are no queues."""
        times = await asyncio.gather(*(lane.consume(now) for lane in self.lanes))
        return min((one for one in times if one is not None), default=None)


class Lane:
    """One queue. Nothing is remembered that is not also in the queue or in the database, but for what is still owed."""

    def __init__(
        self,
        store: Store,
        instance: Instance,
        queue: Queue,
        place: Place,
        clock: Callable[[], datetime],
        room: int = ROOM,
        largest: int = LARGEST,
    ) -> None:
        self.name = instance.name
        self._store, self._queue, self._clock = store, queue, clock
        self._place, self._room, self._largest = place, room, largest
        self._shown = instance.tenant, instance.connector.name, instance.name, STREAM
        self._channel = API if queue.trusted else WEBHOOK
        self._owed: dict[str, int] = {}
        self._most, self._failures = MOST, 0
        self._not_before: datetime | None = None
        self._said = ""
        self._shown_at: datetime | None = None

    async def consume(self, now: datetime) -> datetime | None:
        """Receive, store, acknowledge, once; then when to come back. What fails is tried again later, ever more slowly."""
        # A time that lies further off than any pause is of a clock that has been set back since.
        if self._not_before is not None and now < self._not_before <= now + _LONGEST:
            return self._not_before
        try:
            pause = await self._once()
            if self._said or self._shown_at is None or abs(now - self._shown_at) >= _SHOWN:
                await asyncio.to_thread(self._calm, now)
        except IsthmusError as error:
            return await self._troubled(printable(str(error)), now)
        self._failures, self._not_before = 0, None
        return self._clock() + pause

    async def _once(self) -> timedelta:
        await self._settle()
        if not await asyncio.to_thread(self._has_room):
            return _FULL
        try:
            messages = await self._queue.receive(self._most)
        except Refused:
            # Perhaps together they are more than one answer may be.
            self._most = 1
            raise
        self._most = min(MOST, self._most * 10)
        if not messages:
            return _PAUSE
        await self._keep(messages)
        self._owed.update(dict.fromkeys((one.handle for one in messages), 0))
        await self._settle()
        return timedelta()

    def _has_room(self) -> bool:
        """Whether more can be stored. After trouble it is tried whether the database takes anything at all: a message
        received in vain counts as a failed delivery, and some queues give up on it after a few.
        """
        if self._failures:
            with self._store.adding() as connection:
                inbox.add(connection, self._place, deliveries=0)
        with self._store.reading() as connection:
            return inbox.depth(connection) < self._room

    async def _keep(self, messages: Sequence[Message]) -> None:
        """Returns once they are committed. Raises `IsthmusError` when they are not: they are not acknowledged then."""
        handles = [one.handle for one in messages]
        storing = asyncio.create_task(asyncio.to_thread(self._stored, messages, self._clock()))
        while not (await asyncio.wait({storing}, timeout=self._queue.lease.total_seconds() / 3))[0]:
            try:
                await self._queue.hold(handles)
            except IsthmusError as error:
                LOG.info("queue %s: not held, may come again: %s", self.name, error)
        await storing

    def _stored(self, messages: Sequence[Message], at: datetime) -> None:
        """In a thread: one transaction for all of them."""
        handed = [self._handed(one, at) for one in messages]
        reasons = [_hopeless(one.body, self._largest) for one in messages]
        with self._store.adding() as connection:
            inbox.accept(connection, [one for one, reason in zip(handed, reasons, strict=True) if not reason])
            for one, reason in zip(handed, reasons, strict=True):
                if reason:
                    turn_away(connection, one, reason)

    def _handed(self, one: Message, at: datetime) -> Handed:
        return Handed(*self._place, self._channel, f"{self.name} {printable(one.id)[:100]}", one.body, at)

    async def _settle(self) -> None:
        """Acknowledge what is stored. What the queue does not confirm after a few tries is left to come again."""
        if not self._owed:
            return
        try:
            left = set(await self._queue.acknowledge(tuple(self._owed)))
        except Refused:
            self._count(set(self._owed))
            raise
        self._count(left)

    def _count(self, left: Collection[str]) -> None:
        self._owed = {one: tries + 1 for one, tries in self._owed.items() if one in left and tries + 1 < _TRIES}

    def _calm(self, now: datetime) -> None:
        with self._store.writing() as connection:
            cursors.advance(connection, self._shown, "", now, _NEVER)
        self._said, self._shown_at = "", now

    async def _troubled(self, said: str, now: datetime) -> datetime:
        self._failures += 1
        self._not_before = now + min(_LONGEST, _FIRST * 2 ** min(self._failures - 1, 10))
        LOG.warning("queue %s: %s", self.name, said)
        if said != self._said:
            # Where the database itself is the trouble there is nowhere to say so.
            with suppress(IsthmusError):
                await asyncio.to_thread(self._show, said)
        return self._not_before

    def _show(self, said: str) -> None:
        with self._store.writing() as connection:
            cursors.trouble(connection, self._shown, "", said, _NEVER)
        self._said = said


def _hopeless(body: bytes, largest: int) -> str:
    """Why this cannot be an alert; empty when it is worth reading, which says more exactly what is wrong with it."""
    if len(body) > largest:
        return f"a message of {len(body)} bytes; at most {largest} are read"
    if body.removeprefix(_BOM).lstrip()[:1] not in {b"{", b"["}:
        return "a message that is no JSON object or list"
    return ""

"""Deliveries on their way to the disk: memory shared out, turns taken by instance, one commit for all that wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from isthmus.desk.desk import Desk
from isthmus.desk.together import give
from isthmus.doors.errors import Told, later
from isthmus.doors.limits import Limits
from isthmus.model.errors import IsthmusError
from isthmus.record import inbox
from isthmus.record.inbox import Handed

LOG = logging.getLogger("isthmus.doors")
_SMALLEST = 1_024
"""What a delivery counts for in memory at least, its connection and bookkeeping included."""
_DELIVERIES, _BYTES = 512, 8 << 20
"""A commit takes no further delivery once it has so many, or so many bytes: nobody waits for more than that."""
_DEPTH_SECONDS = 1.0

Place = tuple[str, str]
"""Tenant and instance."""


@dataclass(slots=True)
class _Lot:
    """What came in one request: stored together or not at all."""

    handed: Sequence[Handed]
    answer: asyncio.Future[list[bool]]


class Line:
    """One writer takes what waits, the instances in turn, commits it once, then answers it all.

    The writer waits for nobody: with little to do a commit holds one delivery, under load hundreds.
    """

    def __init__(self, desk: Desk, wake: Callable[[], None], limits: Limits) -> None:
        self._desk, self._wake, self._limits = desk, wake, limits
        self._waiting: OrderedDict[Place, deque[_Lot]] = OrderedDict()
        self._writer: asyncio.Task[None] | None = None
        self._depths = _Depths(desk)
        self._held, self._held_by = 0, dict[str, int]()

    @contextmanager
    def room(self, instance: str) -> Iterator[Callable[[int], None]]:
        """Memory for one request of this instance: what is yielded is called with the bytes as they come in.

        It raises `Told` when too much is held already, by all or by this instance; then the others still have room.
        """
        held = 0

        def more(size: int) -> None:
            nonlocal held
            mine = self._held_by.get(instance, 0) + size
            if self._held + size > self._limits.unsaved or mine > self._limits.unsaved * self._limits.share:
                raise later(429, "busy", "too many deliveries at once", 1)
            held += size
            self._held, self._held_by[instance] = self._held + size, mine

        try:
            more(_SMALLEST)
            yield more
        finally:
            self._held -= held
            self._held_by[instance] = self._held_by.get(instance, 0) - held

    async def put(self, place: Place, handed: Sequence[Handed]) -> list[bool]:
        """Returns once all are durable: False for one that came before, byte for byte. Raises `Told` when none was kept."""
        answer: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place, deque()).append(_Lot(handed, answer))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._turn()
                stored = asyncio.to_thread(self._store, batch)
                # An error is handed to everybody in the batch, as the value it is here.
                [said] = await asyncio.gather(stored, return_exceptions=True)
                for number, lot in enumerate(batch):
                    give(lot.answer, said if isinstance(said, BaseException) else said[number])
        finally:
            self._writer = None

    def _turn(self) -> list[_Lot]:
        """What goes into the next commit: from each instance one request, and round again while there is room."""
        batch: list[_Lot] = []
        deliveries = size = 0
        while self._waiting and deliveries < _DELIVERIES and size < _BYTES:
            place, lots = self._waiting.popitem(last=False)
            batch.append(lots.popleft())
            if lots:
                self._waiting[place] = lots
            deliveries += len(batch[-1].handed)
            size += sum(len(one.body) for one in batch[-1].handed)
        return batch

    def _store(self, batch: Sequence[_Lot]) -> list[list[bool] | Told]:
        """In a thread. What its tenant's inbox has no room for is told so, each by itself."""
        full = later(429, "full", "the inbox is full; deliver it again", 30)
        try:
            fits = self._depths.fitting([lot.handed for lot in batch], self._limits.inbox)
            taken = [one for lot, fit in zip(batch, fits, strict=True) if fit for one in lot.handed]
            fresh = iter(self._desk.accept(taken) if taken else ())
        except IsthmusError as error:
            # Whatever it is, it is our trouble and not the delivery's: the platform must try again.
            LOG.error("%d deliveries were not stored: %s", sum(len(lot.handed) for lot in batch), error)
            raise later(503, "unreachable", "the database cannot be written; deliver it again") from None
        if taken:
            self._wake()
        return [[next(fresh) for _ in lot.handed] if fit else full for lot, fit in zip(batch, fits, strict=True)]


class _Depths:
    """How much waits for each tenant: counted once a second, and reckoned with what was taken since."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[str, int] = {}
        self._counted = -_DEPTH_SECONDS

    def fitting(self, requests: Sequence[Sequence[Handed]], most: int) -> list[bool]:
        """Which of these requests have room in their tenant's inbox. Nothing is refused by an old count."""
        began = time.monotonic()
        if began >= self._counted + _DEPTH_SECONDS:
            self._count(began)
        fits: list[bool] = []
        for handed in requests:
            tenant = handed[0].tenant
            if self._known.get(tenant, 0) + len(handed) > most and self._counted < began:
                self._count(began)
                self._reckon(requests[: len(fits)], fits)
            fits.append(self._known.get(tenant, 0) + len(handed) <= most)
            self._reckon([handed], fits[-1:])
        return fits

    def _reckon(self, requests: Sequence[Sequence[Handed]], fits: Sequence[bool]) -> None:
        for handed, fit in zip(requests, fits, strict=True):
            if fit:
                self._known[handed[0].tenant] = self._known.get(handed[0].tenant, 0) + len(handed)

    def _count(self, now: float) -> None:
        with self._desk.store.reading() as connection:
            self._known = inbox.depths(connection)
        self._counted = now

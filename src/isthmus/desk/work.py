"""The work that nobody has to ask for: pull what is new, ask platforms back, read what came in, carry incidents on.

These go on side by side, so that a platform that is slow to answer holds up nothing else. Each does what is due now and
says when it wants to be called again. No state is held that is not in the database: a process may die in any line of it,
and another may take over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from isthmus.desk.asking import Asking
from isthmus.desk.carrying import Carrying, Pace
from isthmus.desk.instances import Instances
from isthmus.desk.pulling import Pulling
from isthmus.desk.reading import Reader
from isthmus.desk.together import Together
from isthmus.pipeline import Parts
from isthmus.record import findings, inbox, incidents
from isthmus.record.store import Store, moment_of

_SOON = timedelta(minutes=1)
_SHORTLY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Work:
    """Everything a turn needs. `every` is how often pulls are made; `ticks` are seconds of a clock that never jumps."""

    store: Store
    parts: Parts
    instances: Instances
    reader: Reader
    every: timedelta = timedelta(seconds=30)
    pace: Pace = field(default_factory=Pace)
    ticks: Callable[[], float] = time.monotonic
    carrying: Carrying = field(init=False)
    pulling: Pulling = field(init=False)
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        carrying = Carrying(self.store, self.parts, Together(self.store), self.ticks, self.pace)
        object.__setattr__(self, "carrying", carrying)
        object.__setattr__(self, "pulling", Pulling(self.store, self.instances, self.pace.owner, self.every))
        object.__setattr__(self, "asking", Asking(self.store, self.instances, self.pace.owner))

    async def turn(self, now: datetime) -> datetime | None:
        """Everything that is due now, once. Returns when to come back: at once when more waits, None when only an event
        brings more.
        """
        times = [await one(now) for one in (self.pull, self.read, self.carry, self.ask, self.read, self.carry)]
        return min((moment for moment in times if moment is not None), default=None)

    async def pull(self, now: datetime) -> datetime | None:
        """Ask every platform that can be asked what is new. As `turn`."""
        return now if await self.pulling.pull(now) else _after(self.pulling.next(), now)

    async def ask(self, now: datetime) -> datetime | None:
        """Ask platforms back about what webhooks hinted at. As `turn`."""
        return now if await self.asking.ask(now) else _after(self._next(findings.next_refetch), now)

    async def read(self, now: datetime) -> datetime | None:
        """Read a batch of what came in, aside from everything else. As `turn`."""
        return now if await asyncio.to_thread(self.reader.read, now) else None

    async def carry(self, now: datetime) -> datetime | None:
        """Carry on every incident that is due. As `turn`."""
        return now if await self.carrying.carry(now) else _after(self._next(incidents.next_wake), now)

    def stop(self) -> None:
        """Take on nothing new; what is under way comes to rest first. Callable from any thread."""
        self.carrying.stopping.set()

    def _next(self, when: Callable[[Connection], str]) -> datetime | None:
        with self.store.reading() as connection:
            return moment_of(when(connection))

    def busy(self, now: datetime) -> bool:
        """Whether anything that came in or was said is still to be worked off; waiting for people or a clock is not."""
        with self.store.reading() as connection:
            to_ask = findings.to_refetch(connection, now, 1)
            return bool(inbox.depth(connection) or to_ask or incidents.any_due(connection, now + _SOON))


def _after(moment: datetime | None, now: datetime) -> datetime | None:
    """What is due and was left is in another worker's hands: looked at again shortly, not at once."""
    return moment if moment is None or moment > now else now + _SHORTLY

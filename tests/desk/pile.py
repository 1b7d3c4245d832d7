"""A queue in memory with leases on a clock of its own, which fails as it is told to, and an installation that consumes it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, func, select

from isthmus import assembly
from isthmus.contracts.checks import drill
from isthmus.contracts.roles import Message, Roles
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.queues import Queues
from isthmus.desk.reading import Reader
from isthmus.model.errors import IsthmusError, Unreachable
from isthmus.model.findings import Kind
from isthmus.model.tellings import Telling
from isthmus.record import inbox
from isthmus.record.codec import decode
from isthmus.record.schema import COUNTS, FINDINGS, REJECTIONS
from isthmus.record.store import Store, open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TENANT = "default"


class Killed(BaseException):
    """The process dies here: nothing after it happens, and nothing cleans up."""


@dataclass
class Pile:
    """What was put in and not acknowledged, by id. Each call takes one fault from the front of its list, if there is one:
    an error to raise before anything is done, or `LOST`, which does it and loses the answer.
    """

    reads: str = "wiz-main"
    trusted: bool = False
    lease: timedelta = timedelta(seconds=30)
    bodies: dict[str, bytes] = field(default_factory=dict)
    receiving: deque[BaseException | None] = field(default_factory=deque)
    acknowledging: deque[BaseException | None] = field(default_factory=deque)
    on_acknowledge: Callable[[], None] = lambda: None
    asked: list[int] = field(default_factory=list)
    held: int = 0
    delivered: int = 0
    strays: int = 0

    def __post_init__(self) -> None:
        self._out: dict[str, str] = {}
        self._deliveries = 0
        self._lock = threading.Lock()

    def put(self, *bodies: bytes | str) -> None:
        for one in bodies:
            self.bodies[f"m-{len(self.bodies) + self._deliveries}-{len(one)}"] = one.encode() if isinstance(one, str) else one

    def lapse(self) -> None:
        """Nobody's lease stands any more, and no handle is of use."""
        self._out.clear()

    async def receive(self, most: int) -> tuple[Message, ...]:
        self.asked.append(most)
        fault = self.receiving.popleft() if self.receiving else None
        if fault is not None and fault is not LOST:
            raise fault
        with self._lock:
            free = [own for own in self.bodies if own not in self._out.values()][:most]
            given = []
            for own in free:
                self._deliveries += 1
                self._out[f"h-{self._deliveries}"] = own
                given.append(Message(own, self.bodies[own], f"h-{self._deliveries}", NOW))
        self.delivered += len(given)
        if fault is LOST:
            raise LOST
        await asyncio.sleep(0)
        return tuple(given)

    async def hold(self, handles: Sequence[str]) -> None:
        self.held += len(handles)

    async def acknowledge(self, handles: Sequence[str]) -> tuple[str, ...]:
        self.on_acknowledge()
        fault = self.acknowledging.popleft() if self.acknowledging else None
        if fault is not None and fault is not LOST:
            raise fault
        with self._lock:
            left = tuple(one for one in handles if one not in self._out)
            self.strays += len(left)
            for one in handles:
                self.bodies.pop(self._out.pop(one, ""), None)
        if fault is LOST:
            raise LOST
        return left


LOST = Unreachable("it was done, and nobody heard of it")


class Frail(Store):
    """A store whose writes can be made to fail before they are committed, or to take their time."""

    def __init__(self, whole: Store) -> None:
        super().__init__(whole._engine, whole.keys)
        self.failing: deque[BaseException | None] = deque()
        self.slow = threading.Event()
        self.slow.set()

    def writing(self) -> Any:
        return _Writing(super().writing(), self)

    def adding(self) -> Any:
        return _Writing(super().adding(), self)


class _Writing:
    def __init__(self, inner: Any, store: Frail) -> None:
        self._inner, self._store = inner, store

    def __enter__(self) -> Any:
        return self._inner.__enter__()

    def __exit__(self, *said: Any) -> Any:
        self._store.slow.wait(20)
        fault = self._store.failing.popleft() if self._store.failing else None
        if fault is not None and said[0] is None:
            self._inner.__exit__(type(fault), fault, None)
            raise fault
        return self._inner.__exit__(*said)


class Shore:
    """An installation with one queue. Every `Queues` made here is a process of its own, as far as memory goes."""

    def __init__(self, folder: Path, database: URL | None = None, pile: Pile | None = None, **limits: Any) -> None:
        self.folder, self.database, self.limits = folder, database, limits
        self.pile = pile or Pile()
        self.now = NOW
        self.store = Frail(open_store(folder, database))
        self.queues = self.process()

    def instances(self) -> Instances:
        wiz, sqs = assembly.connector("wiz"), assembly.connector("sqs")
        return Instances([Instance("wiz-main", TENANT, wiz, Roles()), Instance("alerts", TENANT, sqs, Roles(queue=self.pile))])

    def process(self) -> Queues:
        return Queues(self.store, self.instances(), {"wiz", "guardduty"}, lambda: self.now, **self.limits)

    def turn(self, queues: Queues | None = None) -> datetime | None:
        return asyncio.run((queues or self.queues).turn(self.now))

    def drain(self, most: int = 200) -> None:
        """Turns, with the clock going on and leases running out, until the queue is empty."""
        for _ in range(most):
            if not self.pile.bodies:
                return
            again = self.turn()
            if again is not None and again > self.now:
                self.now = again
                self.pile.lapse()
        raise AssertionError(f"{len(self.pile.bodies)} messages never left the queue")

    def read(self) -> list[Any]:
        """Every finding, once what came in is read."""
        reader = Reader(self.store, {"wiz": assembly.connector("wiz").source}, frozenset(), frozenset())
        while reader.read(self.now):
            pass
        with self.store.reading() as connection:
            rows = connection.execute(select(FINDINGS.c.key, FINDINGS.c.telling)).all()
        return [decode(row.telling, Telling, row.key).finding() for row in rows]

    def depth(self) -> int:
        with self.store.reading() as connection:
            return inbox.depth(connection)

    def counts(self) -> dict[str, int]:
        """What was counted, over all instances; conservation is checked on the way."""
        names = ("deliveries", "repeated", "seen", "stored", "duplicate", "rejected")
        with self.store.reading() as connection:
            row = connection.execute(select(*(func.sum(COUNTS.c[name]) for name in names))).one()
        found = {name: int(value or 0) for name, value in zip(names, row, strict=True)}
        assert found["seen"] == found["stored"] + found["duplicate"] + found["rejected"]
        return found

    def rejections(self) -> list[tuple[str, str]]:
        with self.store.reading() as connection:
            rows = connection.execute(select(REJECTIONS.c.delivery, REJECTIONS.c.reason).order_by(REJECTIONS.c.id)).all()
        return [(row[0], row[1]) for row in rows]

    def close(self) -> None:
        self.store.close()


def alert(number: int) -> str:
    """An alert of Wiz's, like no other."""
    one = drill(Kind.THREAT, "wiz")
    payload = dict(next(iter(assembly.connector("wiz").simulator.payloads(one))))
    return json.dumps(payload | {"id": f"7f0c2d54-0a54-4f0e-9d53-{number:012d}"})


def names(found: Sequence[Any]) -> list[int]:
    """The numbers of these findings."""
    return sorted(int(one.source_id[-12:]) for one in found)


def away(text: str = "away") -> IsthmusError:
    """Nobody answers."""
    return Unreachable(text)

"""An installation to measure: the real store, line, policy, guard and record, with platforms in process.

The cloud has every machine it is asked about, the case system keeps cases and when each came, and the platform confirms
every alert it is asked back about. None of them takes time, unless told to.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from bench.line_alerts import account
from sqlalchemy import URL, func, select
from tests.desk.site import DEV, PROD, Asked, CaseBook, Site

from isthmus import assembly
from isthmus.act.guard.config import GuardConfig
from isthmus.contracts.wire import Secret
from isthmus.desk.recording import Recording
from isthmus.desk.watch import Watch
from isthmus.doors.watching import Watching
from isthmus.doors.worker import Worker
from isthmus.lab.world import POLICY
from isthmus.model.cases import Case, CaseRecord
from isthmus.model.errors import Refused
from isthmus.record.checkpoints import Signer
from isthmus.record.inbox import API, Handed
from isthmus.record.ledger import HEAD
from isthmus.record.schema import FINDINGS, INCIDENTS

SECRET = "a secret of forty-three letters, more or less"  # noqa: S105 - of a server that lives for a minute
SOURCE = "wiz-main"
_GUARD = GuardConfig(
    max_effects_per_incident=100, per_hour=1_000, per_account_per_hour=1_000, cases_per_hour=100_000, least_in_place=10
)


@dataclass
class TimedBook(CaseBook):
    """A case system that knows when each case came first, by the wall clock, and takes `slow` seconds for each."""

    came: dict[str, datetime] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    slow: float = 0.0
    port: int = 0
    """Where tickets are posted to as well; 0 is nowhere."""
    client: httpx.AsyncClient | None = None

    async def put(self, case: Case) -> CaseRecord:
        self.times.append(time.monotonic())
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.port:
            self.client = self.client or httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}")
            await self.client.post("/", json={"id": case.key})
        self.came.setdefault(case.key, datetime.now(UTC))
        return await super().put(case)


@dataclass
class Confirming(Asked):
    """A platform that still knows every alert it told of: by their ids, which stand in their bodies."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        if source_id not in self.bodies:
            raise Refused("not known")
        return (json.loads(self.bodies[source_id]),)


class _Everywhere(dict[str, str]):
    """Machines and their groups: one is there as soon as it is asked about."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "web"


class Yard(Site):
    """A site with a clock that goes on. Only machines of the first two accounts can be contained."""

    def __init__(self, folder: Path, database: URL | None = None, policy: Path = POLICY) -> None:
        super().__init__(folder, _GUARD, policy, database)
        self.cases, self.platform = TimedBook(), Confirming()
        self.book, self.asked = self.cases, self.platform
        for cloud in (self.dev, self.prod):
            cloud.groups = _Everywhere()
        self.assemble()
        object.__setattr__(self.instances.by_name[SOURCE], "webhook_secret", Secret(SECRET))

    def accept(self, bodies: Iterable[bytes], batch: int = 16) -> None:
        """Pulled, in commits of so many."""
        some: list[Handed] = []
        for one in bodies:
            some.append(Handed("default", "wiz", SOURCE, API, "bench", one, datetime.now(UTC)))
            if len(some) == batch:
                self.desk.accept(some)
                some = []
        if some:
            self.desk.accept(some)

    def read(self) -> None:
        """Read all that waits."""
        while self.work.reader.read(datetime.now(UTC)):
            pass

    def carry(self) -> None:
        """Carry on all that is due, until nothing is."""
        asyncio.run(self._carried())

    async def _carried(self) -> None:
        while await self.work.carrying.carry(datetime.now(UTC)):
            pass

    def stored(self) -> dict[str, int]:
        """How many findings, incidents, entries and cases there are, and bytes on disk (SQLite only)."""
        with self.store.reading() as connection:
            found = {
                "findings": connection.execute(select(func.count()).select_from(FINDINGS)).scalar() or 0,
                "incidents": connection.execute(select(func.count()).select_from(INCIDENTS)).scalar() or 0,
                "entries": connection.execute(select(HEAD.c.size)).scalar() or 0,
            }
        return {**found, "cases": len(self.cases.cases), "bytes": self._bytes()}

    def _bytes(self) -> int:
        path = self.folder / "isthmus.db"
        if not path.exists() or self.store.shared:
            return 0
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size

    @contextmanager
    def working(self) -> Iterator[Worker]:
        """The worker's thread and the watch's, as in a service."""
        recording = Recording(self.store, Signer("isthmus", self.store.keys.private), self.folder / "log")
        watch = Watch(self.store, self.instances)
        house: Any = SimpleNamespace(work=self.work, recording=recording, watch=watch, close=_closed)
        worker = Worker(cast(assembly.House, house), _now)
        watching = Watching(watch, _now, _closed)
        worker.start()
        watching.start()
        try:
            yield worker
        finally:
            watching.stop()
            worker.stop()

    def busy(self) -> bool:
        """Whether anything that came in is still to be worked off."""
        return self.work.busy(_now())


async def _closed() -> None:
    """Nothing is open outside."""


def _now() -> datetime:
    return datetime.now(UTC)


def homes(number: int) -> list[str]:
    """The accounts of alerts: the two that are connected, and others."""
    return [DEV, PROD, *(account(one) for one in range(number - 2))]

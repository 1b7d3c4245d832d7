"""One queue consumed by the product's own parts: our connector over the real way out, the desk's lane, a store on disk.

Run as a program it is a consumer that dies by SIGKILL once it has stored something, before it acknowledges anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.connectors.rigs import Quick

from isthmus import assembly
from isthmus.contracts.roles import Message, Queue, Roles
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.queues import Queues
from isthmus.model.errors import IsthmusError
from isthmus.record import inbox
from isthmus.record.schema import INBOX
from isthmus.record.store import Store, open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SOURCES = {"guardduty", "scc", "wiz"}


def queue_of(connector: str, settings: dict[str, Any], outward: Quick) -> Queue:
    vendor = assembly.connector(connector)
    assert vendor.config is not None and vendor.connect is not None
    found = vendor.connect(vendor.config.model_validate(settings), outward).queue
    assert found is not None
    return found


class Consumer:
    """A process's worth of consuming; `turns` says how often, each a minute later for whatever waits for a clock."""

    def __init__(self, connector: str, settings: dict[str, Any], store: Store, authority: Path | None = None) -> None:
        self._connector, self._settings, self._store, self._authority = connector, settings, store, authority
        self._minutes = 0

    def _clock(self) -> datetime:
        return NOW + timedelta(minutes=self._minutes)

    def turns(self, most: int) -> None:
        asyncio.run(self._turns(most))

    async def _turns(self, most: int) -> None:
        outward = Quick(self._clock, self._authority, attempts=1, timeout=8.0)
        queue = queue_of(self._connector, self._settings, outward)
        own = Instance("alerts", "default", assembly.connector(self._connector), Roles(queue=queue))
        queues = Queues(self._store, Instances([own]), SOURCES, self._clock)
        try:
            for _ in range(most):
                self._minutes += 1
                await queues.turn(self._clock())
        finally:
            await outward.close()


def stored(store: Store) -> Counter[str]:
    """What lies in the inbox, body by body."""
    with store.reading() as connection:
        depth = connection.execute(select(INBOX.c.id)).all()
        found = inbox.waiting(connection, len(depth) + 1)
    return Counter(one.handed.body.decode() for one in found)


class Mortal:
    """A queue on which nobody lives to acknowledge."""

    def __init__(self, inner: Queue) -> None:
        self._inner = inner
        self.reads, self.trusted, self.lease = inner.reads, inner.trusted, inner.lease

    async def receive(self, most: int) -> tuple[Message, ...]:
        return await self._inner.receive(most)

    async def hold(self, handles: Sequence[str]) -> None:
        await self._inner.hold(handles)

    async def acknowledge(self, handles: Sequence[str]) -> tuple[str, ...]:
        del handles
        os.kill(os.getpid(), signal.SIGKILL)
        raise IsthmusError("dead")


async def _die(folder: Path, connector: str, settings: dict[str, Any], authority: Path | None) -> None:
    outward = Quick(lambda: NOW, authority, attempts=1)
    mortal = Mortal(queue_of(connector, settings, outward))
    own = Instance("alerts", "default", assembly.connector(connector), Roles(queue=mortal))
    await Queues(open_store(folder), Instances([own]), SOURCES, lambda: NOW).turn(NOW)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(_die(Path(given["folder"]), given["connector"], given["settings"], None))

"""Pulling 1,200 alerts from the simulated Wiz over TLS, by a process that dies again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from isthmus.connectors.wiz import CONNECTOR
from isthmus.connectors.wiz.config import WizConfig
from isthmus.connectors.wiz.simulated import SimulatedWiz
from isthmus.contracts.checks import drill
from isthmus.contracts.roles import Pollable
from isthmus.lab.servers import Faults, Town
from isthmus.model.errors import Unreachable
from isthmus.model.findings import Kind
from isthmus.wire.http import WireHttp, WireOutward

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DETECTION = next(iter(CONNECTOR.simulator.payloads(drill(Kind.THREAT, "wiz"))))


class Quick(WireOutward):
    def http(self, origin: str, *, per_second: float = 5.0) -> WireHttp:
        return super().http(origin, per_second=10_000)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with Town(tmp_path / "town") as one:
        yield one


class Puller:
    """What outlives a process: what was stored. A quarter of its lives end after storing alerts, before the cursor."""

    def __init__(self, town: Town, settings: dict[str, Any]) -> None:
        self._town, self._settings = town, settings
        self._rng = random.Random(1203)
        self.seen: set[str] = set()
        self.cursor = ""
        self.lives = 0

    async def life(self) -> bool:
        """One life; whether the pass was finished in it."""
        self.lives += 1
        outward = Quick(lambda: NOW, self._town.authority, attempts=2, timeout=0.5)
        try:
            assert CONNECTOR.connect is not None
            pollable = CONNECTOR.connect(WizConfig(**self._settings), outward).pollable
            assert pollable is not None
            return await self._pull(pollable)
        except Unreachable:
            return False
        finally:
            await outward.close()

    async def _pull(self, pollable: Pollable) -> bool:
        more = True
        while more:
            page = await pollable.since("detections", self.cursor)
            self.seen.update(one["id"] for one in page.payloads)
            if self._rng.random() < 0.25:
                return False
            self.cursor, more = page.cursor, page.more
        return True


@pytest.mark.parametrize("flood", [False, True], ids=["spread over a day", "all in one moment"])
def test_of_1200_alerts_none_is_lost(town: Town, flood: bool) -> None:
    platform, faults, rng = SimulatedWiz(), Faults(), random.Random(20260302)
    settings = platform.config(town.serve(platform.app, faults), town.secret) | {"page_size": 20}
    for number in range(1200):
        at = NOW - timedelta(hours=2) if flood else NOW - timedelta(seconds=rng.randrange(60, 80_000))
        platform.hold(DETECTION | {"id": str(UUID(int=number)), "createdAt": at.isoformat()}, NOW)
    puller = Puller(town, settings)
    while not asyncio.run(puller.life()):
        faults.only = rng.choice(["/graphql", "/oauth/token"])
        faults.next.extend(rng.sample([503, 429, "html", "reset", "reset-after"], k=rng.randrange(3)))
        if rng.random() < 0.3:
            platform.expire()
    assert puller.lives > 5, "it must have died for this to show anything"
    assert puller.seen == {str(UUID(int=number)) for number in range(1200)}

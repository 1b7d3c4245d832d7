"""A life of the product: one process, and it is struck where it was told to.

A life opens the house on its settings and does what the harness asks: take a delivery, work until nothing is due, say
what waits for people, take a person's yes. Its boundaries are counted from the opening on.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import boto3  # type: ignore[import-untyped]
import httpx
from bench.kills_plant import swap
from bench.kills_plants import PLANTS
from bench.kills_watch import Boundaries, watch

from isthmus import assembly
from isthmus.assembly import House
from isthmus.connectors.aws import clients
from isthmus.decide import bundle as bundles
from isthmus.desk import asking, pulling
from isthmus.doors.app import Doorway
from isthmus.doors.limits import Limits
from isthmus.doors.serving import quiet_logs
from isthmus.doors.webhooks import Webhooks
from isthmus.lab.world import POLICY
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.people import Person, Role
from isthmus.record import store
from isthmus.settings import read as read_settings

ADA = Person("ada", "default", "Ada", Role.APPROVER)
BEN = Person("ben", "default", "Ben", Role.ANALYST)
ROSA = Person("rosa", "default", "Rosa", Role.ADMIN)
PATIENCE = timedelta(minutes=20)
"""How far a life moves its clock to see what is due; short of what people have to answer."""
UNSOWN = "cannot be planted"
AWAY = "away"
"""How a life begins what it answers when its database was away: whoever asked has to ask again."""
_MOST_TURNS = 3_000


def warm() -> None:
    """Read everything once that every life reads alike: code, policy, what botocore knows of AWS."""
    quiet_logs(50)
    bundles.load = cache(bundles.load)
    bundles.load(POLICY)
    swap(assembly, "load_intel", cache)(assembly.intel_folder())
    assembly.catalogue()
    session = boto3.session.Session("none", "none", region_name="eu-west-1", botocore_session=clients._session(None))
    for name in ("ec2", "sts"):
        session.client(name).close()


def live(own: socket.socket, given: Mapping[str, Any]) -> NoReturn:
    """One life, from its fork to its end; `given` says where its settings are, what time it is, and where it is struck."""
    stream, alone = own.makefile("rw", encoding="utf-8"), threading.Lock()

    def tell(said: Mapping[str, Any]) -> None:
        with alone:
            stream.write(json.dumps(said) + "\n")
            stream.flush()

    try:
        clock = Clock(datetime.fromisoformat(given["now"]), Path(given["clock"]))
        marks = Boundaries(given["fatals"], tell, given["fine"], clock.jump)
        sender = f"life-{os.getpid()}" if given["lease"] else "embedded"
        # The bug comes on top, so that what it commits by itself is a boundary too.
        watch(marks, sender)
        _hurried(given["lease"], sender)
        if given["plant"]:
            _sown(given["plant"], clock)
        with asyncio.Runner() as runner:
            runner.run(_Living(given, marks, clock).converse(stream, tell))
    except BaseException:  # noqa: BLE001 - whatever it was, the harness has to hear of it
        with suppress(BrokenPipeError):
            tell({"failed": traceback.format_exc()})
        os._exit(1)
    os._exit(0)


def _sown(plant: str, clock: Clock) -> None:
    """A bug that finds no place in the product any more must not pass for one that was seen."""
    try:
        PLANTS[plant].sow(clock)
    except AttributeError as error:
        raise LookupError(f"{UNSOWN}: {error}") from None


def _hurried(lease: float, sender: str) -> None:
    """On a database of many, whatever is held is held for so many seconds only, and who holds it is who sends."""
    if not lease:
        return
    length = timedelta(seconds=lease)
    pulling._HELD = asking._HELD = length
    store._ASLEEP_MS = int(lease * 1000)
    swap(assembly, "_worker", lambda _: lambda _: sender)
    # Few at once, so that the others get something too.
    swap(assembly, "Pace", lambda plain: partial(plain, slots=2, lease=length, margin=length / 2))
    swap(assembly, "Reader", lambda plain: partial(plain, lease=length))


class Clock:
    """A life's clock: it goes on by itself, and is moved where nothing is due for a while. Kept for the next life."""

    def __init__(self, began: datetime, kept: Path) -> None:
        self._began, self._ticks, self._kept, self._alone = began, time.monotonic(), kept, threading.Lock()
        self.jumped = 0.0

    def now(self) -> datetime:
        """The present, as this life has it."""
        return self._began + timedelta(seconds=time.monotonic() - self._ticks)

    def until(self, moment: datetime) -> None:
        """Move on to this moment, never back."""
        with self._alone:
            self._began += max(moment - self.now(), timedelta())
            self._kept.write_text(self.now().isoformat(), encoding="utf-8")

    def jump(self, hours: float) -> None:
        """Be set wrong by so many hours."""
        with self._alone:
            self.jumped += hours
            self._began += timedelta(hours=hours)


class _Living:
    """The product in one life, doing what the harness asks."""

    def __init__(self, given: Mapping[str, Any], marks: Boundaries, clock: Clock) -> None:
        self._clock, self._marks = clock, marks
        self._house: House = assembly.house(assembly.check(read_settings(Path(given["settings"])), clock.now))

    async def converse(self, stream: Any, tell: Callable[[Mapping[str, Any]], None]) -> None:
        while line := stream.readline():
            asked = json.loads(line)
            do = asked.pop("do")
            if do == "end":
                await self._house.close()
                tell({"said": True, "passed": self._marks.passed})
                return
            try:
                said = await getattr(self, do)(**asked)
            except Unreachable as error:
                said = f"{AWAY}: {error}"
            self._clock.until(self._clock.now())
            tell({"said": said})
            if do == "deliver":
                self._marks.at("after", "202 given")

    async def deliver(self, path: str, headers: dict[str, str], body: str) -> int:
        """The status a platform gets at the door for this webhook."""
        self._marks.at("before", "accept of a delivery")
        hooks = Webhooks(self._house.desk, self._clock.now, lambda: None, Limits())
        doorway = httpx.ASGITransport(Doorway(hooks, hooks, lambda: None))
        async with httpx.AsyncClient(transport=doorway, base_url="http://isthmus.example") as platform:
            status = (await platform.post(path, headers=headers, content=body.encode())).status_code
        self._marks.at("after", "accept of a delivery")
        return status

    async def work(self, seconds: float = 120.0) -> int:
        """What the worker does, until nothing is due; it goes on through a database that is away for a while.

        What somebody else holds, who is perhaps dead, is waited for.
        """
        ends = time.monotonic() + seconds
        for turns in range(_MOST_TURNS):
            again = await self._turn()
            now = self._clock.now()
            if (again is None or again > now + PATIENCE) and not self._house.desk.depth():
                return turns
            if time.monotonic() > ends:
                break
            if again is None or not now < again <= now + PATIENCE:
                await asyncio.sleep(0.05)
            else:
                self._clock.until(again)
        raise RuntimeError(f"it never came to rest: {turns} turns, next {again}, {self._house.desk.depth()} unread")

    async def _turn(self) -> datetime | None:
        try:
            again = await self._house.work.turn(self._clock.now())
            # Signed at once, and not once a second, so that there is more to be cut off in.
            self._house.recording._last = None
            await self._house.recording.keep(self._clock.now())
        except Unreachable:
            return self._clock.now()
        return again

    async def waiting(self) -> list[list[str]]:
        """Incident, plan hash and handle of everything a person is asked about."""
        views = self._house.desk.waiting(ADA, self._clock.now())
        return [[view.id, step.plan_hash, step.handle] for view in views for step in view.steps if step.waiting]

    async def contained(self, account: str) -> list[list[str]]:
        """Incident, ability and target of every containment in place in this account."""
        rows = self._house.desk.queue(BEN, {})
        views = [self._house.desk.incident(BEN, row.id, self._clock.now()) for row in rows]
        steps = [(view.id, step) for view in views for step in view.steps if step.in_place and f":{account}/" in step.handle]
        return [[name, step.ability, step.target] for name, step in steps]

    async def undo(self, incident: str, ability: str, target: str) -> str:
        """Ben's order to take a containment back; what he is told instead when there is nothing to order."""
        try:
            self._house.desk.words.order_undo(BEN, incident, ability, target, "the drill is over", self._clock.now())
        except Refused as error:
            return str(error)
        return ""

    async def approve(self, incident: str, plan_hash: str) -> str:
        """Ada's yes; what she is told instead when it does not count."""
        try:
            self._house.desk.words.approve(ADA, incident, plan_hash, True, "seen, and it is an attack", self._clock.now())
        except Refused as error:
            return str(error)
        return ""

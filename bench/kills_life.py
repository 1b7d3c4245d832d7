"""The lives of the product: a zygote without threads forks a process for each, and it dies where it was told to.

A life opens the house on the data folder and does what the harness asks: take a delivery, work until nothing is due, say
what waits for people, take a person's yes. Its boundaries are counted from the opening on.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx
from bench.kills_plants import PLANTS
from bench.kills_watch import Boundaries, watch

from isthmus import assembly
from isthmus.assembly import House
from isthmus.connectors.aws import clients
from isthmus.decide import bundle as bundles
from isthmus.doors.app import Doorway
from isthmus.doors.limits import Limits
from isthmus.doors.serving import quiet_logs
from isthmus.doors.webhooks import Webhooks
from isthmus.lab.world import POLICY
from isthmus.model.errors import Refused
from isthmus.model.people import Person, Role
from isthmus.record import ledger
from isthmus.settings import read as read_settings

ADA = Person("ada", "default", "Ada", Role.APPROVER)
BEN = Person("ben", "default", "Ben", Role.ANALYST)
ROSA = Person("rosa", "default", "Rosa", Role.ADMIN)
PATIENCE = timedelta(minutes=20)
"""How far a life moves its clock to see what is due; short of what people have to answer."""
UNSOWN = "cannot be planted"
_MOST_TURNS = 300


def warm() -> None:
    """Read everything once that every life reads alike: code, policy, what botocore knows of AWS."""
    quiet_logs(50)
    bundles.load = cache(bundles.load)
    bundles.load(POLICY)
    assembly.catalogue()
    session = boto3.session.Session("none", "none", region_name="eu-west-1", botocore_session=clients._session(None))
    for name in ("ec2", "sts"):
        session.client(name).close()


class Zygote:
    """Forks lives. It is itself forked from a process that has no threads yet, after `warm`."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._channel.close()
            _breed(theirs)
        theirs.close()

    def life(self, given: Mapping[str, Any]) -> Life:
        """A new life; one at a time."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._channel, [json.dumps(dict(given)).encode()], [theirs.fileno()])
        return Life(ours, self._channel)

    def close(self) -> None:
        """End the zygote."""
        self._channel.close()
        os.waitpid(self._pid, 0)


class Life:
    """The harness's end of a life. `dying` is the boundary it was killed at, `passed` all it passed when it ended well."""

    def __init__(self, ours: socket.socket, zygote: socket.socket) -> None:
        self._stream, self._zygote = ours.makefile("r", encoding="utf-8"), zygote
        self._ours = ours
        self.dying, self.passed = "", list[str]()

    def ask(self, do: str, **given: Any) -> Any:
        """What the life answers; None when it died instead. Raises `RuntimeError` when it failed in another way."""
        line = ""
        with suppress(OSError):
            self._ours.sendall(json.dumps({"do": do, **given}).encode() + b"\n")
        # A life that died before it could be asked may still have said at which boundary.
        with suppress(OSError):
            line = self._stream.readline()
        said = json.loads(line) if line else {}
        if "failed" in said:
            raise RuntimeError(said["failed"])
        self.dying, self.passed = said.get("dying", self.dying), said.get("passed", self.passed)
        return said.get("said")

    def ended(self) -> bool:
        """Waits for its end. Whether it was killed; raises `RuntimeError` when it ended by itself with an error."""
        self._stream.close()
        self._ours.close()
        status = json.loads(self._zygote.recv(64))
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return True
        if status != 0:
            raise RuntimeError(f"a life ended with status {status}")
        return False


def _breed(channel: socket.socket) -> None:
    """Fork until the harness is gone; an interrupt is for the harness, and a broken pipe is its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, 65_536, 1)
        if not data:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            channel.close()
            _live(socket.socket(fileno=descriptors[0]), json.loads(data))
        os.close(descriptors[0])
        _, status = os.waitpid(pid, 0)
        with suppress(BrokenPipeError):
            channel.sendall(json.dumps(status).encode())


def _live(own: socket.socket, given: Mapping[str, Any]) -> None:
    stream = own.makefile("rw", encoding="utf-8")

    def tell(said: Mapping[str, Any]) -> None:
        stream.write(json.dumps(said) + "\n")
        stream.flush()

    try:
        marks = Boundaries(given["fatal"], tell, given["fine"])
        # The bug comes on top, so that what it commits by itself is a boundary too.
        watch(marks)
        if given["plant"]:
            _sown(given["plant"])
        with asyncio.Runner() as runner:
            runner.run(_Living(given, marks).converse(stream, tell))
    except BaseException:  # noqa: BLE001 - whatever it was, the harness has to hear of it
        with suppress(BrokenPipeError):
            tell({"failed": traceback.format_exc()})
        os._exit(1)
    os._exit(0)


def _sown(plant: str) -> None:
    """A bug that finds no place in the product any more must not pass for one that was seen."""
    try:
        PLANTS[plant].sow()
    except AttributeError as error:
        raise LookupError(f"{UNSOWN}: {error}") from None


class _Living:
    """The product in one life, doing what the harness asks."""

    def __init__(self, given: Mapping[str, Any], marks: Boundaries) -> None:
        self._now = datetime.fromisoformat(given["now"])
        self._marks = marks
        self._house: House = assembly.house(assembly.check(read_settings(Path(given["settings"])), lambda: self._now))

    async def converse(self, stream: Any, tell: Callable[[Mapping[str, Any]], None]) -> None:
        while line := stream.readline():
            asked = json.loads(line)
            do = asked.pop("do")
            if do == "end":
                await self._house.close()
                tell({"said": True, "passed": self._marks.passed})
                return
            tell({"said": await getattr(self, do)(**asked)})
            if do == "deliver":
                self._marks.at("after", "202 given")

    async def deliver(self, path: str, headers: dict[str, str], body: str) -> int:
        """The status a platform gets at the door for this webhook."""
        self._marks.at("before", "accept of a delivery")
        hooks = Webhooks(self._house.desk, lambda: self._now, lambda: None, Limits())
        doorway = httpx.ASGITransport(Doorway(hooks, hooks, lambda: None))
        async with httpx.AsyncClient(transport=doorway, base_url="http://isthmus.example") as platform:
            status = (await platform.post(path, headers=headers, content=body.encode())).status_code
        self._marks.at("after", "accept of a delivery")
        return status

    async def work(self) -> int:
        """What the worker does, until nothing is due."""
        for turns in range(_MOST_TURNS):
            again = await self._house.work.turn(self._now)
            with self._house.store.writing() as connection:
                ledger.checkpoint(connection, self._house.signer)
            if again is None or again > self._now + PATIENCE:
                return turns
            self._now = max(self._now, again)
        raise RuntimeError("it never came to rest")

    async def waiting(self) -> list[list[str]]:
        """Incident, plan hash and handle of everything a person is asked about."""
        views = self._house.desk.waiting(ADA, self._now)
        return [[view.id, step.plan_hash, step.handle] for view in views for step in view.steps if step.waiting]

    async def contained(self, account: str) -> list[list[str]]:
        """Incident, ability and target of every containment in place in this account."""
        rows = self._house.desk.queue(BEN, {})
        views = [self._house.desk.incident(BEN, row.id, self._now) for row in rows]
        steps = [(view.id, step) for view in views for step in view.steps if step.in_place and f":{account}/" in step.handle]
        return [[name, step.ability, step.target] for name, step in steps]

    async def undo(self, incident: str, ability: str, target: str) -> str:
        """Ben's order to take a containment back; what he is told instead when there is nothing to order."""
        try:
            self._house.desk.words.order_undo(BEN, incident, ability, target, "the drill is over", self._now)
        except Refused as error:
            return str(error)
        return ""

    async def approve(self, incident: str, plan_hash: str) -> str:
        """Ada's yes; what she is told instead when it does not count."""
        try:
            self._house.desk.words.approve(ADA, incident, plan_hash, True, "seen, and it is an attack", self._now)
        except Refused as error:
            return str(error)
        return ""

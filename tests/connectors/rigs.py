"""Platforms that may be broken at will, with an instance of ours before them: what `contracts.promises` are run on."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import yaml

from isthmus import assembly, settings
from isthmus.connectors.servicenow.simulated import ANALYST
from isthmus.contracts.checks import NOW, Broken
from isthmus.contracts.connector import Connector
from isthmus.contracts.rig import Fault, Scene
from isthmus.contracts.roles import Actuator, Roles
from isthmus.desk.desk import Desk
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.words import Words
from isthmus.doors.app import create
from isthmus.lab.servers import Faults, Town
from isthmus.model.plans import Outcome, Preview
from isthmus.record.checkpoints import Signer
from isthmus.record.store import open_store
from isthmus.wire.http import WireHttp, WireOutward

_CREDENTIAL = ("auth", "token", "key", "secret", "cookie", "uaks")
_SHORTEST_CREDENTIAL, _MANY = 8, 50
_NO_STATE = ("token", "calls", "app")
"""In a simulated platform's names: who is signed in, how often it was asked, and the application itself."""

Body = tuple[bytes, str]


class Front:
    """One server for every test: it passes on to whatever platform the test made, unless it is told to answer a status.

    `credentials` is what it was shown; `wrong(scope, body, status, echo)` writes an error as the platform would.
    """

    def __init__(self, serve: Callable[[Any, Faults], str]) -> None:
        self.faults, self.statuses = Faults(), Faults()
        self.origin = serve(self, self.faults)
        self.show(None, spoken)

    def show(self, app: Any, wrong: Callable[[Any, bytes, int, str], Body]) -> None:
        """From now on this platform answers, with nothing wrong and nothing called yet."""
        self.app, self._wrong = app, wrong
        self.credentials: set[str] = set()
        for one in (self.faults, self.statuses):
            vars(one).update(vars(Faults()))

    def break_down(self, fault: Fault, after: int, times: int, in_turn: bool) -> None:
        order = self.statuses if isinstance(fault, int) else self.faults
        # `None` lets one request pass.
        passing: list[Any] = [None] * after
        order.next = deque([*passing, *([fault, None] * _MANY if in_turn else [fault] * times)])
        order.always = None if times else fault

    def mend(self) -> None:
        for one in (self.faults, self.statuses):
            one.next.clear()
            one.always = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        shown = list(_credentials(scope["headers"]))
        self.credentials.update(shown)
        status = self.statuses.take(scope["path"])
        if status is None:
            await self.app(scope, receive, send)
            return
        sent = await whole(receive)
        body, kind = self._wrong(scope, sent, int(status), " ".join([*shown, sent.decode("utf-8", "replace")]))
        headers = [(b"content-type", kind.encode()), (b"retry-after", b"0"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def whole(receive: Any) -> bytes:
    """The body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _credentials(headers: Sequence[tuple[bytes, bytes]]) -> Iterator[str]:
    """What stands in headers that are there to let somebody in, without the name of its scheme."""
    for name, value in headers:
        if any(word in name.decode().lower() for word in _CREDENTIAL):
            word = value.decode("latin-1").split()[-1:]
            yield from (one for one in word if len(one) >= _SHORTEST_CREDENTIAL)


def spoken(scope: Any, sent: bytes, status: int, echo: str) -> Body:
    """An error with what was sent in every place where one of the JSON platforms has a text of its own."""
    del scope, sent
    inner = {"message": echo, "detail": echo, "extensions": {"code": echo}}
    whole = {"error": inner, "errors": [inner], "message": echo, "err": echo, "error_description": echo, "status": status}
    return json.dumps(whole).encode(), "application/json"


class Quick(WireOutward):
    """The real way out, without waiting for the rate."""

    def http(self, origin: str, *, per_second: float = 5.0) -> WireHttp:
        return super().http(origin, per_second=10_000)


class Rig:
    """What every rig does alike: settings, connections, trouble, and our own door."""

    def __init__(self, connector: Connector, town: Town, front: Front, folder: Path) -> None:
        self.connector = connector
        self._town, self._front, self._folder = town, front, folder
        self._kept: dict[str, str] = {}
        self._door: tuple[Desk, Any] | None = None
        self.settings: Mapping[str, Any] = {}

    def keep(self, name: str, value: str) -> str:
        """Stores a secret as an operator would, and returns the reference."""
        reference = self._town.secret(name, value)
        self._kept[reference] = value
        return reference

    @property
    def secrets(self) -> Mapping[str, str]:
        return MappingProxyType(self._kept)

    @property
    def canaries(self) -> set[str]:
        return {*self._kept.values(), *self._front.credentials}

    @asynccontextmanager
    async def connected(self, patience: float = 10.0, attempts: int = 1, **changed: Any) -> AsyncIterator[Roles]:
        config, connect = self.connector.config, self.connector.connect
        if config is None or connect is None:
            raise Broken(f"{self.connector.name} cannot be connected")
        outward = Quick(lambda: NOW, self._town.authority, attempts=attempts, patience=60.0, timeout=patience)
        self._front.faults.hang = 2 * patience
        try:
            yield connect(config.model_validate({**self.settings, **changed}), outward)
        finally:
            await outward.close()

    def calls(self) -> int:
        return len(self._front.faults.calls)

    def writes(self) -> int | None:
        return None

    def break_down(self, fault: Fault, after: int = 0, times: int = 0, in_turn: bool = False) -> None:
        self._front.break_down(fault, after, times, in_turn)

    def mend(self) -> None:
        self._front.mend()

    async def effect(self, actuator: Actuator, preview: Preview) -> Outcome:
        return await actuator.apply(preview, "a-token-of-this-step", NOW)

    async def reversal(self, actuator: Actuator, preview: Preview) -> Outcome:
        return await actuator.undo(preview, NOW)

    def check(self, settings: Mapping[str, Any]) -> None:
        self._instance(settings)

    def _instance(self, given: Mapping[str, Any]) -> Instance:
        """What the product makes of these settings, written to a file as an operator would."""
        path = self._folder / "isthmus.yaml"
        whole = {"instances": {"tried": {"connector": self.connector.name, "config": dict(given)}}}
        path.write_text(yaml.safe_dump(whole | {"authority": str(self._town.authority.resolve())}), encoding="utf-8")
        return assembly._instance(settings.read(path), "tried", lambda: NOW)[0]

    def _opened(self) -> tuple[Desk, Any]:
        if self._door is None:
            store = open_store(self._folder / "data")
            instances = Instances([self._instance(self.settings)])
            desk = Desk(store, instances, Words(store), Signer("isthmus", store.keys.private).key)
            self._door = desk, create(desk, lambda: NOW, lambda: None)
        return self._door

    async def deliver(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        transport = httpx.ASGITransport(self._opened()[1])
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            given = {**headers, "content-type": "application/json"}
            return (await client.post(f"/in/tried{path}", headers=given, content=body)).status_code

    def delivered(self) -> int:
        return self._opened()[0].depth()

    def close(self) -> None:
        if self._door is not None:
            self._door[0].store.close()


class SimulatedRig(Rig):
    """Before a platform of our own making: any connector that has a `simulated`."""

    def __init__(self, connector: Connector, town: Town, front: Front, folder: Path) -> None:
        super().__init__(connector, town, front, folder)
        if connector.simulated is None:
            raise Broken(f"{connector.name}: give it a `simulated`, or tests/connectors/stage.py a rig for its platform")
        self.platform: Any = connector.simulated()
        front.show(self.platform.app, spoken)
        self.settings = self.platform.config(front.origin, self.keep)

    def state(self) -> Any:
        return plain(self.platform)

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        self.platform.hold(payload, at)

    def post(self, body: str) -> None:
        self.platform.post(body)

    def lapse(self) -> None:
        self.platform.lapse()

    def scenes(self, ability: str) -> Sequence[Scene]:
        """As the simulated platform offers them."""
        found: Sequence[Scene] = self.platform.scenes(ability)
        return found

    def records(self, key: str) -> Sequence[Mapping[str, str]]:
        return self._people.records(self.platform, key)

    def notes(self, key: str) -> Sequence[str]:
        return self._people.notes(self.platform, key)

    def people_write(self, key: str) -> Mapping[str, str]:
        return self._people.write(self.platform, key)

    @property
    def _people(self) -> PeopleOfSnow:
        if self.connector.name not in _PEOPLE:
            raise Broken(f"{self.connector.name} keeps cases: say in tests/connectors/rigs.py how people work on them")
        return _PEOPLE[self.connector.name]


class PeopleOfSnow:
    """ServiceNow, as people see and use it."""

    def records(self, platform: Any, key: str) -> list[dict[str, str]]:
        return [row for row in platform.rows("sn_si_incident") if row["correlation_id"] == key]

    def notes(self, platform: Any, key: str) -> list[str]:
        own = {row["sys_id"] for row in self.records(platform, key)}
        return [row["value"] for row in platform.rows("sys_journal_field") if row["element_id"] in own]

    def write(self, platform: Any, key: str) -> dict[str, str]:
        (row,) = self.records(platform, key)
        group = platform.tables.insert("sys_user_group", {"name": "Payments on call"}, ANALYST)["sys_id"]
        theirs = {"state": "16", "assigned_to": platform.people[ANALYST], "assignment_group": group, "category": "Cloud"}
        written = {**theirs, "work_notes": "I have called the team."}
        platform.tables.update("sn_si_incident", row["sys_id"], written, ANALYST)
        return theirs


_PEOPLE = {"servicenow": PeopleOfSnow()}


def plain(value: Any) -> Any:
    """Everything a simulated platform knows, in plain values, so that two looks can be compared."""
    if value is None or isinstance(value, str | bytes | int | float | datetime):
        return value
    if isinstance(value, Mapping):
        return {repr(key): plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, Sequence | deque):
        return [plain(one) for one in value]
    if not type(value).__module__.startswith("isthmus.") or callable(value):
        return type(value).__name__
    fields = {one.name for one in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set(vars(value))
    return {name: plain(getattr(value, name)) for name in sorted(fields) if not any(word in name for word in _NO_STATE)}

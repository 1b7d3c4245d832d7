"""A simulated ServiceNow behind real TLS, our sink in front of it, and a case to put."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from isthmus.connectors.servicenow import CONNECTOR
from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.simulated import SimulatedSnow
from isthmus.contracts.roles import CaseSink
from isthmus.lab.servers import Faults, Town
from isthmus.model.cases import Case, CaseRecord
from isthmus.wire.http import WireOutward

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = "default/INC-0123456789abcdef"
TABLE = "sn_si_incident"
T = TypeVar("T")

CASE = Case(
    key=KEY,
    version="a1",
    title="Leaked access key of a payments role",
    priority="act",
    score=91,
    severity="critical",
    verdict="true_positive",
    confidence="high",
    summary="A key of the role was used from an address nobody here knows.",
    impact="Reads the bucket of card data.",
    root_cause="The key was pushed to a public repository.",
    owner="payments",
    assets=("role arn:aws:iam::210987654321:role/payments",),
    steps=("aws.deactivate_key on AKIAIOSFODNN7EXAMPLE: under way",),
    remedies=("Use roles, not keys (terraform)",),
    links=("https://isthmus.example.com/incidents/INC-0123456789abcdef",),
    note="Opened with 3 findings",
)


def at_version(version: str, **changed: Any) -> Case:
    """The case as it reads later."""
    return replace(CASE, version=version, note=f"What is new in {version}", **changed)


class Stage:
    """One server for many instances, one after the other: starting and ending a server takes longer than a test."""

    def __init__(self, town: Town) -> None:
        self.town, self.app, self.faults = town, SimulatedSnow().app, Faults()
        self.origin = town.serve(self, self.faults)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def show(self, app: Any) -> None:
        """From now on this application answers, without faults and with nothing called."""
        self.app = app
        vars(self.faults).pop("take", None)
        vars(self.faults).update(vars(Faults()))


class Instance:
    """One ServiceNow; `settings` are ours for it."""

    def __init__(self, stage: Stage, oauth: bool = False) -> None:
        self.platform, self.faults, self.town = SimulatedSnow(), stage.faults, stage.town
        self.now, self.origin = NOW, stage.origin
        stage.show(self.platform.app)
        self.settings = (self.platform.oauth if oauth else self.platform.config)(self.origin, self.town.secret)

    def outward(self, attempts: int = 1) -> WireOutward:
        return WireOutward(lambda: self.now, self.town.authority, attempts=attempts, timeout=1.0)

    def sink(self, outward: WireOutward, **settings: Any) -> CaseSink:
        assert CONNECTOR.connect is not None
        found: CaseSink | None = CONNECTOR.connect(SnowConfig(**(self.settings | settings)), outward).sink
        assert found is not None
        return found

    def speak(self, work: Callable[[CaseSink], Awaitable[T]], attempts: int = 1, **settings: Any) -> T:
        async def go() -> T:
            outward = self.outward(attempts)
            try:
                return await work(self.sink(outward, **settings))
            finally:
                await outward.close()

        return asyncio.run(go())

    def put(self, case: Case = CASE, **settings: Any) -> CaseRecord:
        return self.speak(lambda sink: sink.put(case), **settings)

    def read(self, key: str = KEY, **settings: Any) -> CaseRecord | None:
        return self.speak(lambda sink: sink.read(key), **settings)

    @property
    def cases(self) -> list[dict[str, str]]:
        return self.platform.rows(TABLE)

    @property
    def active(self) -> list[dict[str, str]]:
        return [row for row in self.cases if row["active"] == "true"]

    @property
    def notes(self) -> list[str]:
        return [row["value"] for row in self.platform.rows("sys_journal_field") if row["element"] == "work_notes"]

    def notes_on(self, sys_id: str) -> list[str]:
        return [row["value"] for row in self.platform.rows("sys_journal_field") if row["element_id"] == sys_id]

    @property
    def writes(self) -> int:
        return sum(call.split()[0] in {"POST", "PATCH"} and "/table/" in call for call in self.faults.calls)

    def person_writes(self, **values: str) -> None:
        """A person changes the one case there is."""
        (row,) = self.cases
        self.platform.tables.update(TABLE, row["sys_id"], values, "maria.lind")

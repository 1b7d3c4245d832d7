"""An installation in a folder: the real store, line, policy, guard and desk, with a small cloud and case system of ours.

The cloud and the case system stand for platforms; what is under test is everything between them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from isthmus import assembly
from isthmus.act.guard.config import DEFAULT, GuardConfig
from isthmus.answer.case import case_of
from isthmus.contracts.checks import drill
from isthmus.contracts.roles import Roles
from isthmus.decide import bundle as bundles
from isthmus.decide.bundle import Bundle
from isthmus.desk.desk import Desk
from isthmus.desk.guarding import Guarding
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.reading import Reader
from isthmus.desk.words import Words
from isthmus.desk.work import Work
from isthmus.lab.world import POLICY
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.cases import Case, CaseRecord
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.estate import Account, Criticality, Environment, Estate
from isthmus.model.findings import Finding, Kind
from isthmus.model.people import Person, Role
from isthmus.model.plans import Action, Outcome, Preview, Result, Target, version_of
from isthmus.model.severity import Severity
from isthmus.pipeline import Parts
from isthmus.record import people
from isthmus.record.checkpoints import Signer
from isthmus.record.inbox import API, Handed
from isthmus.record.store import open_store
from isthmus.steps import Authority

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DEV, PROD = "111111111111", "222222222222"
HOST, PROD_HOST = "i-0123456789abcdef0", "i-0fedcba9876543210"
ROSA = Person("rosa", "default", "Rosa", Role.ADMIN)
ADA = Person("ada", "default", "Ada", Role.APPROVER)
CAL = Person("cal", "default", "Cal", Role.APPROVER)
BEN = Person("ben", "default", "Ben", Role.ANALYST)
VIC = Person("vic", "default", "Vic", Role.VIEWER)
BOT = Person("bot", "default", "A program", Role.APPROVER, human=False)


@dataclass
class Cloud:
    """Hosts and their groups. `writes` is every change anybody made through us; `away` makes it unreachable."""

    account: str
    groups: dict[str, str] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    away: bool = False

    @property
    def abilities(self) -> tuple[str, ...]:
        return "aws.isolate_instance", "aws.stop_instance"

    async def resolve(self, action: Action) -> Target:
        self._there(action.target)
        handle = f"aws:{self.account}/eu-west-1/instance/{action.target}"
        return Target(handle, action.target, AssetKind.INSTANCE, "aws", self.account, "eu-west-1", provenance="aws")

    async def preview(self, action: Action, target: Target, at: datetime) -> Preview:
        self._there(target.id)
        before = {"group": self.groups[target.id]}
        call = f"move {target.id} to the empty group"
        given: Mapping[str, str] = action.parameters
        return Preview(action.ability, target, given, (call,), before, version_of(before), at, before["group"] == "empty")

    async def apply(self, preview: Preview, token: str, at: datetime) -> Outcome:
        self._there(preview.target.id)
        self.writes.append(f"isolate {preview.target.id}")
        self.groups[preview.target.id] = "empty"
        return Outcome(Result.DONE, f"moved ({token[:4]})", at)

    async def verify(self, preview: Preview, at: datetime) -> Outcome:
        self._there(preview.target.id)
        moved = self.groups[preview.target.id] == "empty"
        return Outcome(Result.DONE if moved else Result.FAILED, "in the empty group" if moved else "not moved", at)

    async def undo(self, preview: Preview, at: datetime) -> Outcome:
        self._there(preview.target.id)
        if self.groups[preview.target.id] not in {"empty", preview.before["group"]}:
            raise Refused("somebody else moved it")
        self.writes.append(f"restore {preview.target.id}")
        self.groups[preview.target.id] = preview.before["group"]
        return Outcome(Result.UNDONE, "as before", at)

    def _there(self, name: str) -> None:
        if self.away:
            raise Unreachable("the cloud does not answer")
        if name not in self.groups:
            raise Refused(f"no such instance {name[:40]}")


@dataclass
class CaseBook:
    """A case system that keeps cases by key. `puts` counts what was really written."""

    cases: dict[str, Case] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    away: bool = False

    async def put(self, case: Case) -> CaseRecord:
        if self.away:
            raise Unreachable("the case system does not answer")
        if self.cases.get(case.key) != case:
            self.puts.append(case.key)
            self.cases[case.key] = case
        return self._record(case)

    async def read(self, key: str) -> CaseRecord | None:
        if self.away:
            raise Unreachable("the case system does not answer")
        return self._record(self.cases[key]) if key in self.cases else None

    def _record(self, case: Case) -> CaseRecord:
        return CaseRecord("book", case.key, f"C-{case.key[-4:]}", f"https://cases.example/{case.key}", "open", case.version)


@dataclass
class Asked:
    """What the platform says when it is asked back about a webhook, by source id."""

    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        if source_id not in self.known:
            raise Refused("not known")
        return (self.known[source_id],)


@cache
def loaded(policy: Path) -> Bundle:
    """Loading a bundle checks it against everything that must never be; once is enough here."""
    return bundles.load(policy)


class Site:
    """Everything of one installation, with a clock that stands until somebody moves it."""

    def __init__(self, folder: Path, guard: GuardConfig = DEFAULT, policy: Path = POLICY, database: URL | None = None) -> None:
        self.folder, self.now = folder, NOW
        self.store = open_store(folder, database)
        self.kill = folder / "kill"
        self.dev = Cloud(DEV, {HOST: "web"})
        self.prod = Cloud(PROD, {PROD_HOST: "web"})
        self.book, self.asked = CaseBook(), Asked()
        self.bundle = loaded(policy)
        self.guard = guard
        self.estate = Estate(
            {
                DEV: Account("dev", Environment.DEVELOPMENT, "engineering", Criticality.HIGH),
                PROD: Account("prod", Environment.PRODUCTION, "payments", Criticality.HIGH),
            }
        )
        with self.store.writing() as connection:
            for person in (ROSA, ADA, CAL, BEN, VIC, BOT):
                people.put(connection, self.store.keys, person, NOW, "operator")
        self.assemble()

    def assemble(self) -> None:
        """As at a start: nothing is remembered but what is on disk."""
        wiz, aws, snow = (assembly.connector(name) for name in ("wiz", "aws", "servicenow"))
        self.instances = Instances(
            [
                Instance("wiz-main", "default", wiz, Roles(refetcher=self.asked)),
                Instance("aws-dev", "default", aws, Roles(inventory=self.dev, actuator=self.dev), DEV),
                Instance("aws-prod", "default", aws, Roles(inventory=self.prod, actuator=self.prod), PROD),
                Instance("book", "default", snow, Roles(sink=self.book)),
            ]
        )
        numbers = count()
        authority = Authority(
            bundle=self.bundle,
            hand=lambda action, incident: self.instances.hand(action, incident, lambda one: case_of(one, "")),
            guard=Guarding(self.store, self.guard, self.kill, self.instances).check,
            people=self.people,
            verify=self.store.keys.verify,
            render=lambda incident: case_of(incident, ""),
            nonce=lambda: f"nonce-{next(numbers)}-{self.now.isoformat()}",
        )
        parts = Parts((), estate=self.estate, authority=authority)
        reader = Reader(self.store, {"wiz": wiz.source}, frozenset(), frozenset({"wiz-main"}))
        self.work = Work(self.store, parts, self.instances, reader, ticks=lambda: 0.0)
        self.words = Words(self.store)
        self.desk = Desk(self.store, self.instances, self.words, Signer("isthmus", self.store.keys.private).key)

    def people(self, tenant: str) -> dict[str, Person]:
        with self.store.reading() as connection:
            return people.register(connection, self.store.keys, tenant)

    def deliver(self, finding: Finding, channel: str = API, confirmed: bool = True) -> None:
        """The finding as Wiz would write it; by webhook, the platform confirms it when asked unless `confirmed` is off."""
        payload = next(iter(assembly.connector("wiz").simulator.payloads(finding)))
        if confirmed:
            self.asked.known[finding.source_id] = payload
        body = json.dumps(payload).encode()
        assert self.desk.accept([Handed("default", "wiz", "wiz-main", channel, "test", body, self.now)])

    def settle(self, most: int = 200) -> None:
        """Turns until nothing is due at this moment."""
        with asyncio.Runner() as runner:
            for _ in range(most):
                again = runner.run(self.work.turn(self.now))
                if again is None or again > self.now:
                    return
        raise AssertionError("it never came to rest")

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def only(self, ability: str = "aws.isolate_instance") -> tuple[Any, Any]:
        """The one incident with this ability, and the step."""
        found = [
            (view, step)
            for row in self.desk.queue(BEN, {})
            for view in [self.desk.incident(BEN, row.id, self.now)]
            for step in view.steps
            if step.ability == ability
        ]
        assert len(found) == 1, [(view.id, step.ability) for view, step in found]
        return found[0]


def attack(account: str = DEV, host: str = HOST, number: int = 1, **told: Any) -> Finding:
    """A grave detection on a host, as Wiz Defend tells it."""
    plain = drill(Kind.THREAT, "wiz")
    asset = Asset(
        AssetKind.INSTANCE, "aws", account, "eu-west-1", plain.asset.name, (f"arn:aws:ec2:eu-west-1:{account}:instance/{host}",)
    )
    own = f"7f0c2d54-0a54-4f0e-9d53-{number:012d}"
    return replace(plain, source_id=own, asset=asset, **{"severity": Severity.CRITICAL, "ties": (), "blocked": False, **told})

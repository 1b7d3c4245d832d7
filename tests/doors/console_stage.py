"""A desk for tests of the console: people with keys, incidents read from a platform's own payloads, steps made by hand."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asgi_csrf  # type: ignore[import-untyped]
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from tests.telling import asset, finding, told

from isthmus import assembly, pipeline
from isthmus.contracts.roles import Source
from isthmus.decide import approvals
from isthmus.desk.desk import Desk
from isthmus.desk.instances import Instances
from isthmus.desk.reading import Reader
from isthmus.desk.saving import save
from isthmus.desk.words import Words
from isthmus.doors.console.routes import mounted
from isthmus.model.assets import AssetKind
from isthmus.model.estate import Environment
from isthmus.model.findings import Kind
from isthmus.model.incidents import Incident
from isthmus.model.people import Person, Role
from isthmus.model.plans import (
    Action,
    Approval,
    Decision,
    Intent,
    Outcome,
    Preview,
    Result,
    Ruling,
    Step,
    Target,
    Trouble,
    version_of,
)
from isthmus.model.severity import Severity
from isthmus.pipeline import Parts
from isthmus.record import inbox, incidents, ledger, people
from isthmus.record.checkpoints import Signer
from isthmus.record.inbox import API, Handed
from isthmus.record.store import Store, open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BUNDLE = "b" * 64
PEOPLE = (
    Person("vera", "default", "Vera V.", Role.VIEWER),
    Person("anna", "default", "Anna A.", Role.ANALYST),
    Person("paul", "default", "Paul P.", Role.APPROVER),
    Person("petra", "default", "Petra Q.", Role.APPROVER),
    Person("adam", "default", "Adam D.", Role.ADMIN),
    Person("robot", "default", "", Role.APPROVER, human=False),
    Person("else", "other", "Somebody of another tenant", Role.APPROVER),
)


@dataclass
class Stage:
    """A desk and what goes with it. `keys` are API keys by person; `now` is what the console's clock says."""

    desk: Desk
    store: Store
    signer: Signer
    keys: Mapping[str, str]
    now: datetime = NOW

    @property
    def app(self) -> Any:
        """The console as the real application mounts it: inside a signed session and asgi-csrf."""
        sessions = Middleware(SessionMiddleware, secret_key=self.store.keys.derived("session"), same_site="strict")
        routes = mounted(self.desk, lambda: self.now)
        inside = Starlette(routes=routes, middleware=[sessions])
        protected = asgi_csrf.asgi_csrf(inside, signing_secret="s" * 32)
        return protected

    def person(self, name: str) -> Person:
        return next(one for one in PEOPLE if one.id == name)

    def take(self, payloads: Iterable[Any], sources: Mapping[str, Source]) -> list[str]:
        """Read these payloads as their platform's API would hand them over, and assess what they are about."""
        handed = [
            Handed("default", name, f"{name}-main", API, f"delivery-{number}", json.dumps(payload).encode(), self.now)
            for number, (name, payload) in enumerate(payloads)
        ]
        with self.store.writing() as connection:
            inbox.accept(connection, handed)
        Reader(self.store, sources, frozenset(), frozenset()).read(self.now)
        return self.settle()

    def settle(self) -> list[str]:
        """Every incident assessed and planned; their names."""
        with self.store.reading() as connection:
            names = list(incidents.ids(connection, "default"))
        for name in names:
            self.change(name, lambda one: _settled(one, self.now))
        return names

    def change(self, name: str, changed: Any) -> None:
        """The incident as `changed` makes it, saved."""
        with self.store.writing() as connection:
            stored = incidents.load(connection, self.store.keys, "default", name)
            after = replace(stored, incident=changed(stored.incident))
            save(connection, self.store.keys, after, self.now, "test.staged", {})

    def steps(self, name: str, *steps: Step) -> None:
        """Give the incident these steps."""
        self.change(name, lambda one: one.with_round(replace(one.current, steps=steps)))

    def loaded(self, name: str) -> Incident:
        with self.store.reading() as connection:
            return incidents.load(connection, self.store.keys, "default", name).incident

    def signed(self) -> None:
        """A checkpoint over the record as it stands."""
        with self.store.writing() as connection:
            ledger.checkpoint(connection, self.signer)


def staged(folder: Path) -> Stage:
    """An installation with people and nothing else."""
    store = open_store(folder)
    signer = Signer("isthmus", store.keys.private)
    keys = {}
    with store.writing() as connection:
        for one in PEOPLE:
            people.put(connection, store.keys, one, NOW, "setup")
            keys[one.id] = people.new_key(connection, store.keys, one, None, NOW, "setup")
    return Stage(Desk(store, Instances(()), Words(store), signer.key), store, signer, keys)


def _settled(incident: Incident, now: datetime) -> Incident:
    with asyncio.Runner() as runner:
        return runner.run(pipeline.settled(incident, Parts(sources=()), now))


def story(stage: Stage, title: str = "Reverse shell seen", on: int = 1) -> str:
    """One incident of two findings about an instance, read from Wiz payloads and assessed; its name."""
    with stage.store.reading() as connection:
        before = set(incidents.ids(connection, "default"))
    machine = asset(number=on)
    first = finding(Kind.THREAT, machine, title, Severity.CRITICAL, str(on * 10 + 1))
    second = finding(Kind.TOXIC_COMBINATION, machine, f"{title} too", Severity.HIGH, str(on * 10 + 2), internet=True)
    names = stage.take([("wiz", told("wiz", one)) for one in (first, second)], sources())
    return next(one for one in names if one not in before)


class Door:
    """A browser without a window: keeps cookies, follows nothing by itself, takes the form's token from a page."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.client = AsyncClient(transport=ASGITransport(app=stage.app), base_url="http://console.test")

    def ask(self, method: str, path: str, **more: Any) -> Response:
        with asyncio.Runner() as runner:
            return runner.run(self.client.request(method, path, **more))

    def get(self, path: str, params: Mapping[str, str] | None = None, follow: bool = False) -> Response:
        # httpx puts the parameters in place of a query that stands in the path.
        return self.ask("GET", path, **({"params": dict(params)} if params else {}), follow_redirects=follow)

    def token(self) -> str:
        found = re.search(r'name="csrftoken" value="([^"]+)"', self.get("/signin", follow=True).text)
        assert found
        return html.unescape(found[1])

    def post(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        token: bool = True,
        headers: Mapping[str, str] | None = None,
        **more: str,
    ) -> Response:
        """Send a form; `token` says whether with the one our pages carry."""
        sent = {**(fields or {}), **more, **({"csrftoken": self.token()} if token else {})}
        return self.ask("POST", path, data=sent, headers=dict(headers or {}))

    def enter(self, person: str, to: str = "") -> Response:
        """Sign in with this person's key."""
        return self.post("/signin", key=self.stage.keys[person], next=to)


def revision(stage: Stage, name: str) -> int:
    return stage.desk.incident(stage.person("paul"), name, NOW).revision


def every_field(stage: Stage, name: str) -> dict[str, str]:
    """All fields of all forms, filled in so that each would do something."""
    view = stage.desk.incident(stage.person("paul"), name, NOW)
    later = f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M}"
    plan = next((one.plan_hash for one in view.steps if one.plan_hash), "")
    placed = next((one for one in view.steps if one.in_place), None)
    return {
        **{"reason": "because", "text": "because", "until": later, "verdict": "true_positive", "plan_hash": plan},
        **{"finding": view.findings[0], "other": "INC-00"},
        **({"ability": placed.ability, "target": placed.target} if placed else {}),
    }


def sources() -> dict[str, Source]:
    """Every vendor's source by name."""
    return {one.name: one.source for one in assembly.catalogue() if one.source.shapes}


def target(native: str = "i-00000000000000001", **more: Any) -> Target:
    """What our inventory says of an instance."""
    plain = Target(
        handle=f"aws:210987654321/eu-west-1/instance/{native}",
        id=native,
        kind=AssetKind.INSTANCE,
        provider="aws",
        account="210987654321",
        region="eu-west-1",
        environment=Environment.PRODUCTION,
        owner="payments",
        provenance="aws inventory; account by our settings",
    )
    return replace(plain, **more)


def decided(ability: str = "aws.isolate_instance", ruling: Ruling = Ruling.ASK, people_asked: int = 2, **more: Any) -> Step:
    """A step with target, decision and preview."""
    on = target(**more)
    action = Action(ability, on.id, {"account": on.account, "region": on.region}, 1)
    before = {"groups": ["sg-0web", "sg-0ssh"], "tags": {"Name": "web-1"}}
    calls = (
        "ec2:CreateSecurityGroup isthmus-isolation-vpc-1",
        "ec2:ModifyNetworkInterfaceAttribute eni-1 groups=[sg-isolation]",
    )
    preview = Preview(ability, on, action.parameters, calls, before, version_of(before), NOW)
    decision = Decision(ruling, ("production-needs-two",), "production: two people have to agree", BUNDLE, people_asked)
    return Step(action, target=on, decision=decision, preview=preview)


def asked(
    people_asked: int = 2, requester: str = "isthmus", now: datetime = NOW, words: tuple[Approval, ...] = (), **more: Any
) -> Step:
    """A step that waits for people, asked for the real way, so that its hash is of its plan."""
    step = decided(people_asked=people_asked, **more)
    assert step.decision is not None
    clocks = timedelta(minutes=30), timedelta(minutes=15)
    return replace(step, request=approvals.ask(step, step.decision, requester, now, "n" * 32, *clocks), approvals=words)


def in_place(now: datetime = NOW) -> Step:
    """A containment of ours that stands."""
    step = decided("aws.block_public_access", Ruling.AUTOMATIC, 0, native="tidewater-1", kind=AssetKind.BUCKET)
    done = Outcome(Result.DONE, "read back: all four blocks are on", now)
    return replace(step, intent=Intent("token-1", now), outcome=done, lease_until=now + timedelta(hours=8))


def others(now: datetime = NOW) -> tuple[Step, ...]:
    """Steps in the other states there are: case opened, spared, refused, undone, in trouble."""
    case = Step(Action("case.open", "INC", {}, 9), decision=Decision(Ruling.AUTOMATIC, ("cases",), "cases are opened", BUNDLE))
    opened = Outcome(Result.DONE, "opened SIR0010001", now, "https://servicenow.example.com/sir?id=SIR0010001", "v1")
    spared = Decision(Ruling.SPARE, ("smallest-first",), "a smaller step on the same target comes first", BUNDLE)
    stop = decided("aws.stop_instance")
    undone = replace(in_place(now), undone=Outcome(Result.UNDONE, "read back: as it was before", now))
    return (
        replace(case, intent=Intent("token-2", now), outcome=opened),
        Step(stop.action, decision=spared),
        replace(stop, action=replace(stop.action, target="i-2"), outcome=Outcome(Result.REFUSED, "guard: protected", now)),
        replace(undone, action=replace(undone.action, target="tidewater-2")),
        Step(Action("case.update", "INC-1", {}, 9), trouble=Trouble("servicenow: answered 503", now, now, 3)),
    )

"""Lacework over TLS against the simulated Lacework: alerts and rows by their ids, errors, tokens, pages, secrets."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.lacework import CONNECTOR
from isthmus.connectors.lacework.config import LaceworkConfig
from isthmus.connectors.lacework.simulated import SimulatedLacework
from isthmus.contracts.checks import drill, read_all, samples
from isthmus.contracts.roles import Roles
from isthmus.lab.servers import Faults, Town
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.errors import IsthmusError, Refused, Unreachable
from isthmus.model.findings import Finding, Kind
from isthmus.model.outside import Outside
from isthmus.wire.http import WireHttp, WireOutward

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CANARY = "canary-8c2e6d19-never-shown"
T = TypeVar("T")


class Quick(WireOutward):
    """The real way out, without waiting for the rate."""

    def http(self, origin: str, *, per_second: float = 5.0) -> WireHttp:
        assert per_second == 1.0
        return super().http(origin, per_second=10_000)


class Stage:
    """One server for the whole file; each test puts a fresh platform on it."""

    def __init__(self, town: Town) -> None:
        self.town, self.faults = town, Faults()
        self.platform = SimulatedLacework()
        self.origin = town.serve(self._play, self.faults)

    async def _play(self, scope: Any, receive: Any, send: Any) -> None:
        await self.platform.app(scope, receive, send)


class Lacework:
    """A simulated Lacework behind TLS, and what is needed to speak to it."""

    def __init__(self, stage: Stage) -> None:
        self.platform, self.faults, self.town = SimulatedLacework(rows_a_page=2), stage.faults, stage.town
        stage.platform, self.now = self.platform, NOW
        vars(stage.faults).update(vars(Faults()))
        self.settings = self.platform.config(stage.origin, stage.town.secret)

    def speak(self, work: Callable[[Roles], Awaitable[T]], attempts: int = 1, **settings: Any) -> T:
        async def go() -> T:
            outward = Quick(lambda: self.now, self.town.authority, attempts=attempts, timeout=1.0)
            try:
                assert CONNECTOR.connect is not None
                return await work(CONNECTOR.connect(LaceworkConfig(**(self.settings | settings)), outward))
            finally:
                await outward.close()

        return asyncio.run(go())

    def refetch(self, own: str, **settings: Any) -> tuple[dict[str, Any], ...]:
        return self.speak(lambda roles: fetched(roles, own), **settings)

    @property
    def tokens_asked(self) -> int:
        return self.faults.calls.count("POST /api/v2/access/tokens")


async def fetched(roles: Roles, own: str) -> tuple[dict[str, Any], ...]:
    assert roles.refetcher is not None
    return await roles.refetcher.refetch(own)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield Stage(town)


@pytest.fixture
def lacework(stage: Stage) -> Lacework:
    return Lacework(stage)


def written(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(next(iter(CONNECTOR.simulator.payloads(finding)))))
    return found


def by_key(payloads: tuple[dict[str, Any], ...]) -> dict[str, Finding]:
    claims = [claim for payload in payloads for claim in read_all(CONNECTOR, payload)]
    assert all(isinstance(claim, Finding) for claim in claims)
    return {claim.key: claim for claim in claims if isinstance(claim, Finding)}


IMAGE = Asset(AssetKind.IMAGE, name=Outside("registry.example/shop:latest"), ids=("sha256:" + "ab" * 32,))
SAMPLES = dict(samples(CONNECTOR))
READABLE = ("alert-host", "alert-pod", "alert-two-violations", "container-exception", "host-advisory", "host-good")
HELD = {
    "threat": written(replace(drill(Kind.THREAT, "lacework"), source_id="967272")),
    "misconfiguration": written(replace(drill(Kind.MISCONFIGURATION, "lacework"), source_id="967273")),
    "host": written(drill(Kind.VULNERABILITY, "lacework")),
    "image": written(replace(drill(Kind.VULNERABILITY, "lacework"), asset=IMAGE)),
} | {name: SAMPLES[f"{name}.json"]["payload"].get("data", SAMPLES[f"{name}.json"]["payload"]) for name in READABLE}


@pytest.mark.parametrize("name", sorted(HELD))
def test_an_alert_read_by_its_id_is_the_alert_that_is_held(lacework: Lacework, name: str) -> None:
    for payload in HELD.values():
        lacework.platform.hold(payload, NOW)
    for key, held in by_key((HELD[name],)).items():
        assert by_key(lacework.refetch(held.source_id))[key] == held


def test_the_alert_of_a_webhook_reads_to_every_resource_it_speaks_of(lacework: Lacework) -> None:
    lacework.platform.hold(HELD["alert-two-violations"], NOW)
    alert = str(HELD["alert-two-violations"]["alertId"])
    read = by_key(lacework.refetch(alert))
    assert len(read) == 2
    assert all(finding.source_id.startswith(f"{alert}/") for finding in read.values())


def test_a_resource_an_alert_no_longer_speaks_of_is_refused(lacework: Lacework) -> None:
    lacework.platform.hold(HELD["alert-two-violations"], NOW)
    with pytest.raises(Refused, match="does not speak of"):
        lacework.refetch(f"{HELD['alert-two-violations']['alertId']}/0123456789ab")


STRANGE_IDS = [
    *("", "0", "-1", "1.5", "12/..", "12/../../Queries/execute", "12?scope=Events", "12#", "١٢", "12\n", " 12", "9" * 19),
    *("i-0abc/CVE-2021-1", "../x/CVE-2021-1/debian/curl", "i-0abc/CVE 2021/debian/curl", 'i-0abc/CVE"}/debian/curl'),
    *("i-0abc/CVE-2021-1/debian/curl\n", "i-0abc/CVE-2021-1/debian/cu\x1brl", f"i-0abc/CVE-2021-1/debian/{'x' * 301}"),
]


@pytest.mark.parametrize("own", STRANGE_IDS)
def test_what_is_no_id_of_lacework_is_refused_without_a_call(lacework: Lacework, own: str) -> None:
    with pytest.raises(Refused, match="not an id of Lacework"):
        lacework.refetch(own)
    assert lacework.faults.calls == []


def test_a_package_finding_cannot_be_read_again_and_that_is_declared(lacework: Lacework) -> None:
    ((_, claim),) = by_key((SAMPLES["package.json"]["payload"],)).items()
    with pytest.raises(Refused, match="keeps no package findings"):
        lacework.refetch(claim.source_id)
    assert lacework.faults.calls == []
    assert "read a package finding by its id" in CONNECTOR.cannot


@given(st.text(alphabet='0123456789abcdefi-/.:?#%&\\ CVE\n"{}', max_size=40))
def test_no_id_leads_anywhere_but_to_an_alert_or_a_search(own: str) -> None:
    asked: list[tuple[str, str]] = []

    class Listening:
        def http(self, origin: str, *, per_second: float = 5.0) -> Any:
            return self

        def secret(self, reference: str) -> Any:
            raise Unreachable("no secrets here")

        def now(self) -> datetime:
            return NOW

        async def request(self, method: str, path: str, **_: Any) -> Any:
            asked.append((method, path))
            raise Unreachable("nobody there")

    assert CONNECTOR.connect is not None
    settings = {"origin": "https://tidewater.lacework.net", "key_id": "env:A", "secret": "env:B"}
    roles = CONNECTOR.connect(LaceworkConfig.model_validate(settings), Listening())
    with pytest.raises(IsthmusError):
        asyncio.run(fetched(roles, own))
    assert asked == []


def test_what_lacework_does_not_know_is_refused(lacework: Lacework) -> None:
    (held,) = by_key((HELD["host"],)).values()
    for own, said in (("4711", "knows no alert 4711"), (held.source_id, "has no row")):
        with pytest.raises(Refused, match=said):
            lacework.refetch(own)
    lacework.platform.hold(HELD["host"], NOW)
    with pytest.raises(Refused, match="has no row"):
        lacework.refetch(held.source_id + "-dev")


def test_of_many_pages_the_newest_row_of_the_right_finding_is_taken(lacework: Lacework) -> None:
    (held,) = by_key((HELD["host"],)).values()
    for number in range(9):
        row = copy.deepcopy(HELD["host"])
        row["featureKey"]["name"] = "log4j-core" if number in {3, 6, 8} else f"other-{number}"
        row["props"]["last_updated_time"] = f"2026-03-0{1 if number != 6 else 2}T0{number}:00:00.000Z"
        lacework.platform.hold(row, NOW)
    ((_, read),) = by_key(lacework.refetch(held.source_id)).items()
    assert read.key == held.key
    assert read.times.updated == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert len(lacework.faults.calls) == 1 + 5, "a token, five pages of two"


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "https://127.0.0.1:1", "ftp://x", "//elsewhere.example"])
def test_a_next_page_elsewhere_is_not_followed(lacework: Lacework, origin: str) -> None:
    (held,) = by_key((HELD["host"],)).values()
    for _ in range(3):
        lacework.platform.hold(HELD["host"], NOW)
    lacework.platform.next_origin = origin
    with pytest.raises(Refused, match="not followed"):
        lacework.refetch(held.source_id)


@pytest.mark.parametrize("status", [400, 403, 302])
def test_a_status_that_says_no_is_refused(lacework: Lacework, status: int) -> None:
    lacework.faults.only, lacework.faults.always = "/Alerts/", status
    with pytest.raises(Refused, match=str(status)):
        lacework.refetch("967272")


@pytest.mark.parametrize("fault", [429, 500, 503, "hang", "html", "empty", "truncated", "reset"])
@pytest.mark.parametrize("where", ["/Alerts/", "/access/tokens"])
def test_a_platform_that_is_ill_is_unreachable(lacework: Lacework, fault: int | str, where: str) -> None:
    lacework.platform.hold(HELD["threat"], NOW)
    lacework.faults.only, lacework.faults.always, lacework.faults.hang = where, fault, 1.5
    with pytest.raises(Unreachable):
        lacework.refetch("967272")
    lacework.faults.always = None
    assert lacework.refetch("967272")


async def thrice(roles: Roles, between: Callable[[], None]) -> None:
    for _ in range(3):
        await fetched(roles, "967272")
        between()


def test_one_token_serves_many_calls_and_a_new_one_is_fetched_when_it_is_forgotten(lacework: Lacework) -> None:
    lacework.platform.hold(HELD["threat"], NOW)
    lacework.speak(lambda roles: thrice(roles, lambda: None))
    assert lacework.tokens_asked == 1
    lacework.faults.calls.clear()
    lacework.speak(lambda roles: thrice(roles, lacework.platform.expire))
    assert lacework.tokens_asked == 3


@pytest.mark.parametrize("ends_at", [None, "soon", "2099-01-01T00:00:00.000Z", (NOW + timedelta(minutes=56)).isoformat()])
def test_a_token_is_renewed_before_it_runs_out(lacework: Lacework, ends_at: object) -> None:
    lacework.platform.hold(HELD["threat"], NOW)
    lacework.platform.ends_at = ends_at

    def later() -> None:
        lacework.now += timedelta(minutes=28)

    lacework.speak(lambda roles: thrice(roles, later))
    assert lacework.tokens_asked == 2, "after 28 minutes not yet, after 56 again"


def test_a_token_that_is_turned_down_at_once_is_refused(lacework: Lacework) -> None:
    lacework.faults.only, lacework.faults.always = "/Alerts/", 401
    with pytest.raises(Refused, match="turns down the token"):
        lacework.refetch("967272")
    assert lacework.tokens_asked == 2


def test_wrong_credentials_are_refused_and_no_secret_is_shown(lacework: Lacework, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong, told = lacework.town.secret("wrong", CANARY), ""
    for settings in ({"secret": wrong}, {"key_id": wrong}, {"secret": "file:/nowhere/at-all"}):
        with pytest.raises(Refused) as refused:
            lacework.refetch("967272", **settings)
        told += f"{refused.value!r} {refused.value.__cause__!r}"
    with pytest.raises(Refused) as unknown:
        lacework.refetch("967272")
    shown = told + repr(unknown.value) + caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    secrets = {CANARY, Path(lacework.settings["secret"].removeprefix("file:")).read_text(), *lacework.platform.tokens}
    assert len(secrets) == 3
    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.parametrize("name", ["a b", "x\r\ny: z", "../up", "-x"])
def test_a_sub_account_is_a_name(name: str) -> None:
    settings = {"origin": "https://tidewater.lacework.net", "key_id": "env:A", "secret": "env:B"}
    with pytest.raises(ValueError):
        LaceworkConfig.model_validate(settings | {"sub_account": name})
    assert LaceworkConfig.model_validate(settings | {"sub_account": "harbour"}).sub_account == "harbour"

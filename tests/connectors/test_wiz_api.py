"""Wiz over TLS against the simulated Wiz: one alert by its id, errors, tokens, secrets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.wiz import CONNECTOR
from isthmus.connectors.wiz.config import WizConfig
from isthmus.connectors.wiz.simulated import SimulatedWiz
from isthmus.contracts.checks import drill, read_all, samples
from isthmus.contracts.roles import Roles
from isthmus.lab.servers import Faults, Town
from isthmus.model.errors import IsthmusError, Refused, Unreachable
from isthmus.model.findings import Finding, Kind
from isthmus.wire.http import WireHttp, WireOutward

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OWN = "7f0c2d54-0a54-4f0e-9d53-0f6d1f2b3c4d"
CANARY = "canary-5b1f0a77-never-shown"
T = TypeVar("T")


class Quick(WireOutward):
    """The real way out, without waiting for the rate."""

    def http(self, origin: str, *, per_second: float = 5.0) -> WireHttp:
        assert per_second == 3.0
        return super().http(origin, per_second=10_000)


class Stage:
    """One server for the whole file; each test puts a fresh platform on it."""

    def __init__(self, town: Town) -> None:
        self.town, self.faults = town, Faults()
        self.platform = SimulatedWiz()
        self.origin = town.serve(self._play, self.faults)

    async def _play(self, *request: Any) -> None:
        await self.platform.app(*request)


class Wiz:
    """A simulated Wiz behind TLS, and what is needed to speak to it."""

    def __init__(self, stage: Stage) -> None:
        self.platform, self.faults, self.town = SimulatedWiz(), stage.faults, stage.town
        stage.platform, self.now = self.platform, NOW
        vars(stage.faults).update(vars(Faults()))
        self.settings = self.platform.config(stage.origin, stage.town.secret)

    def speak(self, work: Callable[[Roles], Awaitable[T]], attempts: int = 1, **settings: Any) -> T:
        async def go() -> T:
            outward = Quick(lambda: self.now, self.town.authority, attempts=attempts, timeout=1.0)
            try:
                assert CONNECTOR.connect is not None
                return await work(CONNECTOR.connect(WizConfig(**(self.settings | settings)), outward))
            finally:
                await outward.close()

        return asyncio.run(go())

    def refetch(self, own: str, **settings: Any) -> tuple[dict[str, Any], ...]:
        return self.speak(lambda roles: fetched(roles, own), **settings)

    @property
    def asked(self) -> int:
        return self.faults.calls.count("POST /graphql")


async def fetched(roles: Roles, own: str) -> tuple[dict[str, Any], ...]:
    assert roles.refetcher is not None
    return await roles.refetcher.refetch(own)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield Stage(town)


@pytest.fixture
def wiz(stage: Stage) -> Wiz:
    return Wiz(stage)


def first_shape(kind: Kind, own: str = OWN) -> dict[str, Any]:
    payloads = CONNECTOR.simulator.payloads(replace(drill(kind, "wiz"), source_id=own))
    found: dict[str, Any] = json.loads(json.dumps(next(iter(payloads))))
    return found


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(samples(CONNECTOR))[name]["payload"]
    return found


HELD = {kind.value: first_shape(kind) for kind in CONNECTOR.simulator.speaks} | {
    name: sample(name) for name in ("issue-public-bucket.json", "detection.json", "vulnerability.json", "configuration.json")
}


@pytest.mark.parametrize("name", sorted(HELD))
def test_an_alert_read_by_its_id_is_the_alert_that_is_held(wiz: Wiz, name: str) -> None:
    wiz.platform.hold(HELD[name], NOW)
    wiz.platform.hold(first_shape(Kind.TOXIC_COMBINATION, str(UUID(int=1))), NOW)
    (payload,) = wiz.refetch(HELD[name]["id"])
    (held,), (read,) = read_all(CONNECTOR, HELD[name]), read_all(CONNECTOR, payload)
    assert isinstance(held, Finding) and isinstance(read, Finding)
    assert (read.key, read.hint) == (held.key, False)
    assert read == held


STRANGE_IDS = [
    *("", "abc", f"{OWN} ", f"{OWN}\n", f" {OWN}"),
    f'{OWN}"}}) {{ id }} }} #',
    "../../oauth/token",
    f"{OWN}/../x",
    OWN.replace("-", ""),
    OWN.replace("7", "７"),
    f"{OWN},{OWN}",
    "https://elsewhere.example/",
]


@pytest.mark.parametrize("own", STRANGE_IDS)
def test_what_is_no_id_of_wiz_is_refused_without_a_call(wiz: Wiz, own: str) -> None:
    with pytest.raises(Refused, match="not an id of Wiz"):
        wiz.refetch(own)
    assert wiz.faults.calls == []


@given(st.text(max_size=60))
def test_no_text_gets_past_the_grammar_of_ids(text: str) -> None:
    class Deaf:
        def http(self, origin: str, *, per_second: float = 5.0) -> Any:
            return None

        def secret(self, reference: str) -> Any:
            raise AssertionError("asked for a secret")

        def now(self) -> datetime:
            return NOW

    assert CONNECTOR.connect is not None
    settings = {"api_origin": "https://api.eu1.app.wiz.io", "client_id": "env:A", "client_secret": "env:B"}
    roles = CONNECTOR.connect(WizConfig.model_validate(settings), Deaf())
    with pytest.raises(Refused, match="not an id of Wiz"):
        asyncio.run(fetched(roles, text))


def test_an_id_wiz_does_not_know_is_refused_after_every_kind_was_asked(wiz: Wiz) -> None:
    with pytest.raises(Refused, match=f"knows no alert {OWN}"):
        wiz.refetch(OWN)
    assert wiz.asked == 4


def test_a_kind_that_may_not_be_read_does_not_hide_the_others_and_is_named(wiz: Wiz) -> None:
    wiz.platform.hidden |= {"issuesV2", "detections"}
    wiz.platform.hold(first_shape(Kind.VULNERABILITY), NOW)
    assert wiz.refetch(OWN)[0]["id"] == OWN
    with pytest.raises(Refused, match="may not read issues, detections"):
        wiz.refetch(str(UUID(int=2)))


@pytest.mark.parametrize("changed", [{"id": str(UUID(int=3))}, {"id": None}, {"severity": ["x"]}, {"vulnerableAsset": "x"}])
def test_a_record_that_does_not_read_as_the_one_asked_for_is_refused(wiz: Wiz, changed: dict[str, Any]) -> None:
    held = first_shape(Kind.VULNERABILITY)
    wiz.platform.hold(held, NOW)
    held.update(changed)
    with pytest.raises(Refused, match="with a record"):
        wiz.refetch(OWN)


@pytest.mark.parametrize("status", [400, 403, 404, 302])
def test_a_status_that_says_no_is_refused(wiz: Wiz, status: int) -> None:
    wiz.faults.only, wiz.faults.always = "/graphql", status
    with pytest.raises(Refused, match=str(status)):
        wiz.refetch(OWN)
    assert wiz.asked == 1


@pytest.mark.parametrize("fault", [429, 500, 503, "hang", "html", "empty", "truncated", "reset"])
@pytest.mark.parametrize("where", ["/graphql", "/oauth/token"])
def test_a_platform_that_is_ill_is_unreachable(wiz: Wiz, fault: int | str, where: str) -> None:
    wiz.platform.hold(HELD["threat"], NOW)
    wiz.faults.only, wiz.faults.always, wiz.faults.hang = where, fault, 1.5
    with pytest.raises(Unreachable):
        wiz.refetch(OWN)
    wiz.faults.always = None
    assert wiz.refetch(OWN)


def test_a_question_is_put_again_after_a_passing_fault(wiz: Wiz) -> None:
    wiz.platform.hold(HELD["toxic_combination"], NOW)
    wiz.faults.next.extend([503, 429])
    assert wiz.speak(lambda roles: fetched(roles, OWN), attempts=4)


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "FORBIDDEN_IP", "GRAPHQL_VALIDATION_FAILED"])
def test_an_error_that_will_come_again_is_refused(wiz: Wiz, code: str) -> None:
    wiz.platform.say.extend([code] * 2)
    with pytest.raises(Refused, match="Wiz"):
        wiz.refetch(OWN)


def test_a_token_turned_down_in_the_body_is_renewed_once(wiz: Wiz) -> None:
    wiz.platform.hold(HELD["toxic_combination"], NOW)
    wiz.platform.say.append("UNAUTHENTICATED")
    assert wiz.refetch(OWN)


@pytest.mark.parametrize("code", ["RATE_LIMIT_EXCEEDED", "INTERNAL", "A_CODE_OF_TOMORROW", ""])
def test_an_error_that_passes_is_unreachable(wiz: Wiz, code: str) -> None:
    wiz.platform.say.append(code)
    with pytest.raises(Unreachable, match="cannot answer now"):
        wiz.refetch(OWN)


@pytest.mark.parametrize("code", ["NOT_FOUND", "BAD_USER_INPUT"])
def test_a_kind_that_does_not_know_the_id_leaves_it_to_the_next(wiz: Wiz, code: str) -> None:
    wiz.platform.hold(HELD["vulnerability"], NOW)
    wiz.platform.say.extend([code] * 2)
    assert wiz.refetch(OWN)[0]["id"] == OWN


async def thrice(roles: Roles, between: Callable[[], None]) -> None:
    for _ in range(3):
        await fetched(roles, OWN)
        between()


def test_one_token_serves_many_calls_and_a_new_one_is_fetched_when_wiz_forgets_it(wiz: Wiz) -> None:
    wiz.platform.hold(HELD["toxic_combination"], NOW)
    wiz.speak(lambda roles: thrice(roles, lambda: None))
    assert wiz.faults.calls.count("POST /oauth/token") == 1
    wiz.faults.calls.clear()
    wiz.speak(lambda roles: thrice(roles, wiz.platform.expire))
    assert wiz.faults.calls.count("POST /oauth/token") == 3
    assert wiz.asked == 5, "two calls met a forgotten token and were put once again"


def test_a_token_is_renewed_before_it_runs_out(wiz: Wiz) -> None:
    wiz.platform.hold(HELD["toxic_combination"], NOW)

    def later() -> None:
        wiz.now += timedelta(minutes=50)

    wiz.speak(lambda roles: thrice(roles, later))
    assert wiz.faults.calls.count("POST /oauth/token") == 2, "after 50 of 60 minutes not yet, after 100 again"


@pytest.mark.parametrize("lasts", [None, "soon", -5, 0, True])
def test_a_token_of_no_known_life_still_works(wiz: Wiz, lasts: object) -> None:
    wiz.platform.hold(HELD["toxic_combination"], NOW)
    wiz.platform.lasts = lasts
    assert wiz.refetch(OWN)


def test_wrong_credentials_are_refused_and_no_secret_is_shown(wiz: Wiz, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = wiz.town.secret("wrong", CANARY)
    told = ""
    for settings in ({"client_secret": wrong}, {"client_id": wrong}, {"client_secret": "file:/nowhere/at-all"}):
        with pytest.raises(Refused) as refused:
            wiz.refetch(OWN, **settings)
        told += f"{refused.value!r} {refused.value.__cause__!r}"
    faults: tuple[int | str, ...] = (503, "html", 404)
    for fault in faults:
        wiz.faults.only = "/graphql"
        wiz.faults.next.append(fault)
        with pytest.raises(IsthmusError) as ill:
            wiz.refetch(OWN)
        told += repr(ill.value)
    shown = told + caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    secrets = {CANARY, Path(wiz.settings["client_secret"].removeprefix("file:")).read_text(), *wiz.platform.tokens}
    assert len(secrets) > 3
    assert [secret for secret in secrets if secret in shown] == []


def test_settings_refuse_what_they_do_not_know() -> None:
    good = {"api_origin": "https://api.eu1.app.wiz.io", "client_id": "env:A", "client_secret": "env:B"}
    assert WizConfig.model_validate(good).token_origin == "https://auth.app.wiz.io"
    for bad in ({"page_size": 501}, {"api_origin": "https://x.io/graphql"}, {"client_secret": "plain"}, {"colour": "blue"}):
        with pytest.raises(ValueError):
            WizConfig.model_validate(good | bad)

"""A simulated Prisma Cloud that goes wrong: ill, unwilling, with tokens that end, with answers that are none."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.connectors.speaking import Front, Payloads, Place

from isthmus.connectors.prisma import CONNECTOR
from isthmus.connectors.prisma.simulated import SimulatedPrisma
from isthmus.contracts.checks import NOW, drill, read_all, samples
from isthmus.contracts.roles import Refetcher
from isthmus.lab.servers import Town
from isthmus.model.assets import Asset
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Status

CANARY = "canary-5b8e0d3f61"
TOKEN = b'{"token": "t0ken"}'


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest.fixture(scope="module")
def front(town: Town) -> Front:
    return Front(town)


@pytest.fixture
def prisma() -> SimulatedPrisma:
    return SimulatedPrisma()


@pytest.fixture
def place(town: Town, front: Front, prisma: SimulatedPrisma) -> Place:
    return Place(town, front, CONNECTOR, prisma)


def written(kind: Kind, number: str = "P-12345", status: Status = Status.NEW, asset: Asset | None = None) -> dict[str, Any]:
    finding = drill(kind, "prisma", status)
    finding = replace(finding, source_id=number, asset=asset or finding.asset)
    payload: dict[str, Any] = json.loads(json.dumps(next(iter(CONNECTOR.simulator.payloads(finding)))))
    return payload


def sample(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = dict(samples(CONNECTOR))[f"{name}.json"]["payload"]
    return payload


def read(payload: dict[str, Any]) -> list[Finding]:
    return [claim for claim in read_all(CONNECTOR, payload) if isinstance(claim, Finding)]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_no_is_final(place: Place, prisma: SimulatedPrisma, status: int) -> None:
    prisma.hold(written(Kind.IDENTITY), NOW)
    place.faults.always, place.faults.only = status, "/alert/"
    with pytest.raises(Refused):
        place.refetch("P-12345")
    assert len(place.calls("/alert/")) == (2 if status == 401 else 1)


@pytest.mark.parametrize("fault", [429, 500, 503, "html", "empty", "truncated", "reset", "reset-after", "hang"])
@pytest.mark.parametrize("only", ["/login", "/alert/", "/audits/"])
def test_an_ill_platform_is_asked_again_later(place: Place, prisma: SimulatedPrisma, fault: int | str, only: str) -> None:
    prisma.hold(written(Kind.IDENTITY), NOW)
    prisma.hold(sample("incident-host"), NOW)
    own = "P-12345" if only == "/alert/" else read(sample("incident-host"))[0].source_id
    place.faults.always, place.faults.only = fault, only
    with pytest.raises(Unreachable):
        place.refetch(own)
    place.faults.always = None
    assert place.refetch(own)


@pytest.mark.parametrize("fault", [429, 503, "reset"])
@pytest.mark.parametrize("only", ["/login", "/alert/"])
def test_one_bad_answer_is_got_over(place: Place, prisma: SimulatedPrisma, fault: int | str, only: str) -> None:
    prisma.hold(written(Kind.IDENTITY), NOW)
    place.faults.next.append(fault)
    place.faults.only = only
    assert place.refetch("P-12345")


def test_a_failure_prisma_calls_400_is_no_no(place: Place) -> None:
    why = {"x-redlock-status": '[{"i18nKey":"internal_error","severity":"error","subject":null}]'}
    origin = place.answering(lambda path: (200, {}, TOKEN) if path == "/login" else (400, why, b""))
    with pytest.raises(Unreachable, match="failed over the alert"):
        place.refetch("P-1", origin=origin)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nx-evil: 1", "ä", 7, None, "x" * 20_000])
def test_a_login_without_a_usable_token_is_an_ill_platform(place: Place, token: Any) -> None:
    origin = place.answering(lambda _: (200, {}, json.dumps({"token": token}).encode()))
    with pytest.raises(Unreachable, match="without a token"):
        place.refetch("P-1", origin=origin)


def test_one_login_serves_until_it_is_old(place: Place, prisma: SimulatedPrisma) -> None:
    prisma.hold(written(Kind.IDENTITY), NOW)

    async def over_time(refetcher: Refetcher) -> Payloads:
        for minutes in (0, 7, 1, 7):
            place.now += timedelta(minutes=minutes)
            await refetcher.refetch("P-12345")
        return ()

    place.ask(over_time)
    assert len(place.calls("/login")) == 2


def test_many_at_once_log_in_once_and_again_once_when_the_token_ends(place: Place, prisma: SimulatedPrisma) -> None:
    prisma.hold(written(Kind.IDENTITY), NOW)

    async def crowd(refetcher: Refetcher) -> Payloads:
        for _ in range(2):
            prisma.expire()
            await asyncio.gather(*(refetcher.refetch("P-12345") for _ in range(8)))
        return ()

    place.ask(crowd)
    assert len(place.calls("/login")) == 2


def test_a_token_that_ends_between_two_lists_is_renewed_on_the_way(place: Place, prisma: SimulatedPrisma) -> None:
    prisma.hold(sample("log-inspection"), NOW)
    rows = prisma._lists.rows

    def ending(name: str, given: Any) -> list[dict[str, Any]]:
        if name == "audits/runtime/container":
            prisma.expire()
        return rows(name, given)

    prisma._lists.rows = ending  # type: ignore[method-assign]
    assert place.refetch(read(sample("log-inspection"))[0].source_id)
    assert len(place.calls("/login")) == 2


@pytest.mark.parametrize(
    "answer",
    [
        written(Kind.IDENTITY, "P-999"),
        {"alertId": "P-12345", "policyName": "thin"},
        {"id": "P-12345", "status": "open", "policy": {"policyId": "x", "labels": 7}},
        {"error": {"code": "BadArgument"}},
    ],
    ids=["another alert", "a hint", "drifted", "an error"],
)
def test_an_answer_that_is_not_this_alert_in_full_is_refused(
    place: Place, prisma: SimulatedPrisma, answer: dict[str, Any]
) -> None:
    prisma._alerts._known["P-12345"] = {"policy": {}} | answer
    with pytest.raises(Refused, match="not that alert"):
        place.refetch("P-12345")


@pytest.mark.parametrize("rows", [{"a": 1}, "text", 7])
def test_a_list_that_is_none_is_an_ill_platform(place: Place, rows: Any) -> None:
    origin = place.answering(lambda path: (200, {}, TOKEN if path == "/login" else json.dumps(rows).encode()))
    with pytest.raises(Unreachable, match="no list"):
        place.refetch("65f0a1b2c3d4e5f607182940", origin=origin, compute_origin=origin)


def test_the_console_is_asked_below_its_path_and_redirects_are_not_followed(place: Place) -> None:
    seen: list[str] = []

    def console(path: str) -> tuple[int, dict[str, str], bytes]:
        seen.append(path)
        return 302, {"location": "https://example.com/"}, b""

    console_settings = {"compute_origin": place.answering(console), "compute_path": "/a", "compute_version": "v34.04"}
    with pytest.raises(Refused, match="redirect"):
        place.refetch("65f0a1b2c3d4e5f607182940", **console_settings)
    assert seen == ["/a/api/v34.04/audits/incidents"]


def test_a_wrong_secret_is_refused_and_stands_nowhere(
    place: Place, prisma: SimulatedPrisma, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    prisma.hold(written(Kind.IDENTITY), NOW)
    wrong = place.town.secret("wrong", CANARY)
    with pytest.raises(Refused, match=r"/login: answered 401") as refused:
        place.refetch("P-12345", secret_key=wrong)
    assert place.refetch("P-12345")
    place.faults.always = 503
    with pytest.raises(Unreachable) as unreachable:
        place.refetch("P-12345", secret_key=wrong, access_key_id=wrong)
    told = [str(refused.value), str(unreachable.value), *(record.getMessage() for record in caplog.records)]
    secrets = {CANARY, prisma._key, prisma._secret, *prisma._tokens}
    assert len(secrets) == 4
    assert not [text for text in told if any(secret in text for secret in secrets)]

"""Orca over TLS: an alert fetched by its id, from a simulated organization that goes wrong in every way it can."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.speaking import Front, Payloads, Place

from isthmus.connectors.orca import CONNECTOR
from isthmus.connectors.orca.config import OrcaConfig
from isthmus.connectors.orca.simulated import SimulatedOrca
from isthmus.contracts.checks import NOW, drill, read_all, samples
from isthmus.contracts.roles import Refetcher
from isthmus.lab.servers import Town
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Status

CANARY = "canary-7d1f2a9c4e"
STRANGE = (
    *("", "orca-", "orca-1/../../user/action", "orca-1?x=1", "orca-1#a", "orca-1%2F..", "orca-1\n", "orca-é", "ORCA-1"),
    *("../alerts/orca-1", "orca-1 or 1=1", 'orca-"', "7f0c2d54-0a54-4f0e-9d53-0f6d1f2b3c4d", "orca-" + "1" * 65),
    *("row-0123456789abcdef01234567", "vulnerability-0123456789abcdef01234567", "https://example.com/orca-1", "orca-1\x00"),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest.fixture(scope="module")
def front(town: Town) -> Front:
    return Front(town)


@pytest.fixture
def orca() -> SimulatedOrca:
    return SimulatedOrca()


@pytest.fixture
def place(town: Town, front: Front, orca: SimulatedOrca) -> Place:
    return Place(town, front, CONNECTOR, orca)


def written(kind: Kind, number: str = "12345", status: Status = Status.NEW) -> dict[str, Any]:
    finding = replace(drill(kind, "orca", status), source_id=f"orca-{number}")
    payload: dict[str, Any] = json.loads(json.dumps(next(iter(CONNECTOR.simulator.payloads(finding)))))
    return payload


def read(payload: dict[str, Any]) -> Finding:
    [claim] = read_all(CONNECTOR, payload)
    assert isinstance(claim, Finding)
    return claim


@pytest.mark.parametrize("kind", sorted(CONNECTOR.simulator.speaks))
def test_an_alert_of_every_kind_comes_back_as_it_is_held(place: Place, orca: SimulatedOrca, kind: Kind) -> None:
    orca.hold(written(kind), NOW)
    [payload] = place.refetch("orca-12345")
    assert read(payload) == read(written(kind))
    assert not read(payload).hint


def test_what_comes_back_is_what_holds_now(place: Place, orca: SimulatedOrca) -> None:
    orca.hold(written(Kind.THREAT), NOW)
    orca.hold(written(Kind.THREAT, status=Status.RESOLVED), NOW)
    assert read(place.refetch("orca-12345")[0]).status is Status.RESOLVED


@pytest.mark.parametrize("name", ["alert-bucket.json", "alert-malware.json"])
def test_sample_alerts_come_back_with_the_key_they_were_held_under(place: Place, orca: SimulatedOrca, name: str) -> None:
    payload = dict(samples(CONNECTOR))[name]["payload"]
    orca.hold(payload, NOW)
    [found] = place.refetch(read(payload).source_id)
    assert read(found).key == read(payload).key


def test_an_alert_in_an_envelope_is_read_too(place: Place, orca: SimulatedOrca) -> None:
    orca.hold(written(Kind.DATA), NOW)
    orca._alerts["orca-12345"] = {"version": "1.0", "status": "success", "data": written(Kind.DATA)}
    assert read(place.refetch("orca-12345")[0]) == read(written(Kind.DATA))


@pytest.mark.parametrize("strange", STRANGE)
def test_what_cannot_be_an_alert_id_is_refused_without_a_call(place: Place, strange: str) -> None:
    with pytest.raises(Refused):
        place.refetch(strange)
    assert place.faults.calls == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text().filter(lambda text: not text.isascii() or not text.isalnum()))
def test_no_text_leads_anywhere_but_to_the_alerts(place: Place, text: str) -> None:
    with pytest.raises(Refused, match="no id"):
        place.refetch(f"orca-{text}")
    assert place.faults.calls == []


def test_ids_orca_never_gave_say_why_they_cannot_be_looked_up(place: Place) -> None:
    with pytest.raises(Refused, match="no id of Orca's"):
        place.refetch("row-0123456789abcdef01234567")
    with pytest.raises(Refused, match="gives these rows no id"):
        place.refetch("vulnerability-0123456789abcdef01234567")
    assert len(CONNECTOR.cannot) == 2


def test_an_alert_orca_does_not_know_is_refused(place: Place) -> None:
    with pytest.raises(Refused, match="does not know the alert orca-404"):
        place.refetch("orca-404")
    assert len(place.faults.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_no_is_final(place: Place, orca: SimulatedOrca, status: int) -> None:
    orca.hold(written(Kind.THREAT), NOW)
    place.faults.always = status
    with pytest.raises(Refused):
        place.refetch("orca-12345")
    assert len(place.faults.calls) == 1


@pytest.mark.parametrize("fault", [429, 500, 502, 503, "html", "empty", "truncated", "reset", "reset-after", "hang"])
def test_an_ill_platform_is_asked_again_later(place: Place, orca: SimulatedOrca, fault: int | str) -> None:
    orca.hold(written(Kind.THREAT), NOW)
    place.faults.always = fault
    with pytest.raises(Unreachable):
        place.refetch("orca-12345")
    place.faults.always = None
    assert place.refetch("orca-12345")


@pytest.mark.parametrize("fault", [429, 500, 503, "reset"])
def test_one_bad_answer_is_got_over(place: Place, orca: SimulatedOrca, fault: int | str) -> None:
    orca.hold(written(Kind.THREAT), NOW)
    place.faults.next.append(fault)
    assert place.refetch("orca-12345")


def test_an_unknown_alert_is_told_from_an_ill_platform_though_both_are_500(place: Place) -> None:
    origin = place.answering(lambda _: (500, {}, b'{"error": "alert_id orca-1 does not exist"}'))
    with pytest.raises(Refused, match="does not know"):
        place.refetch("orca-1", origin=origin)


@pytest.mark.parametrize(
    "answer",
    [
        written(Kind.THREAT, "999"),
        {"alert_id": "orca-12345", "title": "thin"},
        {"state": {"alert_id": "orca-12345"}, "related_compliances": [{}]},
        {"status": "failure", "error": "quota"},
        {"data": {"state": {"alert_id": "orca-9"}}},
    ],
    ids=["another alert", "a hint", "drifted", "an error", "another alert, wrapped"],
)
def test_an_answer_that_is_not_this_alert_in_full_is_refused(place: Place, orca: SimulatedOrca, answer: dict[str, Any]) -> None:
    orca._alerts["orca-12345"] = answer
    with pytest.raises(Refused, match="not that alert"):
        place.refetch("orca-12345")


@pytest.mark.parametrize("answer", ([], "text", None, 7))
def test_an_answer_that_is_no_object_is_an_ill_platform(place: Place, orca: SimulatedOrca, answer: Any) -> None:
    orca._alerts["orca-12345"] = answer
    with pytest.raises(Unreachable):
        place.refetch("orca-12345")


def test_a_wrong_token_is_refused_and_stands_nowhere(
    place: Place, orca: SimulatedOrca, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    orca.hold(written(Kind.THREAT), NOW)
    wrong = place.town.secret("wrong", CANARY)
    with pytest.raises(Refused, match="401") as refused:
        place.refetch("orca-12345", api_token=wrong)
    place.faults.always = 503
    with pytest.raises(Unreachable) as unreachable:
        place.refetch("orca-12345", api_token=wrong)
    told = [str(refused.value), str(unreachable.value), *(record.getMessage() for record in caplog.records)]
    assert told and not [text for text in told if CANARY in text]


def test_a_rotated_token_is_used_without_a_restart(place: Place, orca: SimulatedOrca) -> None:
    orca.hold(written(Kind.THREAT), NOW)
    right = Path(place.settings["api_token"].removeprefix("file:")).read_text(encoding="utf-8")
    rotated = place.town.secret("rotated", CANARY)

    async def twice(refetcher: Refetcher) -> Payloads:
        with pytest.raises(Refused):
            await refetcher.refetch("orca-12345")
        place.town.secret("rotated", right)
        return await refetcher.refetch("orca-12345")

    assert place.ask(twice, api_token=rotated)


def test_settings_are_checked() -> None:
    good = {"origin": "https://api.orcasecurity.io", "api_token": "env:ORCA"}
    assert OrcaConfig.model_validate(good).webhook_secret is None
    for wrong in ({"origin": "https://a@b"}, {"origin": "https://api.orcasecurity.io/api"}, {"api_token": CANARY}, {"url": ""}):
        with pytest.raises(ValueError):
            OrcaConfig.model_validate(good | wrong)


def test_the_simulated_orca_pages_and_filters_as_its_public_clients_expect(place: Place, orca: SimulatedOrca) -> None:
    for number in range(7):
        orca.hold(written(Kind.THREAT, str(number)), NOW)
    token = Path(place.settings["api_token"].removeprefix("file:")).read_text(encoding="utf-8")
    with httpx.Client(
        base_url=place.settings["origin"],
        verify=ssl.create_default_context(cafile=str(place.town.authority)),
        headers={"authorization": f"TOKEN {token}"},
    ) as client:
        form = {"limit": "5", "dsl_filter": '[{"field": "state.last_updated", "range": {"gte": "2026-01-01"}}]'}
        first = client.post("/api/rules/query/alerts", data=form).json()
        rest = client.post("/api/rules/query/alerts", data=form | {"next_page_token": first["next_page_token"]}).json()
        assert (len(first["data"]), len(rest["data"]), rest["next_page_token"]) == (5, 2, None)
        wanted = {"key": "AlertId", "values": ["orca-3"], "type": "str", "operator": "in"}
        query: dict[str, Any] = {"query": {"models": ["Alert"], "type": "object_set", "with": wanted}, "limit": 1}
        [served] = client.post("/api/serving-layer/query", json=query).json()["data"]
        assert read(served).source_id == "orca-3"
        query["query"]["with"] = wanted | {"key": "Nonsense"}
        assert client.post("/api/serving-layer/query", json=query).status_code == 400
        assert client.get("/api/alerts/orca-3", headers={"authorization": "Bearer x"}).status_code == 401

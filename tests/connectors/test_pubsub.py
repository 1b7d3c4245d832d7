"""Pub/Sub, simulated over TLS: consumed under faults, held, acknowledged late; tokens renewed, and asked for nowhere else."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.connectors.consuming import NOW, Consumer, queue_of, stored
from tests.connectors.rigs import Quick

from isthmus.connectors.pubsub.config import PubSubConfig
from isthmus.connectors.pubsub.simulated import SUBSCRIPTION, TOPIC, SimulatedPubSub
from isthmus.connectors.pubsub.simulated_state import Subscription
from isthmus.contracts.roles import Message, Queue
from isthmus.lab.servers import Faults, Town
from isthmus.model.errors import Refused, Unreachable
from isthmus.record.store import open_store

T = TypeVar("T")


class Place:
    """A simulated Pub/Sub over TLS, with our settings for it."""

    def __init__(self, town: Town) -> None:
        self.town, self.platform, self.faults = town, SimulatedPubSub(), Faults()
        self.origin = town.serve(self.platform.app, self.faults)
        self.settings = self.platform.config(self.origin, town.secret)

    def ask(self, what: Callable[[Queue], Awaitable[T]], attempts: int = 1, **changed: Any) -> T:
        async def run() -> T:
            outward = Quick(lambda: NOW, self.town.authority, attempts=attempts, timeout=5.0)
            try:
                return await what(queue_of("pubsub", self.settings | changed, outward))
            finally:
                await outward.close()

        return asyncio.run(run())

    def receive(self, **changed: Any) -> tuple[Message, ...]:
        return self.ask(lambda queue: queue.receive(100), **changed)

    @property
    def left(self) -> int:
        return len(self.platform.state.subscriptions[SUBSCRIPTION].messages)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town")) as one:
        yield one


@pytest.fixture
def place(town: Town) -> Place:
    return Place(town)


def test_of_1000_messages_none_is_lost_and_none_doubled_whatever_fails(place: Place, tmp_path: Path) -> None:
    rng = random.Random(20260302)
    ill = [503, 500, 429, 403, 401, 504, "html", "reset", "reset-after", "truncated", "empty"]
    place.faults.next = deque(rng.choice(ill) if rng.random() < 0.3 else None for _ in range(5_000))  # type: ignore[misc]
    wanted = [json.dumps({"name": f"findings/{one}", "title": "é" * (one % 7)}) for one in range(1_000)]
    store = open_store(tmp_path / "data")
    consumers = [Consumer("pubsub", place.settings, store, place.town.authority) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        for start in range(0, 1_000, 25):
            for one in wanted[start : start + 25]:
                place.platform.post(one)
            while place.left:
                list(threads.map(lambda one: one.turns(2), consumers))
                place.platform.lapse()
    found, asked = stored(store), 5_000 - len(place.faults.next)
    store.close()
    assert set(found) == set(wanted) and max(found.values()) == 1 and asked > 200


def test_held_it_does_not_come_again(place: Place) -> None:
    place.platform.post("{}")

    async def held(queue: Queue) -> list[int]:
        mine = [one.handle for one in await queue.receive(1)]
        seen = []
        for seconds in (9, 59, 59, 61):
            await queue.hold(mine)
            place.platform.state.skip(seconds)
            seen.append(len(await queue.receive(1)))
        return seen

    assert place.ask(held) == [0, 0, 0, 1]


def test_acknowledged_late_it_may_come_again_and_with_exactly_once_we_are_told(place: Place) -> None:
    place.platform.state.subscriptions[SUBSCRIPTION] = Subscription(TOPIC, exactly=True)
    place.platform.post('{"n": 1}')
    late = place.receive()[0].handle
    place.platform.lapse()
    now = place.receive()[0].handle
    assert place.ask(lambda queue: queue.acknowledge([late, now])) == (late,)
    assert place.left == 0
    place.platform.post('{"n": 2}')
    place.ask(lambda queue: queue.hold([late]))
    assert place.left == 1


def test_an_empty_subscription_is_waited_for_and_called_off(place: Place) -> None:
    assert place.receive(wait_seconds=1) == ()
    assert [call for call in place.faults.calls if "pull" in call] == [f"POST /v1/{SUBSCRIPTION}:pull"]

    async def late(queue: Queue) -> tuple[Message, ...]:
        waiting = asyncio.create_task(queue.receive(10))
        await asyncio.sleep(0.5)
        place.platform.post("{}")
        return await waiting

    assert len(place.ask(late, wait_seconds=4)) == 1
    place.faults.next.extend([None, 504])  # type: ignore[list-item]
    with pytest.raises(Unreachable):
        place.receive(wait_seconds=1)


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ({"data": base64.b64encode(b"\x00\xff").decode()}, b"\x00\xff"),
        ({"data": "no base64!"}, b"no base64!"),
        ({"attributes": {"a": "b"}}, b""),
        ({"data": "e30=", "orderingKey": "k"}, b"{}"),
    ],
)
def test_a_message_is_its_data_whatever_it_is(place: Place, message: dict[str, Any], body: bytes) -> None:
    place.platform.state.publish(TOPIC, [message])
    (found,) = place.receive()
    assert found.body == body and found.sent_at is not None and found.sent_at.year == 2026


def test_a_token_is_renewed_when_it_is_turned_down_and_only_once(place: Place) -> None:
    async def twice(queue: Queue) -> None:
        await queue.receive(1)
        place.platform.expire()
        await queue.receive(1)

    place.ask(twice)
    assert place.faults.calls.count("POST /token") == 2
    place.faults.calls.clear()
    place.faults.only, place.faults.always = ":pull", 401
    with pytest.raises(Refused, match="turns down the token"):
        place.receive()
    assert place.faults.calls.count("POST /token") == 2


def test_a_subscription_that_is_not_ours_is_refused_in_words(place: Place) -> None:
    place.platform.hidden.add(SUBSCRIPTION)
    with pytest.raises(Refused, match=r"roles/pubsub\.subscriber"):
        place.receive()
    with pytest.raises(Refused, match="knows no such subscription"):
        place.receive(subscription="projects/tidewater/subscriptions/other")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}',
        '{"type": "service_account", "client_email": "a@b", "private_key": "no key", "token_uri": "https://oauth2.googleapis.com"}',
        '{"type": "external_account", "credential_source": {"executable": {"command": "/bin/true"}}}',
        '{"type": "external_account", "credential_source": 7}',
        "[" * 50_000,
    ],
)
def test_credentials_that_are_none_are_refused_and_not_shown(place: Place, given: str) -> None:
    place.settings["credentials"] = place.town.secret("strange", given or " ")
    with pytest.raises(Refused, match="secret file:") as told:
        place.receive()
    assert not given or given not in str(told.value)
    assert not place.faults.calls


def test_a_key_of_somebody_else_is_refused(place: Place) -> None:
    account = place.platform.account(place.origin) | {"client_email": "other@tidewater.iam.gserviceaccount.com"}
    place.settings["credentials"] = place.town.secret("other", json.dumps(account))
    with pytest.raises(Refused, match="does not give a token"):
        place.receive()


def test_a_token_is_asked_for_at_named_origins_only(place: Place, town: Town) -> None:
    elsewhere = Faults()
    origin = town.serve(SimulatedPubSub().app, elsewhere)
    place.settings["credentials"] = town.secret("led-away", json.dumps(place.platform.account(origin)))
    with pytest.raises(Refused, match="where no token is asked for"):
        place.receive()
    assert not elsewhere.calls and not place.faults.calls


@pytest.mark.parametrize("said", [b"<html>", b"[]", b'"text"', b"{}"])
def test_a_token_endpoint_that_talks_nonsense_gives_no_token(place: Place, town: Town, said: bytes) -> None:
    async def nonsense(_: Request) -> Response:
        return Response(said)

    origin = town.serve(Starlette(routes=[Route("/token", nonsense, methods=["POST"])]))
    place.settings["credentials"] = town.secret("nonsense", json.dumps(place.platform.account(origin)))
    with pytest.raises((Refused, Unreachable)):
        place.receive(token_origin=origin)


def test_a_federated_workload_has_its_token_exchanged(place: Place, town: Town, tmp_path: Path) -> None:
    place.platform.post("{}")
    asked: list[dict[str, str]] = []

    async def exchange(request: Request) -> Response:
        asked.append({name: values[0] for name, values in parse_qs((await request.body()).decode()).items()})
        place.platform.tokens.add("exchanged")
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return JSONResponse(
            {"access_token": "exchanged", "issued_token_type": kind, "token_type": "Bearer", "expires_in": 3600}
        )

    origin = town.serve(Starlette(routes=[Route("/v1/token", exchange, methods=["POST"])]))
    subject = tmp_path / "token"
    subject.write_text("the cluster's own word", encoding="utf-8")
    given = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{origin}/v1/token",
        "credential_source": {"file": str(subject)},
    }
    place.settings["credentials"] = town.secret("federated", json.dumps(given))
    assert len(place.receive(token_origin=origin)) == 1
    assert asked[0]["subject_token"] == "the cluster's own word" and "pubsub" in asked[0]["scope"]


@pytest.mark.parametrize(
    "changed",
    [
        {"subscription": "isthmus"},
        {"subscription": "projects/p/subscriptions/s/../t"},
        {"subscription": "projects/p/subscriptions/abc:acknowledge"},
        {"subscription": "projects/p/subscriptions/a%2fb"},
        {"subscription": "projects/p/topics/abc"},
        {"api_origin": "http://pubsub.googleapis.com"},
        {"credentials": "{}"},
        {"hold_seconds": 5},
        {"reads": ""},
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    PubSubConfig(subscription="projects/example.com:p/subscriptions/isthmus", reads="scc")
    with pytest.raises(ValidationError):
        PubSubConfig(**({"subscription": SUBSCRIPTION, "reads": "scc"} | changed))

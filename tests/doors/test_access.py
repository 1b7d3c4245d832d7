"""Who is let in: keys, what is told of wrong ones, and who is slowed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.doors.asking import Asked, said
from tests.doors.standing import NOW, Standing, furnished, serving

from isthmus.doors.limits import Failures
from isthmus.model.people import Person, Role
from isthmus.record import people


@pytest.fixture
def made(tmp_path: Path) -> Standing:
    return furnished(tmp_path)


def test_a_key_opens_as_long_as_it_is_somebodys(made: Standing) -> None:
    ask, store, key = Asked(made.app()), made.desk.store, made.keys["analyst"]
    assert ask("GET", "/v1/me", key).json()["id"] == "analyst"
    ann = Person("ann", "default", "Ann", Role.ANALYST)
    with store.writing() as connection:
        people.put(connection, store.keys, ann, NOW, "isthmus")
        short = people.new_key(connection, store.keys, ann, NOW + timedelta(hours=1), NOW, "isthmus")
        gone = people.new_key(connection, store.keys, ann, None, NOW, "isthmus")
        lasting = people.new_key(connection, store.keys, ann, None, NOW, "isthmus")
    assert ask("GET", "/v1/me", short).status_code == 200
    made.now += timedelta(hours=1)
    assert ask("GET", "/v1/me", short).status_code == 401
    with store.writing() as connection:
        people.revoke(connection, store.keys, "default", gone.split("_")[1], made.now, "isthmus")
    assert ask("GET", "/v1/me", gone).status_code == 401
    assert ask("GET", "/v1/me", lasting).status_code == 200
    with store.writing() as connection:
        people.put(connection, store.keys, replace(ann, active=False), made.now, "isthmus")
    assert ask("GET", "/v1/me", lasting).status_code == 401


def test_whatever_is_wrong_with_a_key_is_told_in_the_same_words(made: Standing) -> None:
    ask, key = Asked(made.app()), made.keys["analyst"]
    wrong = [key[:-1] + ("A" if key[-1] != "A" else "B"), key[:-1], "isk_" + "0" * 12 + key[16:], "x", key.upper(), key + "%00"]
    answers = [ask("GET", "/v1/me", one) for one in wrong]
    assert {one.status_code for one in answers} == {401}
    assert len({said(one) for one in answers}) == 1
    assert answers[0].headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["", "Bearer", "Basic {key}", "{key}", "Bearer  ", "Token {key}", "Bearer{key}"])
def test_only_a_bearer_key_is_a_key(made: Standing, value: str) -> None:
    headers = {"authorization": value.replace("{key}", made.keys["admin"])}
    assert Asked(made.app())("GET", "/v1/me", headers=headers).status_code == 401


def test_the_scheme_is_written_in_any_case(made: Standing) -> None:
    headers = {"authorization": f"bEARER  {made.keys['admin']}"}
    assert Asked(made.app())("GET", "/v1/me", headers=headers).status_code == 200


def test_a_key_in_the_address_or_a_cookie_is_none(made: Standing) -> None:
    ask, key = Asked(made.app()), made.keys["admin"]
    assert ask("GET", f"/v1/me?access_token={key}&key={key}").status_code == 401
    assert ask("GET", "/v1/me", headers={"cookie": f"session={key}; key={key}"}).status_code == 401


@pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/docs", "/v1/redoc", "/v1/openapi.json/", "/v1/me/"])
def test_nobody_learns_without_a_key_what_is_there(made: Standing, path: str) -> None:
    ask = Asked(made.app())
    assert [ask(method, path).status_code for method in ("GET", "POST", "PUT", "DELETE", "PATCH")] == [401] * 5
    assert ask("GET", path, made.keys["admin"]).status_code == 404


def test_only_the_description_needs_no_key(made: Standing) -> None:
    ask = Asked(made.app())
    assert ask("GET", "/v1/openapi.json").json()["openapi"].startswith("3.")
    assert ask("POST", "/v1/openapi.json").status_code == 401


def test_no_body_is_read_of_somebody_without_a_key(made: Standing) -> None:
    statuses: list[int] = []

    async def receive() -> Any:
        raise AssertionError("a body was read")

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000000")]
    scope = {"type": "http", "method": "POST", "path": "/v1/incidents/x/comment", "headers": headers, "query_string": b""}
    asyncio.run(made.app()({**scope, "scheme": "http"}, receive, send))
    assert statuses[0] == 401


def test_who_fails_too_often_is_slowed_and_nobody_else(made: Standing) -> None:
    app = made.app()
    ask, elsewhere, wrong = Asked(app), Asked(app, address="192.0.2.2"), "isk_" + "0" * 12 + "_" + "x" * 43
    answers = [ask("GET", "/v1/me", wrong) for _ in range(25)]
    assert [one.status_code for one in answers[:20]] == [401] * 20
    assert {one.status_code for one in answers[20:]} == {429}
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    assert elsewhere("GET", "/v1/me", wrong).status_code == 401
    assert ask("GET", "/v1/me", made.keys["approver"]).status_code == 200
    made.now += timedelta(minutes=2)
    assert ask("GET", "/v1/me", wrong).status_code == 401


def test_the_memory_of_failures_is_bounded_and_ends() -> None:
    failures = Failures(most=3, within=timedelta(minutes=1), addresses=100)
    assert [failures.add("a", NOW) for _ in range(4)] == [0, 0, 0, 61]
    assert failures.add("a", NOW + timedelta(seconds=30)) == 31
    for number in range(1_000):
        failures.add(str(number), NOW)
    assert len(failures._seen) == 100
    assert failures.add("b", NOW - timedelta(days=1)) == 0


def test_keys_are_in_no_log(made: Standing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ask, key = Asked(made.app()), made.keys["viewer"]
    ask("GET", f"/v1/me?key={key}", key)
    ask("GET", f"/v1/{key}")
    ask("GET", f"/{key}")
    ask("POST", "/signin", data={"key": key})
    secret = key.split("_", 2)[2]
    lines = [one.getMessage() for one in caplog.records if not one.name.startswith("http")]
    assert any(" GET /v1/me 200" in line for line in lines)
    assert [line for line in lines if secret in line] == []


def test_the_real_server_says_the_same(made: Standing) -> None:
    with serving(made.app()) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.get("/v1/me").status_code == 401
        mine = client.get("/v1/me", headers={"authorization": f"Bearer {made.keys['admin']}"})
        assert mine.json()["may"] == ["read", "run"]
        assert "server" not in mine.headers
        assert client.get("/health").json()["status"] == "ok"

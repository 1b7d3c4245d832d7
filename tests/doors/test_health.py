"""What the world hears of how we are, what those who may know hear, and that both are true."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError
from tests.doors.asking import Asked, said
from tests.doors.standing import SECRET, Standing, furnished

from isthmus.desk import look, watch
from isthmus.desk.instances import Instances
from isthmus.desk.watch import Watch
from isthmus.doors.app import create
from isthmus.model.people import Role

HERE = "127.0.0.1"


class Steady:
    """A clock that goes on when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Seen:
    """The doors with a watch whose time stands still, asked from wherever."""

    def __init__(self, made: Standing, stopped: str = "") -> None:
        self.made, self.steady = made, Steady()
        self.watch = Watch(made.desk.store, made.desk.instances, lambda: stopped, steady=self.steady)
        self.app = create(made.desk, made.clock, made.wake, watch=self.watch)

    def ask(self, path: str = "/health", key: str = "", address: str = HERE, method: str = "GET", **more: Any) -> Any:
        self.steady.now += 60
        return Asked(self.app, address=address)(method, path, key, **more)

    def promises(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.ask().json()["promises"]}


@pytest.fixture
def made(tmp_path: Path) -> Standing:
    return furnished(tmp_path)


def test_the_world_hears_one_word_and_those_who_may_know_the_rest(made: Standing) -> None:
    seen = Seen(made)
    assert seen.ask(address="192.0.2.1").json() == {"status": "ok"}
    whole = seen.ask()
    assert whole.status_code == 200
    assert whole.json()["inbox"] == 0
    names = [one["name"] for one in whole.json()["promises"]]
    assert names == ["intake", "reading", "carrying_on", "counting", "record", "clock", "effects"]
    for key in ("viewer", "admin"):
        assert seen.ask(key=made.keys[key], address="192.0.2.1").json()["promises"]
    assert seen.ask(key="isk_0", address="192.0.2.1").status_code == 401
    assert seen.ask(key=made.keys["other-viewer"], address="192.0.2.1").status_code == 403


def test_nobody_is_near_who_comes_by_a_proxy_or_by_another_name(made: Standing) -> None:
    seen = Seen(made)
    for name, value in {
        "x-forwarded-for": HERE,
        "forwarded": "for=127.0.0.1",
        "via": "1.1 x",
        "x-real-ip": HERE,
        "host": "evil.example",
    }.items():
        assert "promises" not in seen.ask(headers={name: value}).json(), name
        assert seen.ask("/metrics", headers={name: value}).status_code == 401, name
    for host in ("localhost:8443", "127.0.0.1", "127.0.0.1:1", "[::1]:1", "[::1]"):
        assert "promises" in seen.ask(headers={"host": host}).json(), host
    behind = create(made.desk, made.clock, made.wake, watch=seen.watch, loopback=False)
    assert "promises" not in Asked(behind, address=HERE)("GET", "/health").json()
    assert Asked(behind, address=HERE)("GET", "/metrics").status_code == 401


def test_only_what_cannot_be_stored_is_a_503(made: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(made, "kill switch effects: drill")
    assert seen.ask().status_code == 200
    assert seen.promises()["effects"]["why"] == "kill switch effects: drill"
    for error in (OperationalError("", {}, sqlite3.OperationalError("x")), DatabaseError("", {}, sqlite3.DatabaseError("/x"))):

        def broken(*_: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(watch, "_stored_and_gone", broken)
            answer = seen.ask(address="192.0.2.1")
            assert (answer.status_code, answer.json()) == (503, {"status": "down"})
            assert int(answer.headers["retry-after"]) > 0
            assert not seen.promises()["intake"]["kept"]
        assert seen.ask().status_code == 200
        with monkeypatch.context() as patched:
            patched.setattr(look, "_inbox", broken)
            answer = seen.ask()
            assert answer.status_code == 503
            assert "cannot be told" in {one["name"]: one["why"] for one in answer.json()["promises"]}["reading"]
    assert seen.ask().status_code == 200


def test_a_delivery_that_could_not_be_stored_is_heard_of_at_once(made: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(made)
    assert seen.ask().status_code == 200

    def full(*_: object) -> None:
        raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    ask = Asked(seen.app)
    with monkeypatch.context() as patched:
        patched.setattr("isthmus.desk.desk.inbox.accept", full)
        assert ask("POST", "/in/wiz-prod", SECRET, json={"a": 1}).status_code == 503
    seen.steady.now += 6
    assert ask("GET", "/health").status_code == 503
    assert ask("POST", "/in/wiz-prod", SECRET, json={"a": 1}).status_code == 202
    seen.steady.now += 6
    assert ask("GET", "/health").status_code == 200


def test_health_is_read_and_nothing_else(made: Standing) -> None:
    seen = Seen(made)
    assert seen.ask(method="POST").status_code == 405
    assert seen.ask("/metrics", method="POST").status_code == 405
    assert seen.ask("/health/x").status_code == 404


def test_however_often_it_is_asked_the_database_is_asked_seldom(made: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, asked = Seen(made), list[Any]()
    real = look.look

    def counting(*given: Any) -> Any:
        asked.append(given)
        return real(*given)

    monkeypatch.setattr(watch, "look", counting)
    ask = Asked(seen.app)
    for _ in range(20):
        seen.steady.now += 1
        ask("GET", "/health")
    assert len(asked) == 4


def test_since_says_since_when_it_is_as_it_is(made: Standing) -> None:
    seen = Seen(made)
    first = seen.promises()["reading"]["since"]
    made.now += timedelta(minutes=5)
    assert seen.promises()["reading"] == {"name": "reading", "kept": True, "since": first, "why": ""}
    assert Asked(seen.app)("POST", "/in/wiz-prod", SECRET, json={"a": 1}).status_code == 202
    made.now += timedelta(seconds=61)
    late = seen.promises()["reading"]
    assert (late["kept"], late["since"]) == (False, made.now.isoformat())
    assert late["why"] == "the oldest unread delivery has waited 61 s, more than 60 s"
    made.now += timedelta(seconds=61)
    assert seen.promises()["reading"]["since"] == late["since"]


def test_what_is_wrong_inside_stays_inside(made: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the inner life")

    seen = Seen(made)
    monkeypatch.setattr(watch, "look", broken)
    answer = seen.ask()
    assert answer.status_code == 500
    assert "inner life" not in said(answer)


def test_a_house_of_one_tenant_is_open_to_its_own_people(made: Standing) -> None:
    made.person("zoe", Role.VIEWER, "acme")
    seen = Seen(made)
    assert seen.ask("/metrics", made.keys["zoe"], "192.0.2.1").status_code == 403
    assert seen.ask("/metrics", made.keys["viewer"], "192.0.2.1").status_code == 200
    acme = Instances([replace(one, tenant="acme") for one in made.desk.instances.by_name.values()])
    made.desk = replace(made.desk, instances=acme)
    assert Seen(made).ask("/metrics", made.keys["zoe"], "192.0.2.1").status_code == 200

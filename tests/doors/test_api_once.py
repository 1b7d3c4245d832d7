"""Writes that carry an Idempotency-Key: done once, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from tests.doors.asking import Asked
from tests.doors.standing import NOW, Standing, furnished, serving

from isthmus.record import answers, ledger
from isthmus.record.answers import Place
from isthmus.record.schema import ANSWERS


@pytest.fixture
def own(tmp_path: Path) -> Standing:
    return furnished(tmp_path)


def comments(made: Standing, name: str) -> list[str]:
    return [one.text for one in made.incident(name).words]


def test_a_write_is_done_once_for_each_key(own: Standing) -> None:
    ask, name, key = Asked(own.app()), own.incidents()[0], own.keys["analyst"]
    address, once = f"/v1/incidents/{name}/comment", {"idempotency-key": "a key, printable"}
    first = ask("POST", address, key, json={"text": "one"}, headers=once)
    own.now += timedelta(hours=1)
    again = ask("POST", address, key, json={"text": "one"}, headers=once)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert comments(own, name) == ["one"]
    other = ask("POST", address, key, json={"text": "two"}, headers=once)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "key_taken")
    elsewhere = ask("POST", address.replace("comment", "reopen"), key, json={"text": "one"}, headers=once)
    assert elsewhere.status_code == 409
    assert ask("POST", address, own.keys["approver"], json={"text": "two"}, headers=once).status_code == 200
    assert ask("POST", address, key, json={"text": "one"}).status_code == 200
    assert comments(own, name) == ["one", "two", "one"]
    own.now += timedelta(days=1, seconds=1)
    assert ask("POST", address, key, json={"text": "three"}, headers=once).status_code == 200


def test_the_same_write_many_times_at_once_is_done_once(own: Standing) -> None:
    name, key = own.incidents()[0], own.keys["analyst"]
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "k"}
    with serving(own.app()) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:

        def write(_: int) -> httpx.Response:
            return client.post(f"/v1/incidents/{name}/comment", json={"text": "one"}, headers=headers)

        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(write, range(16)))
    assert {one.status_code for one in got} <= {200, 409}
    assert sum("idempotency-replayed" not in one.headers for one in got if one.status_code == 200) == 1
    assert comments(own, name) == ["one"]


def test_a_write_that_did_nothing_gives_its_key_back(own: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, name, key = Asked(own.app()), own.incidents()[0], own.keys["analyst"]
    address, once = f"/v1/incidents/{name}/comment", {"idempotency-key": "k"}
    assert ask("POST", "/v1/incidents/INC-none/comment", key, json={"text": "x"}, headers=once).status_code == 404
    assert ask("POST", address, key, json={"txt": "x"}, headers=once).status_code == 422
    with monkeypatch.context() as patched:

        def away(*_: object, **__: object) -> None:
            raise OperationalError("", {}, Exception("database is locked"))

        patched.setattr(ledger, "extend", away)
        answer = ask("POST", address, key, json={"text": "x"}, headers=once)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    assert ask("POST", address, key, json={"text": "x"}, headers=once).status_code == 200
    assert comments(own, name) == ["x"]


def test_a_write_of_which_nobody_knows_is_not_done_again(own: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, name, key = Asked(own.app()), own.incidents()[0], own.keys["analyst"]
    address, once = f"/v1/incidents/{name}/comment", {"idempotency-key": "k"}
    with monkeypatch.context() as patched:

        def died(*_: object) -> None:
            raise RuntimeError("the process is gone")

        patched.setattr(answers, "keep", died)
        assert ask("POST", address, key, json={"text": "x"}, headers=once).status_code == 500
    again = ask("POST", address, key, json={"text": "x"}, headers=once)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "unknown")
    assert comments(own, name) == ["x"]


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(own: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, name, key = Asked(own.app()), own.incidents()[0], own.keys["analyst"]
    address, once = f"/v1/incidents/{name}/comment", {"idempotency-key": "k"}
    with monkeypatch.context() as patched:

        def away(*_: object) -> None:
            raise OperationalError("", {}, Exception("database is locked"))

        patched.setattr(answers, "keep", away)
        assert ask("POST", address, key, json={"text": "x"}, headers=once).status_code == 200
    assert ask("POST", address, key, json={"text": "x"}, headers=once).status_code == 409


@pytest.mark.parametrize("value", ["", " ", "x" * 129, "tab\tbed", "\u00e9"])
def test_an_idempotency_key_is_printable_and_short(own: Standing, value: str) -> None:
    headers = {"idempotency-key": value.encode("latin-1"), "authorization": f"Bearer {own.keys['analyst']}".encode()}
    name = own.incidents()[0]
    answer = Asked(own.app())("POST", f"/v1/incidents/{name}/comment", json={"text": "x"}, headers=headers)
    assert answer.status_code == 400
    assert comments(own, name) == []
    with own.desk.store.reading() as connection:
        assert connection.execute(select(ANSWERS)).all() == []


def test_kept_answers_are_by_person_and_tenant_and_end(own: Standing) -> None:
    one, request = Place("default", "ann", "k"), b"r" * 32
    with own.desk.store.writing() as connection:
        assert answers.take(connection, one, request, NOW) is None
        begun = answers.take(connection, one, request, NOW)
        assert begun is not None
        assert not begun.known
        answers.keep(connection, one, 200, b"{}")
        answers.give_back(connection, one)
        kept = answers.take(connection, one, b"other", NOW)
        assert kept is not None
        assert (kept.known, kept.request, kept.body) == (True, request, b"{}")
        assert answers.take(connection, Place("other", "ann", "k"), request, NOW) is None
        assert answers.take(connection, Place("default", "bob", "k"), request, NOW) is None
        assert answers.take(connection, one, request, NOW + answers.KEPT) is not None
        assert answers.take(connection, one, request, NOW + answers.KEPT + timedelta(seconds=1)) is None

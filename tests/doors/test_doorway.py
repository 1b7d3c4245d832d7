"""What every answer carries, what an error says, and how pages with forms are kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from tests.doors.asking import Asked, said
from tests.doors.standing import SECRET, Standing, furnished, serving

from isthmus.doors import app as doors
from isthmus.doors.console import routes
from isthmus.record import inbox, people

SIGNING = ("/signin", "/signout")


@pytest.fixture
def made(tmp_path: Path) -> Standing:
    return furnished(tmp_path)


def test_every_answer_says_how_it_may_be_used(made: Standing) -> None:
    app = made.app()
    ask, key = Asked(app), made.keys["admin"]
    answers = [ask("GET", path) for path in ("/health", "/nothing", "/v1/openapi.json", "/v1/me", "/signin", "/", "/in/x")]
    answers += [ask("GET", "/v1/me", key), ask("GET", "/v1/incidents/INC-0", key), ask("POST", "/signin", data={"key": "x"})]
    answers.append(ask("POST", "/in/wiz-prod", SECRET, json={"a": 1}))
    assert answers[-1].status_code == 202
    for one in answers:
        assert one.headers["x-content-type-options"] == "nosniff", one.request.url
        assert one.headers["x-frame-options"] == "DENY"
        assert one.headers["cache-control"] == "no-store"
        assert one.headers["referrer-policy"] in {"no-referrer", "same-origin"}
        assert len(one.headers.get_list("content-security-policy")) == 1
        assert "default-src 'none'" in one.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in one.headers["content-security-policy"]
        assert len(one.headers.get_list("x-request-id")) == 1
        assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", one.headers["x-request-id"])
        assert "access-control-allow-origin" not in one.headers


def test_what_nobody_foresaw_is_logged_by_its_number_and_not_told(
    made: Standing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the inner life")

    ask, key = Asked(made.app()), made.keys["viewer"]
    with monkeypatch.context() as patched:
        patched.setattr(people, "owner", broken)
        patched.setattr(inbox, "depth", broken)
        for path in ("/v1/me", "/health"):
            caplog.clear()
            answer = ask("GET", path, key)
            assert answer.status_code == 500
            assert "inner life" not in answer.text
            assert answer.headers["x-request-id"] in said(answer) or answer.headers["x-request-id"] in caplog.text
            assert "inner life" in caplog.text
    assert ask("GET", "/v1/me", key).status_code == 200


def test_web_sockets_are_refused(made: Standing) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    for path in ("/in/wiz-prod", "/v1/me", "/"):
        asyncio.run(made.app()({"type": "websocket", "path": path, "headers": []}, receive, send))
    assert [one["type"] for one in sent] == ["websocket.close"] * 3


@contextmanager
def instead_of_the_console(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A console of one page that has a session and a form, so that what surrounds it is seen by itself."""

    async def page(request: Request) -> Response:
        form = dict(await request.form()) if request.method == "POST" else {}
        request.session["seen"] = request.session.get("seen", 0) + 1
        return Response(f"{request.scope['csrftoken']()} {request.session['seen']} {form.get('word', '')}")

    with monkeypatch.context() as patched:
        patched.setattr(
            routes, "mounted", lambda *_: [Route(path, page, methods=["GET", "POST"]) for path in ("/page", *SIGNING)]
        )
        yield


@pytest.mark.parametrize(
    ("origin", "secure"),
    [
        ("http://127.0.0.1", False),
        ("http://[::1]", False),
        ("https://127.0.0.1", True),
        ("http://192.0.2.7", True),
        ("http://isthmus.example", True),
    ],
)
def test_cookies_travel_only_where_nobody_listens(
    made: Standing, monkeypatch: pytest.MonkeyPatch, origin: str, secure: bool
) -> None:
    with instead_of_the_console(monkeypatch):
        cookies = Asked(made.app(), origin)("GET", "/page").headers.get_list("set-cookie")
    assert {one.split("=")[0] for one in cookies} == {"session", "csrftoken"}
    for one in cookies:
        assert ("; secure" in one.lower()) is secure
        # A link in a ticket opens the page; a form of somebody else's site comes without a session.
        assert "samesite=lax" in one.lower()
    assert "httponly" in next(one for one in cookies if one.startswith("session"))


def test_a_form_needs_its_token_its_kind_and_a_bounded_body(made: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    with instead_of_the_console(monkeypatch):
        app = made.app()
        ask = Asked(app)
        first = ask("GET", "/page")
        token = first.text.split()[0]
        cookies = "; ".join(one.split(";")[0] for one in first.headers.get_list("set-cookie"))
        mine = {"cookie": cookies}
        good = ask("POST", "/page", data={"csrftoken": token, "word": "yes"}, headers=mine)
        assert good.text.split()[1:] == ["2", "yes"]
        bad: list[tuple[int, dict[str, Any]]] = [
            (403, {"data": {"word": "yes"}}),
            (403, {"data": {"csrftoken": token[:-1] + "x", "word": "yes"}}),
            (400, {"data": {"csrftoken": "ü"}}),
            (400, {"content": b"csrftoken=%FF\xff", "headers": {"content-type": "application/x-www-form-urlencoded"}}),
            (415, {"json": {"csrftoken": token}}),
            (415, {"files": {"csrftoken": b"x"}}),
            (415, {}),
            (413, {"content": b"a=" + b"a" * (1 << 20), "headers": {"content-type": "application/x-www-form-urlencoded"}}),
        ]
        for status, form in bad:
            answer = ask("POST", "/page", **{**form, "headers": {**mine, **form.get("headers", {})}})
            assert answer.status_code == status, (form, answer.text)
            said(answer)
        assert ask("GET", "/page", headers={"cookie": "session=\u00e9".encode()}).status_code == 400
        assert ask("GET", "/page", headers={"cookie": f"session={first.text}forged"}).text.split()[1] == "1"


def test_nobody_is_signed_in_by_somebody_elses_form(made: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    with instead_of_the_console(monkeypatch):
        ask = Asked(made.app())
        for path in SIGNING:
            answer = ask("POST", path, data={"key": made.keys["admin"]})
            assert answer.status_code == 403
            assert said(answer).startswith("this form")
            assert "session=" not in answer.headers.get("set-cookie", "")


def test_a_word_wakes_the_worker_and_a_question_does_not(made: Standing) -> None:
    ask, key, name = Asked(made.app()), made.keys["analyst"], made.incidents()[0]
    ask("GET", f"/v1/incidents/{name}", key)
    ask("POST", f"/v1/incidents/{name}/comment", key, json={"text": ""})
    assert made.woken == 0
    assert ask("POST", f"/v1/incidents/{name}/comment", key, json={"text": "seen"}).status_code == 200
    assert made.woken == 1


def test_an_application_that_fails_after_it_began_answers_once(made: Standing, caplog: pytest.LogCaptureFixture) -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half-way")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "scheme": "http", "query_string": b""}
    asyncio.run(doors.Doorway(half, half, made.wake)(scope, receive, send))
    assert [one["type"] for one in sent] == ["http.response.start"]
    assert "half-way" in caplog.text


def test_somebody_signs_in_and_speaks_through_the_real_doors(made: Standing) -> None:
    name = made.incidents()[0]
    with serving(made.app()) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:

        def token() -> str:
            return str(client.cookies["csrftoken"])

        assert client.get("/", follow_redirects=True).url.path == "/signin"
        form = {"csrftoken": token(), "key": made.keys["analyst"], "next": f"/incidents/{name}"}
        entered = client.post("/signin", data=form)
        assert (entered.status_code, entered.headers["location"]) == (303, f"/incidents/{name}")
        page = client.get(f"/incidents/{name}")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        woken = made.woken
        forged = client.post(f"/incidents/{name}/comment", data={"csrftoken": "x", "text": "forged"})
        assert forged.status_code == 403
        spoken = client.post(f"/incidents/{name}/comment", data={"csrftoken": token(), "text": "seen by a person"})
        assert spoken.status_code == 303
        assert made.woken == woken + 1
    assert [one.text for one in made.incident(name).words] == ["seen by a person"]

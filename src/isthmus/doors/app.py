"""All doors behind one doorway: deliveries, the API, the console, and whether we are well."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from asgi_csrf import asgi_csrf  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.contracts.tracing import span
from isthmus.desk.desk import Desk
from isthmus.desk.measures import Measures
from isthmus.desk.vitals import Vitals
from isthmus.desk.watch import Watch
from isthmus.doors import health, metrics
from isthmus.doors.api import application
from isthmus.doors.console import routes
from isthmus.doors.errors import ANSWERED, PASSAGE, Passage, Told, body_of, response_of, told
from isthmus.doors.limits import READS, Forms, Limits
from isthmus.doors.logs import bound
from isthmus.doors.webhooks import Webhooks

LOG = logging.getLogger("isthmus.doors")
_GIVEN_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
_SESSION_SECONDS = 12 * 60 * 60
_SIGNING = {"/signin", "/signout"}
_PAGES = re.compile(
    r"/(?:health|metrics|approvals|status|signin|signout|(?:static|incidents)/[\w.-]{1,64}(?:/[a-z-]{1,20})?)?", re.ASCII
)
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
"""On every answer, unless a page says something of its own."""


def create(
    desk: Desk,
    clock: Callable[[], datetime],
    wake: Callable[[], None],
    limits: Limits | None = None,
    watch: Watch | None = None,
    loopback: bool = True,
) -> ASGIApp:
    """The application. `wake` is called from any thread when there is something to do for the worker; `watch` knows how
    things stand, and with `loopback` programs on this machine may ask for all of it without a key.
    """
    bounds, watching = limits or Limits(), watch or Watch(desk.store, desk.instances)
    api = Mount("/v1", application.create(desk, clock, bounds))
    pages = Mount("/", _console(desk, clock, bounds))
    rest = Starlette(routes=[*_standing(desk, clock, watching, loopback), api, pages], exception_handlers=ANSWERED)
    rest.router.redirect_slashes = False
    return Doorway(Webhooks(desk, clock, wake, bounds), rest, wake, watching.vitals)


def _standing(desk: Desk, clock: Callable[[], datetime], watch: Watch, loopback: bool) -> list[Route]:
    """How things stand: in a word for everybody, in full and as metrics for those who may know."""
    short, whole = (health.told(watch, clock, one) for one in (False, True))
    measured = metrics.told(watch, Measures(desk.store), clock)
    return [
        Route("/health", health.Inside(whole, desk, clock, loopback, short)),
        Route("/metrics", health.Inside(measured, desk, clock, loopback)),
    ]


def _console(desk: Desk, clock: Callable[[], datetime], limits: Limits) -> ASGIApp:
    """The pages, with sessions and forms that cannot be forged; cookies stay off plain HTTP, but on this machine."""
    pages = Starlette(routes=list(routes.mounted(desk, clock)), exception_handlers=ANSWERED)
    keys = desk.store.keys

    def guarded(https: bool) -> ASGIApp:
        forms: ASGIApp = asgi_csrf(
            pages,
            signing_secret=keys.derived("csrf"),
            always_protect=_SIGNING,
            cookie_secure=https,
            cookie_samesite="Lax",
            send_csrf_failed=_forged,
        )
        bound: dict[str, Any] = {"max_age": _SESSION_SECONDS, "same_site": "lax", "https_only": https}
        return Forms(SessionMiddleware(forms, keys.derived("session"), **bound), limits)

    secure, plain = guarded(True), guarded(False)

    async def by_connection(scope: Scope, receive: Receive, send: Send) -> None:
        await (plain if _on_this_machine(scope) else secure)(scope, receive, send)

    return by_connection


async def _forged(scope: Scope, send: Send, _: object) -> None:
    passage: Passage = scope[PASSAGE]
    error = Told(403, "form", "this form is too old or was not made by us: go back, reload the page, and send it again")
    await _sent(send, error, passage)


def _on_this_machine(scope: Scope) -> bool:
    """Plain HTTP that never leaves this machine, the only kind where a cookie may go without TLS."""
    try:
        return scope["scheme"] == "http" and ip_address((scope.get("server") or ("",))[0]).is_loopback
    except ValueError:
        return False


class Doorway:
    """What every request passes: it gets an id, its answer the headers all answers have, its errors the one form."""

    def __init__(self, webhooks: ASGIApp, rest: ASGIApp, wake: Callable[[], None], vitals: Vitals | None = None) -> None:
        self._webhooks, self._rest, self._wake, self._vitals = webhooks, rest, wake, vitals or Vitals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers every HTTP request, whatever happens behind; refuses web sockets."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self._rest(scope, receive, send)
        else:
            await self._pass(scope, _Ears(scope, receive), send)

    async def _pass(self, scope: Scope, ears: _Ears, send: Send) -> None:
        passage = scope[PASSAGE] = _passage(scope)
        # Where the console looks for it.
        scope.setdefault("state", {})["request_id"] = passage.request_id
        with bound(request=passage.request_id):
            await self._passed(scope, passage, ears, send)

    async def _passed(self, scope: Scope, passage: Passage, ears: _Ears, send: Send) -> None:
        mouth = _Mouth(passage, ears, send)
        inward, word = scope["path"].startswith("/in/"), "accepted"
        try:
            with span("intake.accept", (passage.request_id,)) if inward else nullcontext():
                await (self._webhooks if inward else self._rest)(scope, ears, mouth)
        except Exception as error:  # noqa: BLE001 - the web door: one request's trouble is not the next one's
            word = await self._trouble(error, passage, mouth)
        if inward:
            self._note(passage, word)
        if not inward and scope["method"] not in READS and passage.status < 400:
            self._wake()
        # Only paths we know are logged: one that was mistyped may hold a secret.
        shown = passage.shown or (scope["path"] if _PAGES.fullmatch(scope["path"]) else "(no such page)")
        LOG.info("%s %s %s %d", passage.request_id, scope["method"], shown, passage.status)

    def _note(self, passage: Passage, word: str) -> None:
        """A delivery was answered. Only instances of ours have names here."""
        self._vitals.answered(passage.shown.removeprefix("/in/").partition("/")[0], word)
        if passage.status == 202:
            self._vitals.stored()
        elif (passage.status, word) == (503, "unreachable"):
            self._vitals.stored("deliveries could not be stored")

    async def _trouble(self, error: Exception, passage: Passage, mouth: _Mouth) -> str:
        answer = told(error)
        if answer.status == 500:
            LOG.error("request %s failed", passage.request_id, exc_info=error)
        if not passage.status:
            await _sent(mouth, answer, passage)
        return answer.code


def _passage(scope: Scope) -> Passage:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    fits = len(given) == 1 and _GIVEN_ID.fullmatch(given[0])
    return Passage(given[0].decode()) if fits else Passage()


async def _sent(send: Send, error: Told, passage: Passage) -> None:
    response = response_of(error, passage.request_id)
    await send({"type": "http.response.start", "status": error.status, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": body_of(error, passage.request_id)})


class _Ears:
    """Listens to the request, and knows whether it was heard to its end."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        names = {name for name, _ in scope["headers"]}
        self.heard = not names & {b"content-length", b"transfer-encoding"}

    async def __call__(self) -> Message:
        message = await self._receive()
        if not message.get("more_body", False):
            self.heard = True
        return message


class _Mouth:
    """Answers, with the headers every answer has. An answer before the end of the request ends the connection."""

    def __init__(self, passage: Passage, ears: _Ears, send: Send) -> None:
        self._passage, self._ears, self._send = passage, ears, send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._passage.status = message["status"]
            headers = list(message.get("headers", []))
            headers = [(name, value) for name, value in headers if name.lower() != b"x-request-id"]
            own = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in _HEADERS.items() if name not in own]
            headers.append((b"x-request-id", self._passage.request_id.encode()))
            if not self._ears.heard:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)

"""Who asks: the API key in front of everything under /v1."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.desk.desk import Desk
from isthmus.doors.errors import PASSAGE, Told, later
from isthmus.doors.limits import Failures, header
from isthmus.model.errors import Refused
from isthmus.model.outside import printable
from isthmus.model.people import Person

PERSON = "isthmus.person"
OPEN = frozenset({"/v1/openapi.json"})
"""What needs no key: the description of the rest."""


class Access:
    """Lets nobody further without a key that is somebody's, whatever they ask for and before their body is read.

    A good key is never slowed: those who share an address with somebody who guesses (behind a proxy) are not shut out,
    and 256 random bits are not guessed however often one may try. What is slowed is the noise.
    """

    def __init__(self, app: ASGIApp, desk: Desk, clock: Callable[[], datetime]) -> None:
        self._app, self._desk, self._clock = app, desk, clock
        self._failures = Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `Told` 401, or 429 to an address that fails too often."""
        scope[PASSAGE].shown = "/v1/"
        if scope["path"] not in OPEN or scope["method"] != "GET":
            scope[PERSON] = await self._whose(scope)
        scope[PASSAGE].shown = printable(scope["path"])[:200]
        await self._app(scope, receive, send)

    async def _whose(self, scope: Scope) -> Person:
        scheme, _, key = (header(scope, b"authorization") or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise _denied("send an API key: `Authorization: Bearer isk_…`")
        now = self._clock()
        try:
            _, person = await run_in_threadpool(self._desk.signed_in, key.strip(), now)
        except Refused as error:
            client = scope.get("client") or ("",)
            wait = self._failures.add(client[0], now)
            if wait:
                raise later(429, "too_many", "too many wrong keys from this address", wait) from None
            raise _denied(str(error)) from None
        return person


def _denied(message: str) -> Told:
    return Told(401, "no_key", message, {"www-authenticate": 'Bearer realm="isthmus"'})

"""Whether we are well: one word for everybody, and which promise is not kept for those who may know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.desk.desk import Desk
from isthmus.desk.promises import Promise
from isthmus.desk.watch import Standing, Watch
from isthmus.doors.access import PERSON, Access
from isthmus.doors.errors import AGAIN_IN, Told
from isthmus.doors.limits import header
from isthmus.model.people import Person, Right

_CARRIED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Inside:
    """Lets those in who ask from this machine itself, and everybody with an API key. Others get `outside`, or a 401.

    What comes through a proxy is not from this machine, whoever the proxy is: behind one, `loopback` is off.
    """

    def __init__(
        self, app: ASGIApp, desk: Desk, clock: Callable[[], datetime], loopback: bool, outside: ASGIApp | None = None
    ) -> None:
        self._app, self._desk, self._loopback, self._outside = app, desk, loopback, outside
        self._keyed = Access(self._known, desk, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `Told` as the API does for a key that is nobody's."""
        if self._loopback and near(scope):
            await self._app(scope, receive, send)
        elif self._outside is not None and header(scope, b"authorization") is None:
            await self._outside(scope, receive, send)
        else:
            await self._keyed(scope, receive, send)

    async def _known(self, scope: Scope, receive: Receive, send: Send) -> None:
        """How the house stands names every tenant: it is for those of `default`, or of the only tenant there is."""
        person: Person = scope[PERSON]
        tenants = {one.tenant for one in self._desk.instances.by_name.values()}
        if not person.may(Right.READ) or (person.tenant != "default" and tenants != {person.tenant}):
            raise Told(403, "may_not", "how the house stands is for people of the tenant default")
        await self._app(scope, receive, send)


def near(scope: Scope) -> bool:
    """Whether a program on this machine asks for itself: not carried on by a proxy, and not by a page of some other site."""
    try:
        here = ip_address((scope.get("client") or ("",))[0]).is_loopback
    except ValueError:
        return False
    host = (header(scope, b"host") or b"").decode("latin-1").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return here and name in _OWN_NAMES and not any(key in _CARRIED for key, _ in scope["headers"])


def told(watch: Watch, clock: Callable[[], datetime], whole: bool) -> ASGIApp:
    """Answers GET with how things stand; `whole` with every promise and what waits, else in one word."""

    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        standing = await run_in_threadpool(watch.standing, clock())
        said = {**_word(standing), **(_details(standing) if whole else {})}
        status, headers = (200, {}) if standing.storing else (503, {"retry-after": str(AGAIN_IN)})
        if Request(scope).method not in {"GET", "HEAD"}:
            status, said, headers = 405, {"status": "ask with GET"}, {"allow": "GET, HEAD"}
        response = Response(msgspec.json.encode(said), status, headers, "application/json")
        await response(scope, receive, send)

    return health


def _word(standing: Standing) -> dict[str, object]:
    if not standing.storing:
        return {"status": "down"}
    return {"status": "ok" if standing.kept else "degraded"}


def _details(standing: Standing) -> dict[str, object]:
    waiting = {} if standing.look is None else {"inbox": standing.look.depth}
    return {**waiting, "promises": [_promise(one) for one in standing.promises]}


def _promise(one: Promise) -> dict[str, object]:
    return {"name": one.name, "kept": one.kept, "since": one.since.isoformat(), "why": one.why}

"""The console's routes. They translate between a browser and the desk, and decide nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.desk.desk import Desk
from isthmus.doors.console import pages, session
from isthmus.doors.console.checking import RecordCheck
from isthmus.doors.console.pages import Page
from isthmus.doors.console.replies import redirect, reply, sentence, style, wrong
from isthmus.doors.console.saying import SAYINGS, Spoken
from isthmus.doors.console.session import LOG, Declined
from isthmus.model.errors import IsthmusError, Refused
from isthmus.model.people import Person

_UNKNOWN, _FORBIDDEN, _MISSING = 401, 403, 404
Clock = Callable[[], datetime]
Gathered = Callable[[Desk, Person, Mapping[str, str], datetime], Page]
Endpoint = Callable[[Request], Awaitable[Response]]


def mounted(desk: Desk, clock: Clock) -> list[Route]:
    """The routes of the console. Whoever mounts them wraps them in SessionMiddleware and asgi-csrf (field `csrftoken`)."""
    console = _Console(desk, clock)
    status = partial(pages.status, RecordCheck(desk))
    return [
        Route("/", told(console.page(pages.queue)), methods=["GET"]),
        Route("/approvals", told(console.page(pages.approvals)), methods=["GET"]),
        Route("/status", told(console.page(status)), methods=["GET"]),
        Route("/signin", told(console.signin), methods=["GET"]),
        Route("/signin", told(console.enter), methods=["POST"]),
        Route("/signout", told(console.leave), methods=["POST"]),
        Route("/incidents/{name}", told(console.incident), methods=["GET"]),
        Route("/incidents/{name}/{what}", told(console.speak), methods=["POST"]),
        Route("/static/{name}", style, methods=["GET"]),
    ]


def told(endpoint: Endpoint) -> Endpoint:
    """The endpoint, its errors shown as a page with one sentence."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except IsthmusError as error:
            return wrong(request, error)

    return answered


@dataclass(frozen=True, slots=True)
class _Console:
    """Who asks is asked of the register each time; nothing of the database is touched on the event loop."""

    desk: Desk
    clock: Clock

    def page(self, gathered: Gathered) -> Endpoint:
        """The endpoint of a page that anybody who is signed in may ask for."""

        async def endpoint(request: Request) -> Response:
            return await self._shown(request, lambda person, now: gathered(self.desk, person, request.query_params, now))

        return endpoint

    async def incident(self, request: Request) -> Response:
        """One incident."""
        name = request.path_params["name"]
        return await self._shown(request, lambda person, now: pages.incident(self.desk, person, name, now))

    async def _shown(self, request: Request, drawing: Callable[[Person, datetime], Page]) -> Response:
        now = self.clock()
        person = await session.visitor(request, self.desk, now)
        if person is None:
            wanted = session.asked_for(request)
            return redirect("/signin" + (f"?{urlencode({'next': wanted})}" if wanted != session.HOME else ""))

        def drawn() -> Response:
            page = drawing(person, now)
            return reply(request, page.template, page.values)

        return await run_in_threadpool(drawn)

    async def signin(self, request: Request) -> Response:
        """The form that asks for a key."""
        if await session.visitor(request, self.desk, self.clock()) is not None:
            return redirect(session.HOME)
        wanted = session.onward(request.query_params.get("next", ""))
        return reply(request, "signin.html", {"refused": "", "next": wanted})

    async def enter(self, request: Request) -> Response:
        """A key was given: a session of its own, or the same words for every key that opens nothing."""
        sent = await session.form(request)
        wanted, key = session.onward(session.field(sent, "next")), session.field(sent, "key").strip()
        try:
            key_id, person = await run_in_threadpool(self.desk.signed_in, key, self.clock())
        except Refused as error:
            LOG.warning("request %s: a key that opens nothing", session.number(request))
            return reply(request, "signin.html", {"refused": sentence(error), "next": wanted}, _UNKNOWN)
        session.enter(request, key_id)
        LOG.info("request %s: %s signed in with key %s", session.number(request), person.id, key_id)
        return redirect(wanted)

    async def leave(self, request: Request) -> Response:
        """End the session."""
        await session.form(request)
        session.leave(request)
        session.say(request, "You are signed out.")
        return redirect("/signin")

    async def speak(self, request: Request) -> Response:
        """A form about an incident. Nothing is done for nobody, without our token, or outside the list."""
        now = self.clock()
        person = await session.visitor(request, self.desk, now)
        if person is None:
            return redirect("/signin")
        sent = await session.form(request)
        request.state.typed = session.field(sent, "text") or session.field(sent, "reason")
        saying, name = SAYINGS.get(request.path_params["what"]), request.path_params["name"]
        if saying is None:
            raise Declined(_MISSING, "there is no such form")

        def spoken() -> str:
            view = pages.loaded(self.desk, person, name, now)
            if not person.may(saying.right):
                raise Declined(_FORBIDDEN, f"your role is {person.role.value}, which has no right to {saying.right.value}")
            return saying.say(Spoken(self.desk.words, person, view, sent, now))

        session.say(request, await run_in_threadpool(spoken))
        return redirect(f"/incidents/{quote(name, safe='')}")

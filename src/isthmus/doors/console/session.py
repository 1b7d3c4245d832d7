"""Who is there, and whether a form is one of ours. Nothing here says what anybody may do."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request

from isthmus.desk.desk import Desk
from isthmus.model.errors import Refused
from isthmus.model.people import Person

LOG = logging.getLogger("isthmus.console")
HOME, FORBIDDEN = "/", 403
NOT_OURS = "This form is not from this session, or it is too old. Nothing was done; open the page again."
_KEY, _SAID = "key_id", "said"
_LARGEST_FORM, _LONGEST_SAID = 262_144, 600
_FORM = "application/x-www-form-urlencoded"
_OURS = re.compile(r"/(?:incidents/INC-[0-9a-f]{1,64}|approvals|status)?(?:\?[A-Za-z0-9_=&%+*.-]{0,500})?", re.ASCII)


class Declined(Refused):
    """A request that is answered with this status and this sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def visitor(request: Request, desk: Desk, now: datetime) -> Person | None:
    """Whose session this is, asked of the register on every request; None for nobody's, which is then emptied."""
    key_id = request.session.get(_KEY)
    if not isinstance(key_id, str):
        return None
    try:
        request.state.person = await run_in_threadpool(desk.still_signed_in, key_id, now)
    except Refused as error:
        request.session.clear()
        say(request, f"You are signed out: {error}.")
    return present(request)


def present(request: Request) -> Person | None:
    """Who `visitor` found for this request."""
    found = getattr(request.state, "person", None)
    return found if isinstance(found, Person) else None


def enter(request: Request, key_id: str) -> None:
    """Begin a session; whatever was in the old one is gone."""
    request.session.clear()
    request.session[_KEY] = key_id


def leave(request: Request) -> None:
    """End the session."""
    request.session.clear()
    request.state.person = None


def say(request: Request, sentence: str) -> None:
    """Something to be shown once, on the next page."""
    request.session[_SAID] = sentence[:_LONGEST_SAID]


def said(request: Request) -> str:
    """What was left to be shown."""
    return str(request.session.pop(_SAID, ""))


def token(request: Request) -> str:
    """What a form of ours carries. The application wraps these routes in asgi-csrf, which puts it here."""
    made: Any = request.scope["csrftoken"]
    return str(made())


async def form(request: Request) -> FormData:
    """The form that was sent. Raises `Declined` for one that is not ours, is no form, or is too large.

    asgi-csrf lets a request without cookies or with a bearer token pass; a page has no use for either.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Declined(415, "This is not a form.")
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _LARGEST_FORM:
        raise Declined(413, f"A form has at most {_LARGEST_FORM:,} bytes, and says how many.")
    sent = await request.form()
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Declined(FORBIDDEN, "This form was sent by another site. Nothing was done.")
    if not hmac.compare_digest(field(sent, "csrftoken").encode(), token(request).encode()):
        raise Declined(FORBIDDEN, NOT_OURS)
    return sent


def field(sent: FormData, name: str) -> str:
    """One text of a form; empty when it is not there."""
    value = sent.get(name)
    return value if isinstance(value, str) else ""


def onward(wanted: str) -> str:
    """Where to go after signing in: one of our own pages, or the queue."""
    return wanted if _OURS.fullmatch(wanted) else HOME


def asked_for(request: Request) -> str:
    """The page that was asked for, for `onward`."""
    return onward(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def number(request: Request) -> str:
    """What this request is called in the answer and in the log. A number the application gave already is kept."""
    given = getattr(request.state, "request_id", None)
    if given is None:
        request.state.request_id = given = secrets.token_hex(6)
    return str(given)

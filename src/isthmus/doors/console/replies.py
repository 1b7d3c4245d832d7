"""What every answer of the console has in common: its headers, the frame of a page, how an error reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from isthmus.answer.templates import rendered as drawn
from isthmus.doors.console import session
from isthmus.doors.console.session import LOG, Declined
from isthmus.doors.console.templates import rendered
from isthmus.model.errors import IsthmusError, Unreachable, Untrusted

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With no-referrer, browsers say of our own forms that they come from nowhere.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
_FOR_EVER, _FOR_NOW = "public, max-age=31536000, immutable", "no-cache"
_REQUEST_ID = "x-request-id"
_UNASKED, _FORBIDDEN, _CONFLICT, _AWAY = 400, 403, 409, 503


def reply(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """A page in its frame, for whoever the session says is there."""
    body = rendered(
        template,
        **values,
        person=session.present(request),
        here=request.url.path,
        csrf=session.token(request),
        said=session.said(request),
        sheet=f"/static/{sheet_name()}",
    )
    return HTMLResponse(body, status, {**HEADERS, _REQUEST_ID: session.number(request)})


def redirect(address: str) -> Response:
    """On to one of our own pages, to be fetched with GET."""
    return RedirectResponse(address, 303, HEADERS)


def wrong(request: Request, error: IsthmusError) -> Response:
    """An error as a page: one sentence, and the number under which the log has it."""
    status, number = _status(request, error), session.number(request)
    LOG.warning("request %s: %s %s: %d %s", number, request.method, request.url.path, status, error)
    name = request.path_params.get("name", "") if request.method == "POST" and session.present(request) else ""
    values = {
        **{"status": status, "sentence": sentence(error), "number": number, "typed": getattr(request.state, "typed", "")},
        "back": f"/incidents/{quote(name, safe='')}" if name else session.HOME,
    }
    return reply(request, "wrong.html", values, status)


def _status(request: Request, error: IsthmusError) -> int:
    """What was refused to a form stands against how things are; what was refused to a reader is forbidden."""
    if isinstance(error, Declined):
        return error.status
    if isinstance(error, Unreachable):
        return _AWAY
    return _UNASKED if isinstance(error, Untrusted) else _CONFLICT if request.method == "POST" else _FORBIDDEN


def sentence(error: IsthmusError) -> str:
    """The text of an error as a sentence."""
    text = str(error).strip() or "something went wrong"
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


async def style(request: Request) -> Response:
    """The style sheet: for ever under the name that has its hash, for now under its plain one."""
    name = request.path_params["name"]
    if name not in {"console.css", sheet_name()}:
        return Response("There is no such file.", 404, {**HEADERS, "content-type": "text/plain; charset=utf-8"})
    kept = _FOR_NOW if name == "console.css" else _FOR_EVER
    return Response(_sheet(), 200, {**HEADERS, "content-type": "text/css; charset=utf-8", "cache-control": kept})


def sheet_name() -> str:
    """The style sheet's name with its hash: another sheet is another name."""
    return f"console.{hashlib.sha256(_sheet()).hexdigest()[:16]}.css"


@cache
def _sheet() -> bytes:
    """The triage page's sheet, and what the console adds to it."""
    return (drawn("page.css") + rendered("console.css")).encode()

"""Errors as they are told to whoever knocked: a status, one word for programs, one line for people, and the request's id."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from isthmus.model.errors import IsthmusError, Refused, Unreachable, Untrusted
from isthmus.model.outside import printable

PASSAGE = "isthmus.passage"
AGAIN_IN = 5
"""Seconds after which somebody may try again when the database or a platform was away."""
_CODES = {400: "bad_request", 401: "no_key", 403: "may_not", 404: "not_found", 405: "method", 409: "conflict", 422: "invalid"}
_OURS = frozenset({"query", "verdict", "reason", "text", "until", "findings"})
"""What `Untrusted` names when the caller's own words are at fault; anything else it names lies in our record."""


@dataclass(slots=True)
class Passage:
    """One request on its way through the doors. `shown` is its path as it may be logged; empty where that is not known."""

    request_id: str = field(default_factory=lambda: secrets.token_hex(16))
    shown: str = ""
    status: int = 0


class Told(Exception):
    """An answer that is no. `headers` go with it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


def later(status: int, code: str, message: str, seconds: int = AGAIN_IN) -> Told:
    """The same, for those who should try again in so many seconds."""
    return Told(status, code, message, {"retry-after": str(seconds)})


def told(error: Exception) -> Told:
    """Any error as the answer to a request. What nobody foresaw is told without detail."""
    if isinstance(error, Told):
        return error
    if isinstance(error, HTTPException):
        return Told(error.status_code, _CODES.get(error.status_code, "http"), str(error.detail), error.headers)
    if isinstance(error, RequestValidationError):
        return Told(422, "invalid", _lacking(error))
    if isinstance(error, Unreachable):
        return later(503, "unreachable", str(error))
    if isinstance(error, Refused):
        return Told(409, "refused", str(error))
    if isinstance(error, Untrusted):
        return Told(400, "untrusted", str(error)) if error.place in _OURS else Told(500, "record", str(error))
    return Told(500, "unforeseen", "something went wrong here; the log names this request")


def _lacking(error: RequestValidationError) -> str:
    """Which fields are wrong and how. What was sent is not repeated."""
    said = []
    for one in error.errors()[:5]:
        place = ".".join(str(part) for part in one["loc"])
        said.append(f"{printable(place)[:100]}: {printable(str(one['msg']))[:200]}")
    return "; ".join(said)


def body_of(error: Told, request_id: str) -> bytes:
    """The error as JSON."""
    return msgspec.json.encode({"error": {"code": error.code, "message": error.message, "request_id": request_id}})


def response_of(error: Told, request_id: str) -> Response:
    """The error as an answer."""
    return Response(body_of(error, request_id), error.status, error.headers, "application/json")


async def reply(request: Request, error: Exception) -> Response:
    """For Starlette and FastAPI, which answer errors themselves."""
    passage: Passage = request.scope[PASSAGE]
    return response_of(told(error), passage.request_id)


ANSWERED: dict[Any, Any] = dict.fromkeys((HTTPException, RequestValidationError, Told, IsthmusError, Exception), reply)
"""The errors of an application, each answered in the one form. What falls under `Exception` is raised on, to be logged."""

"""ServiceNow as a server: the Table API, attachments and OAuth, with users, roles, column rights and rate limits."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.connectors.servicenow.simulated_api import AttachmentApi, TableApi, Wrong, answered
from isthmus.connectors.servicenow.simulated_query import Row
from isthmus.connectors.servicenow.simulated_tables import Tables
from isthmus.model.errors import Refused

BEGIN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
USER, CLIENT, ANALYST = "isthmus.integration", "isthmus-oauth-client", "maria.lind"
_ADMIN, _INTEGRATION, _ANALYST = "admin", "sn_si.integration_user", "sn_si.analyst"
_WRITES: Mapping[str, frozenset[str]] = {
    "sn_si_incident": frozenset({_ADMIN, _INTEGRATION, _ANALYST}),
    "incident": frozenset({_ADMIN, "itil"}),
}
_READS: Mapping[str, frozenset[str]] = {**_WRITES, "sys_journal_field": frozenset({_ADMIN, _INTEGRATION, _ANALYST})}
_STRANGER = (
    "User Not Authenticated",
    "Required to provide Auth information",
    {"WWW-Authenticate": 'BASIC realm="Service-now"'},
)


class SimulatedSnow:
    """One instance, empty but for two people, their roles and a group.

    What a test may change: `roles` of a user, `hidden` and `read_only` columns (`table.column`), `per_hour` (calls until
    429), `token_seconds`, `tables.clock`, `tables.columns`. Passwords are made anew for every instance.
    """

    def __init__(self) -> None:
        began = time.monotonic()
        self.tables = Tables(lambda: BEGIN + timedelta(seconds=time.monotonic() - began))
        self.files: dict[str, bytes] = {}
        self.words = {USER: secrets.token_urlsafe(18), ANALYST: secrets.token_urlsafe(18)}
        self.client_word = secrets.token_urlsafe(18)
        self.roles: dict[str, set[str]] = {USER: {_INTEGRATION}, ANALYST: {_ANALYST}}
        self.hidden: set[str] = set()
        self.read_only: set[str] = set()
        self.per_hour: int | None = None
        self.token_seconds = 1_800
        self._calls = 0
        self._tokens: dict[str, tuple[str, float]] = {}
        people = {USER: "Isthmus Integration", ANALYST: "Maria Lind"}
        self.people = {
            user: self.tables.insert("sys_user", {"user_name": user, "name": name}, "system")["sys_id"]
            for user, name in people.items()
        }
        self.group = self.tables.insert("sys_user_group", {"name": "Security Operations"}, "system")["sys_id"]

    @property
    def app(self) -> Starlette:
        """The ASGI application."""
        table, attachment = TableApi(self), AttachmentApi(self)
        routes = [Route("/oauth_token.do", answered(self._token), methods=["POST"])]
        for place in ("/api/now", "/api/now/v1", "/api/now/v2"):
            routes += [
                Route(f"{place}/table/{{table}}", answered(table.listed), methods=["GET"]),
                Route(f"{place}/table/{{table}}", answered(table.created), methods=["POST"]),
                Route(f"{place}/table/{{table}}/{{sys_id}}", answered(table.one), methods=["GET"]),
                Route(f"{place}/table/{{table}}/{{sys_id}}", answered(table.changed), methods=["PATCH", "PUT"]),
                Route(f"{place}/table/{{table}}/{{sys_id}}", answered(table.deleted), methods=["DELETE"]),
                Route(f"{place}/attachment", answered(attachment.listed), methods=["GET"]),
                Route(f"{place}/attachment/file", answered(attachment.uploaded), methods=["POST"]),
                Route(f"{place}/attachment/{{sys_id}}", answered(attachment.one), methods=["GET"]),
                Route(f"{place}/attachment/{{sys_id}}", answered(attachment.deleted), methods=["DELETE"]),
                Route(f"{place}/attachment/{{sys_id}}/file", answered(attachment.content), methods=["GET"]),
            ]
        nothing = answered(self._nothing)
        routes.append(Route("/{path:path}", nothing, methods=["GET", "POST", "PATCH", "PUT", "DELETE"]))
        return Starlette(routes=routes)

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """Settings with basic authentication; `oauth` are the ones with a token."""
        return {
            "origin": origin,
            "user": USER,
            "password": secrets("servicenow-password", self.words[USER]),
            "group": self.group,
            "per_second": 100,
        }

    def oauth(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """Settings with OAuth client credentials."""
        reference = secrets("servicenow-client", self.client_word)
        return {"origin": origin, "client_id": CLIENT, "client_secret": reference, "group": self.group, "per_second": 100}

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """Always `Refused`: ServiceNow keeps cases and has no alerts to tell of."""
        del payload, at
        raise Refused("ServiceNow keeps cases; it holds no alerts")

    def rows(self, table: str) -> list[Row]:
        """Every row of a table as it is stored, the oldest first."""
        return [dict(row) for row in self.tables.rows[table].values()]

    def forget_tokens(self) -> None:
        """No token given out so far is good any more."""
        self._tokens.clear()

    def caller(self, request: Request) -> str:
        """The user of this request. Raises `Wrong`: 401 when it is nobody, 429 when there were too many calls."""
        kind, _, rest = request.headers.get("authorization", "").partition(" ")
        user = {"basic": self._by_word, "bearer": self._by_token}.get(kind.lower(), lambda _: "")(rest)
        if not user:
            raise Wrong(401, *_STRANGER)
        self._calls += 1
        if self.per_hour is not None and self._calls > self.per_hour:
            detail = "The number of requests has exceeded the allowed limit"
            raise Wrong(429, "Rate limit exceeded", detail, {**self.counted(), "Retry-After": "0"})
        return user

    def may(self, user: str, verb: str, table: str) -> bool:
        """Whether this user's roles allow it; tables without a rule are read by everybody and written by nobody."""
        rules = _READS if verb == "read" else _WRITES
        return bool(self.roles[user] & rules[table]) if table in rules else verb == "read"

    def counted(self) -> dict[str, str]:
        """Rate-limit headers, when there is a limit."""
        if self.per_hour is None:
            return {}
        reset = int(self.tables.clock().timestamp()) // 3_600 * 3_600 + 3_600
        return {
            "X-RateLimit-Limit": str(self.per_hour),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Rule": "Integration users, per hour",
        }

    async def _token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        client = given.get("client_id", ""), given.get("client_secret", "")
        if client != (CLIENT, self.client_word):
            return _oauth_error("invalid_client")
        if given.get("grant_type") == "client_credentials":
            user = USER
        elif given.get("grant_type") == "password":
            user = given.get("username", "") if self.words.get(given.get("username", "")) == given.get("password") else ""
        else:
            return _oauth_error("unsupported_grant_type")
        if not user:
            return _oauth_error("access_denied")
        token = secrets.token_urlsafe(32)
        self._tokens[token] = (user, time.monotonic() + self.token_seconds)
        answer = {"access_token": token, "scope": "useraccount", "token_type": "Bearer", "expires_in": self.token_seconds}
        return JSONResponse(answer)

    async def _nothing(self, request: Request) -> Response:
        self.caller(request)
        raise Wrong(400, "Requested URI does not represent any resource", f"{request.url.path}")

    def _by_word(self, given: str) -> str:
        try:
            user, _, word = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return user if word and self.words.get(user) == word else ""

    def _by_token(self, given: str) -> str:
        user, until = self._tokens.get(given, ("", 0.0))
        return user if time.monotonic() < until else ""


def _oauth_error(error: str) -> Response:
    return JSONResponse({"error_description": "access_denied", "error": error}, 401)

"""Prisma Cloud as a server: CSPM at the root of its origin, the Compute console below a path, as Prisma hosts it.

Paths, parameters, paging and the empty list as `null` are those of the published API descriptions and of Palo Alto's own
client. Bodies of Compute's errors are not published; `{"err": …}` stands in for them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from secrets import compare_digest, token_urlsafe
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.connectors.prisma.simulated_state import CONSOLE, FILTERS, Alerts, Lists, Unfit

Endpoint = Callable[[Request], Awaitable[Response]]
_PAGE = 50


class SimulatedPrisma:
    """A tenant and its console that know the alerts they are told to hold."""

    def __init__(self) -> None:
        self._key, self._secret, self._webhook = token_urlsafe(16), token_urlsafe(32), token_urlsafe(32)
        self._tokens: set[str] = set()
        self._alerts, self._lists = Alerts(), Lists()
        console = f"/{CONSOLE}/api/{{version}}"
        self.app = Starlette(
            routes=[
                Route("/login", self._login, methods=["POST"]),
                Route("/auth_token/extend", self._known(self._extend), methods=["GET"]),
                Route("/alert/{number}", self._known(self._alert), methods=["GET"]),
                Route("/v2/alert", self._known(self._page), methods=["POST"]),
                Route(f"{console}/authenticate", self._login, methods=["POST"]),
                Route(console + "/{name:path}", self._known(self._list), methods=["GET"]),
            ]
        )

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """Settings of an instance that may speak to this tenant."""
        return {
            "origin": origin,
            "access_key_id": secrets("prisma-access-key-id", self._key),
            "secret_key": secrets("prisma-secret-key", self._secret),
            "compute_origin": origin,
            "compute_path": f"/{CONSOLE}",
            "webhook_secret": secrets("prisma-webhook", self._webhook),
        }

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """From now on CSPM or Compute knows this alert, audit or scan. A scan adds to what is known of its image."""
        del at
        if "policy" in payload:
            self._alerts.hold(payload)
        else:
            self._lists.hold(payload)

    def expire(self) -> None:
        """Every token given out so far is over."""
        self._tokens.clear()

    def _given(self) -> str:
        token = token_urlsafe(48)
        self._tokens.add(token)
        return token

    def _known(self, endpoint: Endpoint) -> Endpoint:
        async def checked(request: Request) -> Response:
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
            if request.headers.get("x-redlock-auth", bearer) not in self._tokens:
                return _no(401, "unauthorized")
            try:
                return await endpoint(request)
            except Unfit as error:
                return _no(400, str(error))

        return checked

    async def _login(self, request: Request) -> Response:
        try:
            said = json.loads(await request.body())
            pair = str(said["username"]), str(said["password"])
        except (ValueError, TypeError, KeyError):
            return _no(400, "missing_required_parameter")
        right = [compare_digest(one.encode(), own.encode()) for one, own in zip(pair, (self._key, self._secret), strict=True)]
        if not all(right):
            return _no(401, "invalid_credentials")
        customers = [{"customerName": "Tidewater", "prismaId": "1057423019845", "tosAccepted": True}]
        return JSONResponse({"token": self._given(), "message": "login_successful", "customerNames": customers})

    async def _extend(self, request: Request) -> Response:
        del request
        return JSONResponse({"token": self._given(), "message": "login_successful", "roles": []})

    async def _alert(self, request: Request) -> Response:
        found = self._alerts.one(request.path_params["number"], request.query_params.get("detailed") == "true")
        return _no(404, "not_found") if found is None else JSONResponse(found)

    async def _page(self, request: Request) -> Response:
        try:
            asked = json.loads(await request.body())
        except ValueError:
            raise Unfit("invalid_request_body") from None
        return JSONResponse(self._alerts.page(asked, request.query_params.get("detailed") == "true"))

    async def _list(self, request: Request) -> Response:
        name, given = request.path_params["name"], request.query_params
        if name not in FILTERS:
            return JSONResponse({"err": "not found"}, 404)
        rows = self._lists.rows(name, given.multi_items())
        begin, size = _whole(given.get("offset", "0")), min(_whole(given.get("limit", str(_PAGE))), _PAGE)
        return JSONResponse(rows[begin : begin + size] or None, headers={"Total-Count": str(len(rows))})


def _no(status: int, key: str) -> Response:
    """A refusal in both of Prisma's ways: a header for CSPM, a body for Compute."""
    why = json.dumps([{"i18nKey": key, "severity": "error", "subject": None}])
    return JSONResponse({"err": key}, status, headers={"x-redlock-status": why})


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Unfit("limit and offset are whole numbers")
    return int(text)

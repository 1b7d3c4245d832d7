"""Lacework as a server: tokens, alerts with and without details, searches of vulnerability rows, pages, its errors."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_KEY = ("TIDEWATER_SIMULATED0KEY", "_simulated-lacework-secret-77c2")
_LONGEST_WINDOW = timedelta(days=7)
_FILTERS = {
    "Hosts": frozenset({"vulnId", "mid", "severity", "status"}),
    "Containers": frozenset({"vulnId", "imageId", "severity", "status"}),
}
_API = "/api/v2"


class SimulatedLacework:
    """Lacework, small. `expire` ends every token given out so far; `ends_at` is what is said of a token's end.

    Vulnerability rows count as evaluated anew all the time, as Lacework does with what still runs: every window finds them.
    """

    def __init__(self, rows_a_page: int = 5_000) -> None:
        self.app = Starlette(
            routes=[
                Route(f"{_API}/access/tokens", self._token, methods=["POST"]),
                Route(f"{_API}/Alerts", self._alerts, methods=["GET"]),
                Route(f"{_API}/Alerts/{{alert:int}}", self._alert, methods=["GET"]),
                Route(f"{_API}/Vulnerabilities/{{of}}/search", self._search, methods=["POST"]),
                Route(f"{_API}/{{rest:path}}", self._next, methods=["GET"]),
            ]
        )
        self.tokens: set[str] = set()
        self.ends_at: object = "2099-01-01T00:00:00.000Z"
        self.next_origin = ""
        self._rows_a_page = rows_a_page
        self._alerts_held: dict[int, dict[str, Any]] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {"Hosts": [], "Containers": []}
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """As `contracts.roles.Simulated.config`."""
        return {
            "origin": origin,
            "key_id": secrets("lacework-key-id", _KEY[0]),
            "secret": secrets("lacework-secret", _KEY[1]),
            "webhook_secret": secrets("lacework-webhook-secret", "simulated-path-token-0b5e93"),
        }

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """Know this alert (anew, when its number is known), or one more evaluation of a vulnerability row."""
        del at
        if "alertId" in payload:
            self._alerts_held[int(payload["alertId"])] = payload
        else:
            self._rows["Containers" if "imageId" in payload else "Hosts"].append(payload)

    def expire(self) -> None:
        self.tokens.clear()

    async def _token(self, request: Request) -> Response:
        asked = await request.json()
        if (asked.get("keyId"), request.headers.get("x-lw-uaks")) != _KEY:
            return _said(401, "Unauthorized: invalid API key")
        if not isinstance(asked.get("expiryTime"), int) or not 0 < asked["expiryTime"] <= 86_400:
            return _said(400, "expiryTime must be between 1 and 86400")
        token = f"_{secrets.token_hex(16)}"
        self.tokens.add(token)
        return JSONResponse({"token": token, "expiresAt": self.ends_at}, 201)

    def _turned_away(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return None if scheme == "Bearer" and token in self.tokens else _said(401, "Unauthorized")

    async def _alert(self, request: Request) -> Response:
        found = self._alerts_held.get(request.path_params["alert"])
        if (refusal := self._turned_away(request)) is not None:
            return refusal
        if found is None:
            return _said(404, "Alert not found")
        scope = request.query_params.get("scope", "")
        if scope != "Details":
            return _said(400, "this small Lacework has scope=Details only")
        return JSONResponse({"data": found})

    async def _alerts(self, request: Request) -> Response:
        if (refusal := self._turned_away(request)) is not None:
            return refusal
        if (wrong := _window(request.query_params)) is not None:
            return wrong
        found = [{key: value for key, value in one.items() if key != "entityMap"} for one in self._alerts_held.values()]
        return self._page("Alerts", found, request)

    async def _search(self, request: Request) -> Response:
        if (refusal := self._turned_away(request)) is not None:
            return refusal
        asked, of = await request.json(), request.path_params["of"]
        if of not in self._rows:
            return _said(404, "no such data")
        if (wrong := _window(asked.get("timeFilter", {}))) is not None:
            return wrong
        found = self._rows[of]
        for one in asked.get("filters", []):
            if (
                one.get("field") not in _FILTERS[of]
                or one.get("expression") != "eq"
                or set(one) != {"field", "expression", "value"}
            ):
                return _said(400, "filters: field or expression not supported")
            found = [row for row in found if str(row.get(one["field"])) == str(one["value"])]
        return self._page(f"Vulnerabilities/{of}", found, request)

    async def _next(self, request: Request) -> Response:
        if (refusal := self._turned_away(request)) is not None:
            return refusal
        where, _, token = request.path_params["rest"].rpartition("/")
        return self._page(where, self._waiting[token], request) if token in self._waiting else _said(404, "Not found")

    def _page(self, where: str, rows: list[dict[str, Any]], request: Request) -> Response:
        if not rows:
            return Response(status_code=204)
        page, rest = rows[: self._rows_a_page], rows[self._rows_a_page :]
        following = None
        if rest:
            token = secrets.token_hex(12) + "x"
            self._waiting[token] = rest
            origin = self.next_origin or f"{request.url.scheme}://{request.url.netloc}"
            following = f"{origin}{_API}/{where}/{token}"
        paging = {"rows": len(page), "totalRows": len(rows), "urls": {"nextPage": following}}
        return JSONResponse({"paging": paging, "data": page})


def _window(asked: Any) -> Response | None:
    """What is wrong with a window of time: it must be there, in order, and no longer than seven days."""
    try:
        start, end = (datetime.fromisoformat(asked[name]).astimezone(UTC) for name in ("startTime", "endTime"))
    except (KeyError, TypeError, ValueError):
        return _said(400, "startTime and endTime are needed")
    return None if timedelta(0) < end - start <= _LONGEST_WINDOW else _said(400, "the window is longer than seven days")


def _said(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)

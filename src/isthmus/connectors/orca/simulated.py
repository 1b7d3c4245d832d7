"""Orca as a server: the alert API, the alert query and the serving layer, with the token asked for on every call.

Status codes and bodies are those public clients of Orca are written for. What a wrong token is answered with is not
public; 401 with a `detail` stands in for it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from secrets import compare_digest, token_urlsafe
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.connectors.orca.alerts import read_alert
from isthmus.connectors.orca.simulator import OrcaSimulator
from isthmus.contracts.reading import value_at
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding

_MOST = 10_000

Endpoint = Callable[[Request], Awaitable[Response]]


class SimulatedOrca:
    """An Orca organization that knows the alerts it is told to hold."""

    def __init__(self) -> None:
        self._token = token_urlsafe(32)
        self._webhook = token_urlsafe(32)
        self._alerts: dict[str, dict[str, Any]] = {}
        self._served: dict[str, dict[str, Any]] = {}
        self.app = Starlette(
            routes=[
                Route("/api/alerts/{alert}", self._known(self._alert), methods=["GET"]),
                Route("/api/query/alerts", self._known(self._query), methods=["GET", "POST"]),
                Route("/api/rules/query/alerts", self._known(self._query), methods=["POST"]),
                Route("/api/serving-layer/query", self._known(self._serve), methods=["POST"]),
            ]
        )

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """Settings of an instance that may speak to this organization."""
        return {
            "origin": origin,
            "api_token": secrets("orca-api-token", self._token),
            "webhook_secret": secrets("orca-webhook", self._webhook),
        }

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """From now on the alert API answers with this alert, and the serving layer with the same in its own words."""
        finding = next(iter(read_alert(payload, Origin(received=at))))
        if not isinstance(finding, Finding):
            raise Untrusted("not an Orca alert")
        self._alerts[finding.source_id] = payload
        self._served[finding.source_id] = list(OrcaSimulator().payloads(finding))[2]

    def _known(self, endpoint: Endpoint) -> Endpoint:
        async def checked(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "token" or not compare_digest(token.encode(), self._token.encode()):
                return JSONResponse({"detail": "Invalid token."}, 401)
            try:
                return await endpoint(request)
            except _Unfit as error:
                return JSONResponse({"status": "failure", "error": str(error)}, 400)

        return checked

    async def _alert(self, request: Request) -> Response:
        alert = request.path_params["alert"]
        if alert not in self._alerts:
            return JSONResponse({"error": f"alert_id {alert} does not exist"}, 400)
        return JSONResponse(self._alerts[alert])

    async def _query(self, request: Request) -> Response:
        """Alerts by `dsl_filter`, oldest first, in pages named by a token."""
        given = dict(await request.form() if request.method == "POST" else request.query_params)
        chosen = [one for one in self._alerts.values() if _fits(one, _filters(str(given.get("dsl_filter", "[]"))))]
        chosen.sort(key=lambda one: (str(value_at(one, "state", "created_at")), str(value_at(one, "state", "alert_id"))))
        begin, size = _whole(given.get("next_page_token", 0)), _whole(given.get("limit", 100))
        page, more = chosen[begin : begin + size], begin + size < len(chosen)
        return JSONResponse(
            {
                "version": "0.1.0",
                "status": "success",
                "total_items": len(chosen),
                "total_ungrouped_items": len(chosen),
                "total_supported_items": _MOST,
                "has_next_page_token": more,
                "next_page_token": str(begin + size) if more else None,
                "data": page,
            }
        )

    async def _serve(self, request: Request) -> Response:
        """Alert objects by the fields of the query; the count only where it was asked for."""
        asked = _object(await request.body())
        query = asked.get("query")
        if not isinstance(query, dict) or query.get("models") != ["Alert"] or query.get("type") != "object_set":
            raise _Unfit("query: an object_set of the model Alert is expected")
        chosen = [one for one in self._served.values() if _matches(one["data"], query.get("with"))]
        begin, size = _whole(asked.get("start_at_index", 0)), _whole(asked.get("limit", 100))
        counted = {"total_items": len(chosen)} if asked.get("get_results_and_count") else {}
        return JSONResponse({"status": "success", **counted, "data": chosen[begin : begin + size]})


class _Unfit(Exception):
    """A request Orca would answer with 400."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise _Unfit("the request is not a JSON object")
    return asked


def _whole(value: Any) -> int:
    if not str(value).isascii() or not str(value).isdigit() or int(value) > _MOST:
        raise _Unfit("limit, start_at_index and next_page_token are whole numbers")
    return int(value)


def _filters(text: str) -> list[dict[str, Any]]:
    """The filters of a `dsl_filter`: a list, or under `filter`."""
    try:
        given = json.loads(text)
    except ValueError:
        raise _Unfit("dsl_filter is not JSON") from None
    found = given.get("filter", []) if isinstance(given, dict) else given
    if not isinstance(found, list) or not all(isinstance(one, dict) and isinstance(one.get("field"), str) for one in found):
        raise _Unfit("dsl_filter: each filter names a field")
    return found


def _fits(alert: Mapping[str, Any], filters: list[dict[str, Any]]) -> bool:
    """Whether an alert is within every filter: `range` of times, or `includes` of values."""
    for one in filters:
        value = value_at(alert, *one["field"].split("."))
        limits, includes = one.get("range", {}), one.get("includes")
        if includes is not None and value not in includes:
            return False
        if limits and not str(limits.get("gte", "")) <= str(value) <= str(limits.get("lte", "9")):
            return False
    return True


def _matches(data: Mapping[str, Any], wanted: Any) -> bool:
    """Whether an Alert object is within a serving-layer condition: a field that is in or not in a list, or several."""
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        raise _Unfit("with: an object is expected")
    if wanted.get("type") == "operation":
        return all(_matches(data, one) for one in wanted.get("values", []))
    key, operator, values = str(wanted.get("key")), wanted.get("operator"), wanted.get("values")
    if key not in data:
        raise _Unfit(f"Unknown field '{key}'")
    if operator not in ("in", "not_in") or not isinstance(values, list):
        raise _Unfit(f"{key}: the operator {operator} is not known here")
    return bool(data[key]["value"] in values) is (operator == "in")

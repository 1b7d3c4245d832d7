"""Wiz as a server: tokens, GraphQL over lists and single records, cursor pages, Wiz's errors. Holds what it is given."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.connectors.wiz.simulated_query import BadQuery, Query, check, cut, parse
from isthmus.contracts.reading import when

_CLIENT = ("simulated-client", "simulated-client-secret-4f61")
_MOST_ASKED = 500
_MOST_SHOWN = 10_000


@dataclass(frozen=True)
class _Kind:
    """A kind of record: its type, the key that tells it, its list's filters and orders, the root of a single one."""

    title: str
    tells: str
    filters: str
    times: Mapping[str, str]
    orders: Mapping[str, str]
    listing: str
    single: str = ""


_KINDS = (
    _Kind(
        "Issue",
        "entitySnapshot",
        "IssueFilters",
        {"createdAt": "createdAt", "statusChangedAt": "statusChangedAt"},
        {"CREATED_AT": "createdAt"},
        "issuesV2",
    ),
    _Kind(
        "VulnerabilityFinding",
        "vulnerableAsset",
        "VulnerabilityFindingFilters",
        {"updatedAt": "", "firstSeenAt": "firstDetectedAt"},
        {},
        "vulnerabilityFindings",
        "vulnerabilityFinding",
    ),
    _Kind(
        "ConfigurationFinding",
        "result",
        "ConfigurationFindingFilters",
        {"analyzedAt": "analyzedAt"},
        {"FIRST_SEEN_AT": "firstSeenAt"},
        "configurationFindings",
        "configurationFinding",
    ),
    _Kind("Detection", "", "DetectionFilters", {"createdAt": "createdAt"}, {"CREATED_AT": "createdAt"}, "detections"),
)
_LISTINGS = {kind.listing: kind for kind in _KINDS}
_SINGLES = {kind.single: kind for kind in _KINDS if kind.single}
_WORDS = frozenset({"id", "status", "type", "result", "severity"})


@dataclass(frozen=True)
class _Row:
    kind: _Kind
    payload: dict[str, Any]
    at: datetime


class Trouble(Exception):
    """An error Wiz would answer with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SimulatedWiz:
    """Wiz, small. `hidden` are roots the service account may not read; `say` are codes the next calls are answered with.

    `lasts` is what a token's life is said to be, in seconds; `expire` ends every token given out so far. No list shows more
    than `most_shown` records, however it is paged.
    """

    def __init__(self, most_shown: int = _MOST_SHOWN) -> None:
        self._most_shown = most_shown
        self.app = Starlette(
            routes=[
                Route("/oauth/token", self._token, methods=["POST"]),
                Route("/graphql", self._graphql, methods=["POST"]),
            ]
        )
        self.hidden: set[str] = set()
        self.say: deque[str] = deque()
        self.lasts: object = 3600
        self.tokens: set[str] = set()
        self._rows: dict[tuple[str, str], _Row] = {}

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """As `contracts.roles.Simulated.config`; one origin plays both the API's and the token endpoint's."""
        return {
            "api_origin": origin,
            "token_origin": origin,
            "client_id": secrets("wiz-client-id", _CLIENT[0]),
            "client_secret": secrets("wiz-client-secret", _CLIENT[1]),
            "webhook_secret": secrets("wiz-webhook-secret", "simulated-webhook-secret-91d0"),
        }

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """Know this record, or know it anew. Lists are filtered by the record's own times; where Wiz filters by a time the
        record does not tell (`updatedAt` of a vulnerability finding), by `at`.
        """
        kind = next(kind for kind in _KINDS if kind.tells in payload or not kind.tells)
        self._rows[kind.title, str(payload["id"])] = _Row(kind, payload, at)

    def expire(self) -> None:
        self.tokens.clear()

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        known = (form.get("client_id"), form.get("client_secret")) == _CLIENT
        if not known or form.get("grant_type") != "client_credentials" or form.get("audience") not in {"wiz-api", "beyond-api"}:
            return JSONResponse({"error": "access_denied", "error_description": "Unauthorized"}, 401)
        token = secrets.token_urlsafe(32)
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": self.lasts})

    async def _graphql(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return JSONResponse({"message": "Unauthorized"}, 401)
        try:
            if self.say:
                raise Trouble(self.say.popleft(), "as ordered")
            asked = await request.json()
            return JSONResponse({"data": self.answer(asked["query"], asked.get("variables") or {})})
        except BadQuery as error:
            return _wrong("GRAPHQL_VALIDATION_FAILED", str(error))
        except Trouble as error:
            return _wrong(error.code, str(error))

    def answer(self, text: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of a query, to somebody who may ask."""
        query = parse(text)
        root = query.root
        if root.name in self.hidden:
            raise Trouble("UNAUTHORIZED", "access denied, at least one of the following is required: [read:all]")
        if root.name in _SINGLES:
            return {root.alias: self._single(query, variables)}
        if root.name in _LISTINGS:
            return {root.alias: self._listing(query, variables)}
        raise BadQuery(f'Cannot query field "{root.name}" on type "Query"')

    def _single(self, query: Query, variables: dict[str, Any]) -> Any:
        kind = _SINGLES[query.root.name]
        _declared(query, {"id": "ID!"})
        check(query.root.inner, kind.title)
        row = self._rows.get((kind.title, str(variables.get("id"))))
        if row is None:
            raise Trouble("NOT_FOUND", "Resource not found")
        return cut(row.payload, query.root.inner)

    def _listing(self, query: Query, variables: dict[str, Any]) -> dict[str, Any]:
        kind = _LISTINGS[query.root.name]
        _declared(query, {"filterBy": kind.filters, "first": "Int", "after": "String"})
        nodes = _nodes(query, kind)
        rows = self._matching(kind, variables.get("filterBy") or {})
        order = _order(kind, variables.get("orderBy"))
        keyed = sorted(((_key(row, order), row) for row in rows), key=lambda one: one[0])[: self._most_shown]
        start = _start([key for key, _ in keyed], variables.get("after"))
        page = keyed[start : start + _first(variables)]
        more = start + len(page) < len(keyed)
        return {
            "nodes": [cut(row.payload, nodes) for _, row in page],
            "pageInfo": {"hasNextPage": more, "endCursor": _cursor(page[-1][0]) if page else None},
        }

    def _matching(self, kind: _Kind, filters: dict[str, Any]) -> list[_Row]:
        unknown = set(filters) - set(kind.times) - _WORDS
        if unknown:
            raise Trouble("BAD_USER_INPUT", f"Field {sorted(unknown)[0]} is not defined by type {kind.filters}")
        rows: Iterable[_Row] = [row for row in list(self._rows.values()) if row.kind is kind]
        for name, wanted in filters.items():
            rows = [row for row in rows if (_within(row, name, wanted) if name in kind.times else _is(row, name, wanted))]
        return list(rows)


def _declared(query: Query, wanted: dict[str, str]) -> None:
    """Variables must be declared with their types, and handed to the root under their names."""
    for name, kind in wanted.items():
        if query.variables.get(name) != kind or query.root.arguments.get(name) != f"${name}":
            raise BadQuery(f'Variable "${name}" of type "{kind}" expected')


def _nodes(query: Query, kind: _Kind) -> list[Any]:
    """What is asked of each node, checked; a list is asked for nodes and pageInfo."""
    parts = {one.name: one for one in query.root.inner}
    if set(parts) != {"nodes", "pageInfo"}:
        raise BadQuery("this small Wiz gives nodes and pageInfo together")
    check(parts["nodes"].inner, kind.title)
    check(parts["pageInfo"].inner, "PageInfo")
    return parts["nodes"].inner


def _order(kind: _Kind, given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, dict) or given.get("field") not in kind.orders or given.get("direction") != "ASC":
        raise Trouble("BAD_USER_INPUT", "orderBy: value is not in the enum")
    return kind.orders[given["field"]]


def _first(variables: dict[str, Any]) -> int:
    first = variables.get("first")
    if not isinstance(first, int) or not 1 <= first <= _MOST_ASKED:
        raise Trouble("BAD_USER_INPUT", f"first must be between 1 and {_MOST_ASKED}")
    return first


def _key(row: _Row, order: str) -> list[str]:
    moment = when(row.payload, order) if order else None
    return [moment.isoformat(timespec="microseconds") if moment else "", str(row.payload["id"])]


def _cursor(key: list[str]) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def _start(keys: list[list[str]], cursor: Any) -> int:
    """The position after the record a cursor names, also when that record is gone."""
    if cursor is None:
        return 0
    try:
        key = json.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise Trouble("BAD_USER_INPUT", "invalid cursor") from None
    return sum(one <= key for one in keys)


def _within(row: _Row, name: str, window: Any) -> bool:
    """Whether the record's time lies between `after` and `before`, ends left out."""
    if not isinstance(window, dict) or not window or set(window) - {"after", "before"}:
        raise Trouble("BAD_USER_INPUT", f"{name}: after and before, please")
    path = row.kind.times[name]
    moment = when(row.payload, path) if path else row.at
    after, before = (datetime.fromisoformat(window[end]) if end in window else None for end in ("after", "before"))
    return moment is not None and (after is None or moment > after) and (before is None or moment < before)


def _is(row: _Row, name: str, wanted: Any) -> bool:
    """Whether a word of the record is one of those wanted: one, a list, or `{equals: list}` for detections."""
    if row.kind.title == "Detection":
        if not isinstance(wanted, dict) or set(wanted) != {"equals"}:
            raise Trouble("BAD_USER_INPUT", f"{name}: equals, please")
        wanted = wanted["equals"]
    words = [wanted] if isinstance(wanted, str) else wanted
    return row.payload.get(name) in words


def _wrong(code: str, message: str) -> Response:
    return JSONResponse({"data": None, "errors": [{"message": message, "extensions": {"code": code}}]})

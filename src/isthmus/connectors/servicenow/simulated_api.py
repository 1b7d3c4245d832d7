"""The Table API, attachments and OAuth over HTTP, as ServiceNow speaks them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from isthmus.connectors.servicenow.simulated_query import Row, matching
from isthmus.connectors.servicenow.simulated_tables import JOURNALS, REFERENCES, DataPolicy, Tables

Endpoint = Callable[[Request], Awaitable[Response]]
ATTACHMENTS = "sys_attachment"
_NO_RECORD = ("No Record found", "Record doesn't exist or ACL restricts the record retrieval")


class Wrong(Exception):
    """An answer other than success, in the vendor's shape."""

    def __init__(self, status: int, message: str, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        body = {"error": {"message": message, "detail": detail}, "status": "failure"}
        self.response = JSONResponse(body, status, dict(headers or {}))


class Company(Protocol):
    """What the API asks of the instance behind it."""

    tables: Tables
    files: dict[str, bytes]
    hidden: set[str]
    read_only: set[str]

    def caller(self, request: Request) -> str:
        """The user of this request. Raises `Wrong` when it is nobody, or when they have called too often."""
        ...

    def may(self, user: str, verb: str, table: str) -> bool: ...
    def counted(self) -> dict[str, str]:
        """The rate-limit headers of an answer."""
        ...


def answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with everything that is `Wrong` as an answer."""

    @wraps(endpoint)
    async def asked(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Wrong as wrong:
            return wrong.response

    return asked


class TableApi:
    """`/api/now/table`: list, one, create, change, delete."""

    def __init__(self, company: Company) -> None:
        self._company = company

    async def listed(self, request: Request) -> Response:
        """GET of a table: rows by query, paged, with the total and links to other pages."""
        table, user = self._allowed(request, "read")
        self._may(user, "read", table)
        found = matching(list(self._company.tables.rows[table].values()), _asked(request, "query"), self._seen(table))
        offset, limit = _number(request, "offset", 0), _number(request, "limit", 10_000)
        headers = {**self._company.counted(), "X-Total-Count": str(len(found))}
        if _asked(request, "suppress_pagination_header") != "true":
            headers |= _links(request, offset, limit, len(found))
        page = [self._written(request, table, row) for row in found[offset : offset + limit]]
        return JSONResponse({"result": page}, headers=headers)

    async def one(self, request: Request) -> Response:
        """GET of a record: a table the caller may not read looks like a record that is not there."""
        table, user = self._allowed(request, "read")
        row = self._company.tables.rows[table].get(request.path_params["sys_id"])
        if row is None or not self._company.may(user, "read", table):
            raise Wrong(404, *_NO_RECORD)
        return JSONResponse({"result": self._written(request, table, row)}, headers=self._company.counted())

    async def created(self, request: Request) -> Response:
        """POST: 201 and the record. What the caller may not write is left out without a word."""
        table, user = self._allowed(request, "write")
        self._may(user, "write", table)
        row = _by_rule(lambda values: self._company.tables.insert(table, values, user), await self._values(request, table))
        headers = {**self._company.counted(), "Location": f"{request.url.path}/{row['sys_id']}"}
        return JSONResponse({"result": self._written(request, table, row)}, 201, headers)

    async def changed(self, request: Request) -> Response:
        """PATCH or PUT: 200 and the record after the change."""
        table, user = self._allowed(request, "write")
        sys_id = request.path_params["sys_id"]
        if sys_id not in self._company.tables.rows[table]:
            raise Wrong(404, *_NO_RECORD)
        self._may(user, "write", table)
        values = await self._values(request, table)
        row = _by_rule(lambda given: self._company.tables.update(table, sys_id, given, user), values)
        return JSONResponse({"result": self._written(request, table, row)}, headers=self._company.counted())

    async def deleted(self, request: Request) -> Response:
        """DELETE: 204 and nothing."""
        table, user = self._allowed(request, "write")
        if request.path_params["sys_id"] not in self._company.tables.rows[table]:
            raise Wrong(404, *_NO_RECORD)
        self._may(user, "write", table)
        del self._company.tables.rows[table][request.path_params["sys_id"]]
        return Response(status_code=204, headers=self._company.counted())

    def _allowed(self, request: Request, verb: str) -> tuple[str, str]:
        user, table = self._company.caller(request), request.path_params["table"]
        if table not in self._company.tables.rows:
            raise Wrong(400, f"Invalid table {table}")
        if verb == "write" and table in {"sys_journal_field", ATTACHMENTS}:
            raise Wrong(403, "Operation Failed", "ACL Exception: this table is not written by REST")
        return table, user

    def _may(self, user: str, verb: str, table: str) -> None:
        if not self._company.may(user, verb, table):
            raise Wrong(403, "Operation Failed", f"ACL Exception: {verb} of {table} failed due to security constraints")

    async def _values(self, request: Request, table: str) -> dict[str, str]:
        try:
            given = json.loads(await request.body())
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise Wrong(400, "Exception while reading request", "The payload is not valid JSON.")
        locked = self._company.hidden | self._company.read_only
        return {name: _text(value) for name, value in given.items() if f"{table}.{name}" not in locked}

    def _seen(self, table: str) -> set[str]:
        return {name for name in self._company.tables.columns[table] if f"{table}.{name}" not in self._company.hidden}

    def _written(self, request: Request, table: str, row: Row) -> dict[str, Any]:
        """A row as the caller asked to see it. Journal columns are there and empty: their entries are rows elsewhere."""
        asked = [name for name in _asked(request, "fields").split(",") if name]
        names = [name for name in (asked or row) if name in row and name in self._seen(table)]
        form, bare = _asked(request, "display_value") or "false", _asked(request, "exclude_reference_link") == "true"
        return {name: self._field(table, name, "" if name in JOURNALS else row[name], form, bare) for name in names}

    def _field(self, table: str, name: str, value: str, form: str, bare: bool) -> Any:
        shown = self._company.tables.shown(table, name, value)
        link = {"link": f"/api/now/table/{REFERENCES[name]}/{value}"} if name in REFERENCES and value and not bare else {}
        if form == "all":
            return {"display_value": shown, "value": value, **link}
        if form == "true":
            return {"display_value": shown, **link} if link else shown
        return {"value": value, **link} if link else value


class AttachmentApi:
    """`/api/now/attachment`: list, one, its bytes, upload, delete."""

    def __init__(self, company: Company) -> None:
        self._company = company

    async def listed(self, request: Request) -> Response:
        """GET: what is attached, by query."""
        self._company.caller(request)
        columns = self._company.tables.columns[ATTACHMENTS]
        found = matching(list(self._company.tables.rows[ATTACHMENTS].values()), _asked(request, "query"), columns)
        offset, limit = _number(request, "offset", 0), _number(request, "limit", 1_000)
        headers = {**self._company.counted(), "X-Total-Count": str(len(found))}
        return JSONResponse({"result": [self._told(row) for row in found[offset : offset + limit]]}, headers=headers)

    async def one(self, request: Request) -> Response:
        """GET of one attachment's description."""
        return JSONResponse({"result": self._told(self._row(request))})

    async def content(self, request: Request) -> Response:
        """GET of its bytes."""
        row = self._row(request)
        return Response(self._company.files[row["sys_id"]], media_type=row["content_type"])

    async def uploaded(self, request: Request) -> Response:
        """POST of a file to a record that exists: 201, with where it is."""
        user = self._company.caller(request)
        asked = request.query_params
        table, body = asked.get("table_name", ""), await request.body()
        if asked.get("table_sys_id", "") not in self._company.tables.rows.get(table, {}):
            raise Wrong(404, *_NO_RECORD)
        if not self._company.may(user, "write", table):
            raise Wrong(403, "Operation Failed", "ACL Exception: attaching failed due to security constraints")
        values = {name: asked.get(name, "") for name in ("file_name", "table_name", "table_sys_id")}
        values |= {"content_type": request.headers.get("content-type", ""), "size_bytes": str(len(body))}
        row = self._company.tables.insert(ATTACHMENTS, values, user)
        self._company.files[row["sys_id"]] = body
        where = str(request.url.replace(path=f"/api/now/v1/attachment/{row['sys_id']}", query=""))
        return JSONResponse({"result": self._told(row)}, 201, {**self._company.counted(), "Location": where})

    async def deleted(self, request: Request) -> Response:
        """DELETE: 204 and nothing."""
        row = self._row(request)
        del self._company.tables.rows[ATTACHMENTS][row["sys_id"]], self._company.files[row["sys_id"]]
        return Response(status_code=204)

    def _row(self, request: Request) -> Row:
        self._company.caller(request)
        row = self._company.tables.rows[ATTACHMENTS].get(request.path_params["sys_id"])
        if row is None:
            raise Wrong(404, *_NO_RECORD)
        return row

    def _told(self, row: Row) -> dict[str, str]:
        return {**row, "download_link": f"/api/now/attachment/{row['sys_id']}/file"}


def _by_rule(write: Callable[[dict[str, str]], Row], values: dict[str, str]) -> Row:
    try:
        return write(values)
    except DataPolicy as objection:
        raise Wrong(403, "Operation Failed", str(objection)) from None


def _text(value: object) -> str:
    """A field's new value as it is stored; clients may send the object they were given."""
    if isinstance(value, dict):
        return _text(value.get("value", ""))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _asked(request: Request, name: str) -> str:
    return str(request.query_params.get(f"sysparm_{name}", ""))


def _number(request: Request, name: str, otherwise: int) -> int:
    text = _asked(request, name)
    return int(text) if text.isdigit() else otherwise


def _links(request: Request, offset: int, limit: int, total: int) -> dict[str, str]:
    places = {"first": 0, "last": max(total - 1, 0) // limit * limit if limit else 0}
    places |= {"next": offset + limit} if offset + limit < total else {}
    places |= {"prev": max(offset - limit, 0)} if offset else {}
    given = {**request.query_params, "sysparm_limit": str(limit)}
    links = (f'<{request.url.path}?{urlencode({**given, "sysparm_offset": at})}>;rel="{name}"' for name, at in places.items())
    return {"Link": ",".join(links)}

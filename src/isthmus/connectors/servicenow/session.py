"""Calls to the Table API: signed, with every answer checked for its shape before anybody believes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.signing import signing, struck_out
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.outside import printable

_SYS_ID = re.compile(r"[0-9a-f]{32}")
_ASKED = {"sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"}
_REFUSALS = {
    400: "does not understand the request for {table}; check the table's name in the settings",
    401: "does not accept the credentials; check them, that the account is active and that it may use web services",
    403: "does not let this account {verb} {table}; check its roles (sn_si.integration_user for security incidents)",
    404: "shows no such record in {table}; it is gone, or this account may not see it: check its roles",
}
_VERBS = {"GET": "read", "POST": "write to", "PATCH": "write to"}
_LONGEST_REASON = 200


class Cell(NamedTuple):
    """A field as it is stored and as people see it."""

    value: str
    shown: str


class Row:
    """A record: its sys_id, and its fields by name. A field this account may not read is simply not there."""

    def __init__(self, sys_id: str, cells: Mapping[str, Cell]) -> None:
        self.sys_id, self._cells = sys_id, cells

    def __contains__(self, name: object) -> bool:
        return name in self._cells

    def value(self, name: str) -> str:
        """What is stored; empty when there is nothing, or nothing to be seen."""
        return self._cells[name].value if name in self._cells else ""

    def shown(self, name: str) -> str:
        """What people see, on one line and cut: outside text."""
        cell = self._cells.get(name, Cell("", ""))
        return printable((cell.shown or cell.value)[:2_000])


class Session:
    """One instance of ServiceNow, as one account.

    Raises `Unreachable` when it does not answer or answers with something that is not ServiceNow, `Refused` when it
    says no. Writes are sent once: whether one that broke off has happened is for the caller to look up.
    """

    def __init__(self, config: SnowConfig, outward: Outward) -> None:
        self._config = config
        self._http = outward.http(config.origin, per_second=config.per_second)
        self._signing = signing(config, outward, self._http)

    async def rows(self, table: str, query: str, fields: Sequence[str], limit: int) -> list[Row]:
        """Up to `limit` records. ServiceNow leaves out conditions it does not understand: look at what comes back."""
        asked = {"sysparm_query": query, "sysparm_fields": ",".join(fields), "sysparm_limit": str(limit)}
        found = await self._call("GET", table, params=asked)
        if not isinstance(found, list):
            raise self._nonsense("a list of records was expected")
        return [self._row(one) for one in found]

    async def one(self, table: str, sys_id: str, fields: Sequence[str]) -> Row:
        """The record with this sys_id."""
        return self._row(await self._call("GET", table, sys_id, params={"sysparm_fields": ",".join(fields)}))

    async def insert(self, table: str, values: Mapping[str, str]) -> Row:
        """A new record, as ServiceNow answered it."""
        return self._row(await self._call("POST", table, values=values))

    async def update(self, table: str, sys_id: str, values: Mapping[str, str]) -> Row:
        """The record after the change, as ServiceNow answered it: all fields in one change, or none."""
        return self._row(await self._call("PATCH", table, sys_id, values=values))

    async def _call(
        self,
        method: str,
        table: str,
        sys_id: str = "",
        params: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Any:
        path = f"/api/now/table/{table}/{sys_id}".rstrip("/")
        header = await self._signing.header()
        reply = await self._send(method, path, params, values, header)
        if reply.status == 401 and self._signing.forget(header):
            header = await self._signing.header()
            reply = await self._send(method, path, params, values, header)
        if reply.status >= 400:
            raise self._refusal(method, table, reply, header)
        said = reply.json()
        if not isinstance(said, dict) or "result" not in said:
            raise self._nonsense("there is no result in it")
        return said["result"]

    async def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, values: Mapping[str, str] | None, header: str
    ) -> Reply:
        return await self._http.request(
            method,
            path,
            params={**_ASKED, **(params or {})},
            headers={"accept": "application/json", "authorization": header},
            json=None if values is None else dict(values),
            expect=tuple(_REFUSALS),
        )

    def _refusal(self, method: str, table: str, reply: Reply, header: str) -> Refused:
        text = _REFUSALS[reply.status].format(table=table, verb=_VERBS[method])
        reason = "" if reply.status == 401 else printable(struck_out(_reason(reply), header))[:_LONGEST_REASON]
        return Refused(f"{self._config.origin}: ServiceNow {text}" + (f" ({reason})" if reason else ""))

    def _row(self, raw: Any) -> Row:
        if not isinstance(raw, dict):
            raise self._nonsense("a record was expected")
        cells = {str(name): self._cell(value) for name, value in raw.items()}
        sys_id = cells.get("sys_id", Cell("", "")).value
        if not _SYS_ID.fullmatch(sys_id):
            raise self._nonsense("a record has no sys_id")
        return Row(sys_id, cells)

    def _cell(self, raw: Any) -> Cell:
        if isinstance(raw, dict):
            value, shown = raw.get("value", ""), raw.get("display_value", "")
            return Cell("" if value is None else str(value), "" if shown is None else str(shown))
        if raw is None or isinstance(raw, str):
            return Cell(raw or "", raw or "")
        raise self._nonsense("a field has neither text nor a value")

    def _nonsense(self, why: str) -> Unreachable:
        return Unreachable(f"{self._config.origin}: answered with something that is not ServiceNow's: {why}")


def _reason(reply: Reply) -> str:
    """The vendor's own words about a refusal; nothing when it has none."""
    try:
        said = reply.json()
    except Unreachable:
        return ""
    error = said.get("error") if isinstance(said, dict) else None
    parts = [error.get("message"), error.get("detail")] if isinstance(error, dict) else []
    return ": ".join(part for part in parts if isinstance(part, str) and part)

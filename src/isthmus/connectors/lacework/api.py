"""Speaks to Lacework: tokens, one alert with its details, one vulnerability row by what its id is made of.

Ids come out of webhooks, so out of anybody's mouth: each is taken apart by a grammar before a call is made, only the parts
Lacework filters by are sent, and what comes back must read to the very finding asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.connectors.lacework.config import LaceworkConfig
from isthmus.connectors.lacework.source import LaceworkSource
from isthmus.contracts.reading import when
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.findings import Finding

# The limit is not documented; 480 calls an hour is said, 429 is certain and left to the way out.
_PER_SECOND = 1.0
_LIFE, _EARLY = timedelta(hours=1), timedelta(minutes=5)
_LONGEST_TOKEN = 16_384
_WINDOW = timedelta(days=7)
_MOST_PAGES = 40
_STRANGE = "Lacework answered in a form that is not known"

_ALERT = re.compile(r"(?P<alert>[1-9][0-9]{0,17})(?:/[0-9a-f]{12})?")
_ROW = re.compile(r"(?P<asset>[A-Za-z0-9][A-Za-z0-9:._-]{0,127})/(?P<what>[A-Za-z][A-Za-z0-9:._-]{2,63})/[^/]{0,128}/.{0,300}")
_NEXT = re.compile(r"(?:https?://[A-Za-z0-9.:-]+)?/api/v2/[A-Za-z0-9/_.~?&=%+-]{1,4096}")


def connect(config: LaceworkConfig, outward: Outward) -> Roles:
    """An instance of Lacework that can be asked about one alert or row. Opens no connection."""
    return Roles(refetcher=LaceworkRefetcher(LaceworkApi(config, outward), outward))


class _Token:
    """The access token behind an API key: fetched when needed, renewed before it runs out."""

    def __init__(self, config: LaceworkConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward
        self._value = ""
        self._renew_at = outward.now()
        self._turn = asyncio.Lock()

    async def bearer(self, spent: str) -> str:
        """A token that is not `spent`, which Lacework has turned down. Several who ask at once share one exchange."""
        async with self._turn:
            if not self._value or self._value == spent or self._outward.now() >= self._renew_at:
                await self._exchange()
            return self._value

    async def _exchange(self) -> None:
        asked = self._outward.now()
        http = self._outward.http(self._config.origin, per_second=_PER_SECOND)
        reply = await http.request(
            "POST",
            "/api/v2/access/tokens",
            json={
                "keyId": self._outward.secret(self._config.key_id).reveal(),
                "expiryTime": int(_LIFE.total_seconds()),
            },
            headers={"x-lw-uaks": self._outward.secret(self._config.secret).reveal()},
            repeatable=True,
        )
        self._value, ends = _token_in(reply.json())
        # Never past the life that was asked for, whatever their clock and ours say of each other.
        self._renew_at = min(ends or asked + _LIFE, asked + _LIFE) - _EARLY


def _token_in(body: Any) -> tuple[str, datetime | None]:
    token = body.get("token") if isinstance(body, dict) else None
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or not re.fullmatch(r"[!-~]+", token):
        raise Unreachable("Lacework's token endpoint answered without a token")
    try:
        return token, when(body, "expiresAt")
    except Untrusted:
        return token, None


class LaceworkApi:
    """Calls with a bearer token, one page or one record at a time."""

    def __init__(self, config: LaceworkConfig, outward: Outward) -> None:
        self._http = outward.http(config.origin, per_second=_PER_SECOND)
        self._token = _Token(config, outward)
        self._account = {"account-name": config.sub_account} if config.sub_account else {}

    async def ask(self, method: str, path: str, json: Any = None, missing: bool = False) -> dict[str, Any]:
        """The body of the reply; empty for 'nothing found', which with `missing` may also be a 404."""
        spent = ""
        for _ in range(2):
            spent = await self._token.bearer(spent)
            reply = await self._http.request(
                method,
                path,
                json=json,
                headers={"authorization": f"Bearer {spent}", **self._account},
                expect=(401, 404) if missing else (401,),
                repeatable=True,
            )
            if reply.status != 401:
                return _body(reply)
        raise Refused("Lacework turns down the token it has just given; is the key still enabled?")


def _body(reply: Reply) -> dict[str, Any]:
    if reply.status in {204, 404}:
        return {}
    body = reply.json()
    if not isinstance(body, dict):
        raise Unreachable(_STRANGE)
    return body


class LaceworkRefetcher:
    """Reads what an id names: an alert, one resource of an alert, or a vulnerability of a host or an image."""

    def __init__(self, api: LaceworkApi, outward: Outward) -> None:
        self._api, self._outward = api, outward

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        """As `contracts.roles.Refetcher`.

        The alert a webhook names may speak of several resources; it then reads to one finding for each, their ids being
        the alert's, a slash and a hash.
        """
        alert, row = _ALERT.fullmatch(source_id), _ROW.fullmatch(source_id)
        if alert is not None:
            return (await self._alert(alert["alert"], source_id),)
        if row is not None and row["asset"] == "package":
            raise Refused("Lacework keeps no package findings: they are the answer to a scan, and cannot be read again")
        if row is not None and source_id.isprintable():
            return (await self._row(row["asset"], row["what"], source_id),)
        raise Refused("not an id of Lacework: neither an alert's number nor host or image, vulnerability and package")

    async def _alert(self, alert: str, source_id: str) -> dict[str, Any]:
        body = await self._api.ask("GET", f"/api/v2/Alerts/{alert}?scope=Details", missing=True)
        found = body.get("data")
        if not found:
            raise Refused(f"Lacework knows no alert {alert}")
        if not isinstance(found, dict):
            raise Unreachable(_STRANGE)
        named = self._named(found)
        if source_id not in named and not any(one.startswith(f"{source_id}/") for one in named):
            raise Refused(f"Lacework's alert {alert} does not speak of what was asked for any more")
        return found

    async def _row(self, asset: str, what: str, source_id: str) -> dict[str, Any]:
        image = asset.startswith("sha256:")
        filters = [{"field": "vulnId", "expression": "eq", "value": what}]
        if image:
            filters.append({"field": "imageId", "expression": "eq", "value": asset})
        # A host's id may be its cloud's or Lacework's own, and the search knows the one by no documented name.
        now = self._outward.now()
        asked = {"timeFilter": {"startTime": _said(now - _WINDOW), "endTime": _said(now)}, "filters": filters}
        where = f"/api/v2/Vulnerabilities/{'Containers' if image else 'Hosts'}/search"
        body = await self._api.ask("POST", where, json=asked)
        found: list[tuple[datetime, dict[str, Any]]] = []
        for _ in range(_MOST_PAGES):
            found += [one for row in _rows(body) if (one := self._dated(row, source_id)) is not None]
            following = _following(body)
            if not following:
                break
            body = await self._api.ask("GET", following)
        else:
            raise Unreachable(f"Lacework has more than {_MOST_PAGES} pages of {what}; not read to the end")
        if not found:
            raise Refused(f"Lacework has no row {source_id[:160]} of the last seven days")
        return max(found, key=lambda one: one[0])[1]

    def _dated(self, row: dict[str, Any], source_id: str) -> tuple[datetime, dict[str, Any]] | None:
        """The row and the moment it tells of, when it is of the finding asked for; rows of other findings are passed over."""
        claim = self._named(row).get(source_id)
        return None if claim is None else (claim.times.updated or datetime.min.replace(tzinfo=UTC), row)

    def _named(self, record: dict[str, Any]) -> dict[str, Finding]:
        """The findings a record reads to, by their ids; none when it cannot be read."""
        return {claim.source_id: claim for claim in _claims(record, Origin(received=self._outward.now()))}


def _claims(record: dict[str, Any], origin: Origin) -> Iterator[Finding]:
    fitting = (one for one in LaceworkSource.shapes if one.keys <= record.keys() and (one.when is None or one.when(record)))
    shape = next(fitting, None)
    try:
        claims = list(shape.read(record, origin)) if shape else []
    except Untrusted:
        return
    yield from (claim for claim in claims if isinstance(claim, Finding))


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    rows = body.get("data") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreachable(_STRANGE)
    return rows


def _following(body: dict[str, Any]) -> str:
    """The address of the next page, empty after the last. That it stays at the pinned origin is the way out's to see to."""
    paging = body.get("paging")
    urls = paging.get("urls") if isinstance(paging, dict) else None
    following = urls.get("nextPage") if isinstance(urls, dict) else None
    if not following:
        return ""
    if not isinstance(following, str) or not _NEXT.fullmatch(following):
        raise Refused("Lacework's next page is at an address that is none of its API; not followed")
    return following


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Orca's API: one alert by its id.

`GET /api/alerts/{id}` answers with the alert itself, flat, or in the `data` of an envelope; the source reads both. The
token does not run out and is sent as it is. An unknown alert has been seen as 400 and 500 (and 404 is taken so too); a
500 is told apart from an ill platform by its words only.
"""

from __future__ import annotations

import re
from typing import Any

from isthmus.connectors.orca.config import OrcaConfig
from isthmus.connectors.orca.source import OrcaSource
from isthmus.contracts.checks import fits
from isthmus.contracts.reading import Record
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Http, Outward, Reply
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.findings import Finding
from isthmus.model.outside import printable

PER_SECOND = 5.0
"""Orca publishes no rate limit; it is found by being told 429, which the wire waits for."""

_ROW = "refetch a Discovery row without AlertId"
_CVE_ROW = "refetch a vulnerability row"
CANNOT = {
    _ROW: "such a row has no id of Orca's; ours (row-…) names it by asset and rule. Add the column AlertId to the export.",
    _CVE_ROW: "Orca gives these rows no id; ours (vulnerability-…) names them by asset, CVE and package. "
    "The alert Orca raises for the CVE can be fetched.",
}

_ALERT = re.compile(r"orca-[A-Za-z0-9]{1,64}")
_UNKNOWN = b"does not exist"
_SOURCE = OrcaSource()


def connect(config: OrcaConfig, outward: Outward) -> Roles:
    """An organization to ask about its alerts. Opens no connection."""
    return Roles(refetcher=OrcaAlerts(config, outward))


class OrcaAlerts:
    """`contracts.roles.Refetcher` over Orca's alert API."""

    def __init__(self, config: OrcaConfig, outward: Outward) -> None:
        self._http: Http = outward.http(config.origin, per_second=PER_SECOND)
        self._config = config
        self._outward = outward

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        """The alert as Orca tells it now. Raises `Refused` for an id that is none of Orca's, before any call."""
        if not _ALERT.fullmatch(source_id):
            raise Refused(_no_id(source_id))
        reply = await self._get(source_id, (400, 404, 500))
        if reply.status == 500 and _UNKNOWN not in reply.body:
            # An ill platform after all: asked again so that the wire's own patience applies.
            reply = await self._get(source_id, (400, 404))
        if reply.status in (400, 404, 500):
            raise Refused(f"Orca does not know the alert {source_id} (answered {reply.status})")
        alert = reply.json()
        if not isinstance(alert, dict):
            raise Unreachable("Orca answered with something that is no alert")
        if not _tells(alert, source_id, self._outward):
            raise Refused(f"Orca answered for {source_id} with something that is not that alert, told in full")
        return (alert,)

    async def _get(self, alert: str, expect: tuple[int, ...]) -> Reply:
        # Read at each call, so that a rotated token needs no restart.
        token = self._outward.secret(self._config.api_token).reveal()
        headers = {"authorization": f"Token {token}", "accept": "application/json"}
        return await self._http.request("GET", f"/api/alerts/{alert}", headers=headers, expect=expect)


def _no_id(source_id: str) -> str:
    if source_id.startswith("row-"):
        return CANNOT[_ROW]
    if source_id.startswith("vulnerability-"):
        return CANNOT[_CVE_ROW]
    return f"{printable(source_id[:80])!r} is no id of an Orca alert"


def _tells(record: Record, source_id: str, outward: Outward) -> bool:
    """Whether the source reads this alert in it, and as more than a hint."""
    origin = Origin(received=outward.now())
    try:
        shape = next((one for one in _SOURCE.shapes if fits(one, record)), None)
        claims = list(shape.read(record, origin)) if shape else []
    except Untrusted:
        return False
    return any(isinstance(one, Finding) and one.source_id == source_id and not one.hint for one in claims)

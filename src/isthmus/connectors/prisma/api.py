"""Prisma Cloud's APIs: one CSPM alert by its number, one incident, audit or scan of Compute by its id.

Which it is shows in the form of the id. Compute has no way to ask for one record of any sort, so its lists are asked one
after the other for that id. A scan tells many problems: of it only the one that was asked for is handed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from isthmus.connectors.prisma.config import PrismaConfig
from isthmus.connectors.prisma.session import Session
from isthmus.connectors.prisma.source import PrismaSource
from isthmus.contracts.checks import fits
from isthmus.contracts.reading import Record
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.findings import Finding
from isthmus.model.outside import printable

COMPUTE_PER_SECOND = 1.0
"""Compute documents 30 requests in 30 seconds for its scans."""

CANNOT = {
    "refetch a network (CNNS) audit": "Compute groups them and gives none an id; ours (cnns/…) names the connection.",
    "refetch a trust audit": "Compute groups them by image and gives none an id; ours is trust/…",
    "refetch an admission audit": "Compute gives them no id; ours (admission/…) names the request.",
    "refetch a discovered resource": "cloud discovery is a list without ids; ours is cloudDiscovery/…",
    "refetch a WAAS or serverless run-time audit": "their lists cannot be asked for the id an audit carries.",
    "refetch a scan of anything but an image's digest or a container's id": "Compute lists hosts by host name, and their "
    "problems are known here by the cloud's id; ids of machine images and functions have no published form to check; names "
    "of images, as the XSOAR channel gives them, may have moved to another image since.",
    "take Compute's webhooks": "their body is whatever the customer wrote; there is no shape to read.",
}
_BY_FORM = {
    "cnns/": "refetch a network (CNNS) audit",
    "trust/": "refetch a trust audit",
    "admission/": "refetch an admission audit",
    "cloudDiscovery/": "refetch a discovered resource",
    "": "refetch a scan of anything but an image's digest or a container's id",
}

_ALERT = re.compile(r"[A-Z]{1,2}-[0-9]{1,18}")
_AUDIT = re.compile(r"[0-9a-f]{24}")
_IMAGE = re.compile(r"(sha256:[0-9a-f]{64})/.{1,1000}", re.DOTALL)
_CONTAINER = re.compile(r"([0-9a-f]{64})/check/.{1,1000}", re.DOTALL)

Question = tuple[str, Mapping[str, str]]
_LISTED_AUDITS = ("container", "host", "app-embedded", "file-integrity", "log-inspection")
_PARTS = ("vulnerabilities", "complianceIssues")
_SOURCE = PrismaSource()


def connect(config: PrismaConfig, outward: Outward) -> Roles:
    """A tenant to ask about its alerts. Opens no connection."""
    return Roles(refetcher=PrismaAlerts(config, outward))


class PrismaAlerts:
    """`contracts.roles.Refetcher` over CSPM and Compute."""

    def __init__(self, config: PrismaConfig, outward: Outward) -> None:
        self._session = Session(config, outward)
        self._outward = outward
        self._compute = outward.http(config.compute_origin, per_second=COMPUTE_PER_SECOND) if config.compute_origin else None
        self._console = f"{config.compute_path}/api/{config.compute_version}"

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        """The alert as Prisma Cloud tells it now. Raises `Refused`, before any call, for an id that cannot be looked up."""
        if _ALERT.fullmatch(source_id):
            return (await self._alert(source_id),)
        return (await self._listed(source_id, _questions(source_id)),)

    async def _alert(self, number: str) -> dict[str, Any]:
        params = {"detailed": "true"}
        reply = await self._session.get(self._session.http, f"/alert/{number}", params, (400, 404))
        if reply.status in (400, 404):
            _unknown(reply, number)
        alert = reply.json()
        if not isinstance(alert, dict):
            raise Unreachable("Prisma Cloud answered with something that is no alert")
        if not self._tells(alert, number):
            raise Refused(f"Prisma Cloud answered for {number} with something that is not that alert, told in full")
        return alert

    async def _listed(self, source_id: str, questions: Iterable[Question]) -> dict[str, Any]:
        """The record of the first list that has it."""
        closed = []
        for name, params in questions:
            rows = await self._rows(name, params)
            if rows is None:
                closed.append(name)
            for row in rows or ():
                found = self._only(row, source_id)
                if found is not None:
                    return found
        hidden = f" (not visible with these credentials: {', '.join(dict.fromkeys(closed))})" if closed else ""
        raise Refused(f"Compute does not know {printable(source_id[:80])!r} any more, or cannot be asked for it{hidden}")

    async def _rows(self, name: str, params: Mapping[str, str]) -> list[dict[str, Any]] | None:
        """What a list of Compute answers; None when these credentials may not see it or it is not there."""
        if self._compute is None:
            raise Refused("this instance has no `compute_origin`, so nothing Compute told can be fetched again")
        reply = await self._session.get(self._compute, f"{self._console}/{name}", {**params, "limit": "50"}, (403, 404))
        if reply.status in (403, 404):
            return None
        rows = reply.json() or []  # Compute writes an empty list as null.
        if not isinstance(rows, list):
            raise Unreachable(f"Compute answered for {name} with something that is no list")
        return [row for row in rows if isinstance(row, dict)]

    def _only(self, row: dict[str, Any], source_id: str) -> dict[str, Any] | None:
        """The row, cut to the parts of a scan that read under this id; None when nothing in it does."""
        inside = next((name for name in ("info", "entityInfo") if isinstance(row.get(name), dict)), "")
        scan: dict[str, Any] = row[inside] if inside else row
        lists = {name: scan[name] for name in _PARTS if isinstance(scan.get(name), list)}
        if not lists:
            return row if self._tells(row, source_id) else None

        def told(parts: Mapping[str, list[Any]]) -> dict[str, Any]:
            cut = {**scan, **{each: [] for each in _PARTS}, **parts}
            return {**row, inside: cut} if inside else cut

        kept = {name: [part for part in parts if self._tells(told({name: [part]}), source_id)] for name, parts in lists.items()}
        return told(kept) if any(kept.values()) else None

    def _tells(self, record: Record, source_id: str) -> bool:
        """Whether the source reads this alert in it, and as more than a hint."""
        origin = Origin(received=self._outward.now())
        try:
            shape = next((one for one in _SOURCE.shapes if fits(one, record)), None)
            claims = list(shape.read(record, origin)) if shape else []
        except Untrusted:
            return False
        return any(isinstance(one, Finding) and one.source_id == source_id and not one.hint for one in claims)


def _questions(source_id: str) -> list[Question]:
    """Which lists of Compute to ask, and how, for an id of this form. Raises `Refused` when none can be asked."""
    if _AUDIT.fullmatch(source_id):
        # Unless told otherwise, incidents that somebody acknowledged are left out.
        incidents: list[Question] = [
            ("audits/incidents", {"id": source_id, "acknowledged": known}) for known in ("false", "true")
        ]
        return incidents + [(f"audits/runtime/{name}", {"id": source_id}) for name in _LISTED_AUDITS]
    if image := _IMAGE.fullmatch(source_id):
        return [(name, {param: image[1]}) for name, param in (("images", "id"), ("registry", "id"), ("scans", "imageID"))]
    if container := _CONTAINER.fullmatch(source_id):
        return [("containers", {"id": container[1]})]
    if "/" not in source_id:
        raise Refused(f"{printable(source_id[:80])!r} is no id that Prisma Cloud can be asked for")
    what = next(what for start, what in _BY_FORM.items() if source_id.startswith(start))
    raise Refused(f"cannot {what}: {CANNOT[what]}")


def _unknown(reply: Reply, number: str) -> NoReturn:
    """Says why there is no alert. Prisma explains a status in a header, and answers 400 for failures of its own too."""
    if "internal_error" in reply.headers.get("x-redlock-status", ""):
        raise Unreachable(f"Prisma Cloud failed over the alert {number}")
    raise Refused(f"Prisma Cloud does not know the alert {number} (answered {reply.status})")

"""What a simulated Prisma Cloud knows: CSPM alerts by number, Compute's lists by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.connectors.prisma.source import PrismaSource
from isthmus.contracts.checks import fits
from isthmus.contracts.reading import value_at
from isthmus.model.errors import IsthmusError, Refused

CONSOLE = "eu-2-143542871"
_OPEN = ("offset", "limit", "sort", "reverse", "from", "to")
_SCANS = {"image scan": "images", "host scan": "hosts", "container scan": "containers", "CI image scan": "scans"}
_AUDITS = {"file integrity audit": "audits/runtime/file-integrity", "log inspection audit": "audits/runtime/log-inspection"}
_ID: dict[str, tuple[str, ...]] = {"id": ("_id",), "imageID": ("entityInfo", "_id"), "hostname": ("hostname",)}
FILTERS: dict[str, tuple[str, ...]] = {
    "audits/incidents": ("id", "acknowledged", "hostname"),
    "audits/runtime/container": ("id", "hostname"),
    "audits/runtime/host": ("id", "hostname"),
    "audits/runtime/app-embedded": ("id", "hostname"),
    "audits/runtime/serverless": (),
    "audits/runtime/file-integrity": ("id", "hostname"),
    "audits/runtime/log-inspection": ("id", "hostname"),
    "images": ("id", "hostname", "filterBaseImage"),
    "registry": ("id", "filterBaseImage"),
    "scans": ("imageID", "filterBaseImage"),
    "containers": ("id", "hostname"),
    "hosts": ("hostname",),
}
"""Compute's lists, and by what each can be narrowed here."""

_DETAILS = ("name", "description", "severity", "complianceMetadata", "labels", "recommendation", "deleted")
_ALERT_FILTERS: dict[str, tuple[str, ...]] = {
    "alert.id": ("id",),
    "alert.status": ("status",),
    "policy.severity": ("policy", "severity"),
    "policy.type": ("policy", "policyType"),
}


class Unfit(IsthmusError):
    """A request Prisma Cloud would answer with 400."""


class Alerts:
    """CSPM's alerts."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}
        self._pages: list[dict[str, Any]] = []
        """What each page token stands for."""

    def hold(self, payload: dict[str, Any]) -> None:
        self._known[payload["id"]] = payload

    def one(self, number: str, detailed: bool) -> dict[str, Any] | None:
        """The alert of this number; without details its policy says neither what it is called nor how bad it is."""
        known = self._known.get(number)
        return known if known is None or detailed else _brief(known)

    def page(self, asked: object, detailed: bool) -> dict[str, Any]:
        """A page of alerts. Whoever turns the page gives its token and nothing else."""
        if not isinstance(asked, dict):
            raise Unfit("invalid_request_body")
        asked = self._turned(asked)
        chosen = [one for one in self._known.values() if _chosen(one, asked.get("filters") or [])]
        begin, size = int(asked.get("begin", 0)), int(asked.get("limit", 10_000))
        items = [one if detailed else _brief(one) for one in chosen[begin : begin + size]]
        more = begin + size < len(chosen)
        return {
            "totalRows": len(chosen),
            "items": items,
            "nextPageToken": self._token(asked | {"begin": begin + size}) if more else None,
            "sortAllowedColumns": [],
            "dynamicColumns": [],
        }

    def _token(self, asked: dict[str, Any]) -> str:
        self._pages.append(asked)
        return f"page-{len(self._pages) - 1}"

    def _turned(self, asked: dict[str, Any]) -> dict[str, Any]:
        token = str(asked.get("pageToken") or "")
        if not token:
            return asked
        number = token.removeprefix("page-")
        if not number.isdigit() or int(number) >= len(self._pages):
            raise Unfit("invalid_page_token")
        return self._pages[int(number)]


def _brief(alert: dict[str, Any]) -> dict[str, Any]:
    return {**alert, "policy": {name: value for name, value in alert["policy"].items() if name not in _DETAILS}}


def _chosen(alert: Mapping[str, Any], filters: list[dict[str, Any]]) -> bool:
    """Whether the alert is within the filters: one of the values for each name."""
    wanted: dict[str, set[str]] = {}
    for one in filters:
        if one.get("name") not in _ALERT_FILTERS or one.get("operator") != "=":
            raise Unfit("invalid_filter")
        wanted.setdefault(one["name"], set()).add(str(one.get("value")))
    return all(str(value_at(alert, *_ALERT_FILTERS[name])) in values for name, values in wanted.items())


class Lists:
    """Compute's lists."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in (*FILTERS, "audits/firewall/app")}

    def hold(self, payload: dict[str, Any], where: str = "") -> None:
        """The record goes where Compute lists its sort (an image that only lies in a registry: `where`). A scan of a
        thing scanned before adds to it: Compute has one row for each.
        """
        rows, own = self._known[where or _place(payload)], str(payload["_id"])
        rows[own] = _joined(rows[own], payload) if own in rows and "vulnerabilities" in payload else payload

    def rows(self, name: str, given: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
        """The rows within these query parameters; one that this list does not have is a mistake of the caller's."""
        # Palo Alto's own client writes `images??limit=50`, so a console passes over a name that begins with a second mark.
        asked = [pair for pair in given if not pair[0].startswith("?")]
        if strange := [param for param, _ in asked if param not in (*_OPEN, *FILTERS[name])]:
            raise Unfit(f"unknown parameter {strange[0]}")
        rows = list(self._known[name].values())
        if name == "audits/incidents":
            known = dict(asked).get("acknowledged", "false")
            rows = [row for row in rows if str(bool(row.get("acknowledged"))).lower() == known]
        for param, path in _ID.items():
            values = {one for key, value in asked if key == param for one in value.split(",")}
            rows = [row for row in rows if not values or value_at(row, *path) in values]
        return rows


def _joined(known: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The new scan, with the vulnerabilities of the known one that it does not tell again."""
    told = {(one["cve"], one["packageName"]) for one in new["vulnerabilities"] or ()}
    kept = [one for one in known["vulnerabilities"] or () if (one["cve"], one["packageName"]) not in told]
    return {**new, "vulnerabilities": [*kept, *(new["vulnerabilities"] or ())]}


def _place(payload: dict[str, Any]) -> str:
    shape = next((one.name for one in PrismaSource().shapes if fits(one, payload)), "")
    if shape == "incident":
        return "audits/incidents"
    if shape == "runtime audit":
        return f"audits/runtime/{_defender(payload)}"
    if shape == "WAAS audit":
        return "audits/firewall/app"
    known = _SCANS | _AUDITS
    if shape not in known:
        raise Refused(f"the simulated Prisma Cloud has no list for {shape or 'such a record'}")
    return known[shape]


def _defender(audit: Mapping[str, Any]) -> str:
    """Which sort of defender saw it."""
    if audit.get("functionID") or audit.get("function"):
        return "serverless"
    if audit.get("appID"):
        return "app-embedded"
    return "container" if audit.get("container") or audit.get("containerId") else "host"

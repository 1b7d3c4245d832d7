"""How much a finding weighs by itself: a story, more than backlog, or backlog. Structure decides; words are not read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from isthmus.model.assets import AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Severity

PROBLEM, HELD, ATTACK, HOT = 1, 2, 4, 8
"""Bits of a tier: more than backlog; a threat or a secret, which may have hold of something; a threat that may link others;
a story by itself.
"""
LIVE = HELD | ATTACK | HOT
"""What can reach beyond its own asset."""

Exploited = Callable[[str], bool]
"""Whether a CVE is on the list of those exploited in the wild."""

_HIGH, _MEDIUM = int(Severity.HIGH), int(Severity.MEDIUM)
_LIKELY_EPSS = 0.1


def is_hot(finding: Finding, exploited: Exploited) -> bool:
    """Whether a finding by itself makes its asset a story: an attack, a leaked key, an open door to something that matters."""
    weight = finding.severity.weight
    if finding.kind is Kind.THREAT:
        return weight >= _HIGH
    if finding.kind is Kind.SECRET:
        return weight >= _MEDIUM
    if finding.kind is Kind.VULNERABILITY:
        return _is_hot_vulnerability(finding, exploited)
    if weight >= int(Severity.CRITICAL) or (finding.kind is Kind.TOXIC_COMBINATION and weight >= _HIGH):
        return True
    return weight >= _HIGH and (finding.internet or finding.sensitive or finding.privileged) is True


def _is_hot_vulnerability(finding: Finding, exploited: Exploited) -> bool:
    """Exploited in the wild, unless a platform says the asset cannot be reached; or reachable, grave and likely."""
    high = finding.severity.weight >= _HIGH
    if any(one.exploited or exploited(one.cve) for one in finding.vulnerabilities):
        return finding.internet is True or (finding.internet is None and high)
    likely = any(one.exploit_exists or (one.epss or 0.0) >= _LIKELY_EPSS for one in finding.vulnerabilities)
    return finding.internet is True and likely and high


def is_problem(finding: Finding) -> bool:
    """A detection nobody else confirms, or a high weakness of a door: more than backlog, less than a story."""
    if finding.kind is Kind.THREAT:
        return finding.severity.weight >= _MEDIUM
    return finding.kind is not Kind.VULNERABILITY and finding.severity.weight >= _HIGH and finding.asset.kind in _DOORS


_DOORS = {
    AssetKind.BUCKET: "data stores",
    AssetKind.DATABASE: "data stores",
    AssetKind.ROLE: "identities",
    AssetKind.USER: "identities",
    AssetKind.ACCESS_KEY: "identities",
    AssetKind.SERVICE_ACCOUNT: "identities",
    AssetKind.SECURITY_GROUP: "network",
    AssetKind.LOAD_BALANCER: "network",
}
"""What stands between the world and the estate, by the kind of asset and not by anybody's words for the problem."""


def tier_of(finding: Finding, exploited: Exploited) -> int:
    """What it weighs by itself, as bits; 0 is backlog."""
    threat = finding.kind is Kind.THREAT
    bits = PROBLEM if is_problem(finding) else 0
    bits |= HELD if threat or finding.kind is Kind.SECRET else 0
    bits |= ATTACK if threat and finding.severity.weight >= _MEDIUM else 0
    return bits | (HOT if is_hot(finding, exploited) else 0)


_LATEST = datetime.max.replace(tzinfo=UTC)


def gravity(finding: Finding) -> tuple[bool, int, datetime, str]:
    """Gravest first: threats, then severity, then the earliest; one without a time comes last among its equals."""
    seen = finding.first_seen or finding.times.happened
    return finding.kind is not Kind.THREAT, -finding.severity.weight, seen or _LATEST, finding.key


def gravity_text(finding: Finding) -> str:
    """`gravity` as a text that sorts the same, but for the key; empty for what is closed."""
    if not finding.status.open:
        return ""
    other, weight, seen, _ = gravity(finding)
    return f"{int(other)}{9 + weight}{seen.astimezone(UTC).isoformat(timespec='microseconds')}"


def fold_of(finding: Finding) -> str:
    """What folds with it: single detections, or weaknesses of one sort of asset, of one account."""
    what = "single detections" if finding.kind is Kind.THREAT else _DOORS[finding.asset.kind]
    return f"{finding.tenant} {finding.asset.account or finding.asset.id} {what}"


def account_of(finding: Finding) -> str:
    """The account whose backlog a quiet finding is kept with, in words."""
    return finding.asset.account or f"{finding.asset.provider or finding.source}, account not given"


def why_folded(scope: str, finding: Finding) -> str:
    """Why a finding is in a fold: of a problem, or of what is quiet."""
    if scope == "backlog" or not is_problem(finding):
        return f"quiet: no sign of attack or exploitation; kept with account {account_of(finding)}"
    return f"the same sort in the same account: {fold_of(finding)}"

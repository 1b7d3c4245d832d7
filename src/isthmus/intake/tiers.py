"""How much a finding weighs by itself: a story, more than backlog, or backlog. Structure decides; words are not read."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.model.assets import AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Severity

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


def fold_of(finding: Finding) -> str:
    """What folds with it: single detections, or weaknesses of one sort of asset, of one account."""
    what = "single detections" if finding.kind is Kind.THREAT else _DOORS[finding.asset.kind]
    return f"{finding.tenant} {finding.asset.account or finding.asset.id} {what}"

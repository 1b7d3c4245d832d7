"""What Orca's fixed words and scores mean: risk levels, the 0-10 Orca score, the old 1-4 score, alert categories."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.model.assets import AssetKind
from isthmus.model.findings import Kind
from isthmus.model.severity import Severity, severity_named

_BANDS = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (5.0, Severity.MEDIUM), (3.0, Severity.LOW))
_SCORES = {1.0: Severity.CRITICAL, 2.0: Severity.HIGH, 3.0: Severity.MEDIUM, 4.0: Severity.INFORMATIONAL}

# Orca's own list of categories. "Lateral movement" is what Orca calls keys and passwords lying on an asset.
_CATEGORIES = {
    "access control": Kind.MISCONFIGURATION,
    "authentication": Kind.MISCONFIGURATION,
    "best practices": Kind.MISCONFIGURATION,
    "data at risk": Kind.DATA,
    "data protection": Kind.MISCONFIGURATION,
    "iam misconfigurations": Kind.IDENTITY,
    "lateral movement": Kind.SECRET,
    "logging and monitoring": Kind.MISCONFIGURATION,
    "malicious activity": Kind.THREAT,
    "malware": Kind.THREAT,
    "neglected assets": Kind.MISCONFIGURATION,
    "network misconfigurations": Kind.MISCONFIGURATION,
    "source code vulnerabilities": Kind.VULNERABILITY,
    "suspicious activity": Kind.THREAT,
    "system integrity": Kind.THREAT,
    "vendor services misconfigurations": Kind.MISCONFIGURATION,
    "vulnerabilities": Kind.VULNERABILITY,
    "workload misconfigurations": Kind.MISCONFIGURATION,
}
_ABOUT_LOGINS = frozenset({"access control", "authentication"})
_IDENTITIES = frozenset({AssetKind.USER, AssetKind.ROLE, AssetKind.SERVICE_ACCOUNT, AssetKind.ACCESS_KEY})
_CODE_SCANS = {
    "sast": Kind.VULNERABILITY,
    "sca": Kind.VULNERABILITY,
    "iac": Kind.MISCONFIGURATION,
    "secret": Kind.SECRET,
    "secrets": Kind.SECRET,
}
_SCAN_LABEL = "shiftleft:"


def severity_of_score(score: float) -> Severity:
    """Orca's bands: critical from 9, high from 7, medium from 5, low from 3, informational below."""
    for least, severity in _BANDS:
        if score >= least:
            return severity
    return Severity.INFORMATIONAL if score < 3.0 else Severity.UNKNOWN


def severity_of(risk_level: str, orca_score: float | None, score: float | None, word: str) -> Severity:
    """The risk level, else the Orca score, else the old score, else the old word.

    Before there were risk levels the Orca score repeated the old one, where 1 is worst: of such a pair the worse counts.
    The old word is last because `hazardous` has been seen beside a risk level of low and of medium.
    """
    if risk_level:
        return severity_named(risk_level)
    old = _SCORES.get(score) if score is not None else None
    if orca_score is None:
        return severity_named(word) if old is None else old
    new = severity_of_score(orca_score)
    return max(new, old) if old is not None and orca_score == score else new


def kind_of(category: str, asset: AssetKind, scan: str = "", labels: Iterable[str] = ()) -> Kind:
    """The kind behind a category. A code scan says it more exactly; a new category is a misconfiguration."""
    scans = [scan.lower(), *(label.removeprefix(_SCAN_LABEL) for label in labels if label.startswith(_SCAN_LABEL))]
    for one in scans:
        if one in _CODE_SCANS:
            return _CODE_SCANS[one]
    name = category.lower()
    if name in _ABOUT_LOGINS and asset in _IDENTITIES:
        return Kind.IDENTITY
    return _CATEGORIES.get(name, Kind.MISCONFIGURATION)

"""Severity and status, with OCSF's numbers and every vendor's words for them."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Severity(IntEnum):
    """OCSF `severity_id`. UNKNOWN is a word we do not know: it is treated as HIGH until somebody says otherwise."""

    UNKNOWN = 0
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def word(self) -> str:
        return _WORDS[self]

    @property
    def weight(self) -> int:
        """For comparison: what we do not understand counts as high."""
        return int(Severity.HIGH) if self is Severity.UNKNOWN else int(self)


_WORDS = {one: one.name.lower() for one in Severity}


class Status(StrEnum):
    """OCSF `status_id` by name."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"

    @property
    def open(self) -> bool:
        return self in (Status.NEW, Status.IN_PROGRESS)


_SEVERITIES = {
    "": Severity.UNKNOWN,
    "none": Severity.INFORMATIONAL,
    "info": Severity.INFORMATIONAL,
    "informational": Severity.INFORMATIONAL,
    "negligible": Severity.INFORMATIONAL,
    "low": Severity.LOW,
    "minor": Severity.LOW,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "major": Severity.HIGH,
    "critical": Severity.CRITICAL,
    "fatal": Severity.CRITICAL,
    "compromised": Severity.CRITICAL,
    "imminent compromise": Severity.HIGH,
    "hazardous": Severity.MEDIUM,
}

_STATUSES = {
    "open": Status.NEW,
    "new": Status.NEW,
    "active": Status.NEW,
    "reopened": Status.NEW,
    "created": Status.NEW,
    "notified": Status.NEW,
    "vulnerable": Status.NEW,
    "fail": Status.NEW,
    "failed": Status.NEW,
    "in_progress": Status.IN_PROGRESS,
    "in progress": Status.IN_PROGRESS,
    "inprogress": Status.IN_PROGRESS,
    "acknowledged": Status.IN_PROGRESS,
    "pending_resolution": Status.IN_PROGRESS,
    "snoozed": Status.SUPPRESSED,
    "dismiss": Status.SUPPRESSED,
    "dismissed": Status.SUPPRESSED,
    "rejected": Status.SUPPRESSED,
    "muted": Status.SUPPRESSED,
    "suppressed": Status.SUPPRESSED,
    "archived": Status.SUPPRESSED,
    "exception": Status.SUPPRESSED,
    "resolved": Status.RESOLVED,
    "closed": Status.RESOLVED,
    "close": Status.RESOLVED,
    "inactive": Status.RESOLVED,
    "fixed": Status.RESOLVED,
    "good": Status.RESOLVED,
    "pass": Status.RESOLVED,
    "passed": Status.RESOLVED,
}


def severity_named(word: str) -> Severity:
    """The severity a vendor's word means; UNKNOWN for one we have never seen."""
    return _SEVERITIES.get(word.strip().lower(), Severity.UNKNOWN)


def status_named(word: str) -> Status:
    """The status a vendor's word means. A word we do not know is open: nothing is hidden by a new word."""
    return _STATUSES.get(word.strip().lower(), Status.NEW)


def severity_of_cvss(score: float) -> Severity:
    """CVSS v3.1 section 5, qualitative rating of a 0.0-10.0 score."""
    for least, severity in ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW)):
        if score >= least:
            return severity
    return Severity.INFORMATIONAL

"""One claim by one source about one asset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from isthmus.model.assets import Asset
from isthmus.model.outside import NOTHING, Outside
from isthmus.model.problems import Problem
from isthmus.model.severity import Severity, Status

SCHEMA_VERSION = 1


class Kind(StrEnum):
    """What sort of claim it is, read from the shape of the payload and never from its words."""

    THREAT = "threat"
    MISCONFIGURATION = "misconfiguration"
    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105
    IDENTITY = "identity"
    DATA = "data"
    TOXIC_COMBINATION = "toxic_combination"

    @property
    def ocsf_class(self) -> int:
        """OCSF 1.6 `class_uid` of the finding class this kind belongs to."""
        return _OCSF_CLASS[self]


_OCSF_CLASS = {
    Kind.THREAT: 2004,
    Kind.MISCONFIGURATION: 2003,
    Kind.VULNERABILITY: 2002,
    Kind.SECRET: 2007,
    Kind.IDENTITY: 2003,
    Kind.DATA: 2006,
    Kind.TOXIC_COMBINATION: 2003,
}


@dataclass(frozen=True, slots=True)
class Times:
    """When it happened, when the source last changed it, when we got it, when we stored it. All UTC."""

    happened: datetime | None = None
    updated: datetime | None = None
    received: datetime | None = None
    recorded: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A CVE as the platform gave it. `cvss` is 0-10, `epss` a probability 0-1; None is 'not said'."""

    cve: str
    package: str = ""
    version: str = ""
    fixed_version: str = ""
    cvss: float | None = None
    vector: str = ""
    epss: float | None = None
    exploited: bool = False
    exploit_exists: bool = False


@dataclass(frozen=True, slots=True)
class Tie:
    """How the asset of a finding hangs together with another: `how` is one of TIES."""

    how: str
    asset: Asset


TIES = ("acts_as", "actor", "touches", "runs_on", "uses_image", "guarded_by", "owns_key", "part_of")
"""acts_as: has this role or service account · actor: was done by · touches: read or changed · runs_on: lives on ·
uses_image: was started from · guarded_by: behind this security group · owns_key: key of this user ·
part_of: member of a cluster."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """Something seen in a threat that is evidence but not identity: `ip`, `domain`, `process`, `hash`, `user_agent`, `api`."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Control:
    """A compliance requirement as the platform named it: framework and the id or text of the requirement."""

    framework: str
    requirement: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, by one source, that one asset has one problem.

    `internet`, `sensitive` and `privileged` are what the platform said about the asset in fields of their own;
    None is 'not said'. `hint` marks a thin notification (a webhook template) that a fuller reading of the same
    finding outranks. `blocked` means the platform says it already stopped it. `rule` is the vendor's machine name
    of the rule where there is one. `problems` is filled by `intake.normalise`.
    """

    source: str
    source_id: str
    kind: Kind
    title: Outside
    severity: Severity
    asset: Asset
    tenant: str = "default"
    instance: str = "default"
    rule: str = ""
    description: Outside = NOTHING
    status: Status = Status.NEW
    status_reason: str = ""
    times: Times = Times()
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    vulnerabilities: tuple[Vulnerability, ...] = ()
    attack: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    ties: tuple[Tie, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    internet: bool | None = None
    sensitive: bool | None = None
    privileged: bool | None = None
    blocked: bool = False
    hint: bool = False
    link: str = ""
    problems: tuple[Problem, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def key(self) -> str:
        """What makes it the same finding after a re-scan, a rename or a change of status."""
        return f"{self.tenant}/{self.source}/{self.instance}/{self.source_id}"

    @property
    def ocsf_class(self) -> int:
        return self.kind.ocsf_class


def short_hash(*parts: str, length: int = 12) -> str:
    """A stable name for these parts: lower-case hex of SHA-256, cut to `length` characters."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:length]


def weight(finding: Finding) -> tuple[object, ...]:
    """What of a finding anything can depend on: not when it was last seen, nor its words."""
    return (
        *(finding.kind, finding.severity, finding.status.open, finding.hint, finding.blocked),
        *(finding.internet, finding.sensitive, finding.privileged, finding.problems, finding.attack),
        *(finding.vulnerabilities, finding.indicators, finding.ties, finding.asset.id),
    )


def seen_as(finding: Finding) -> str:
    """A name for the finding as somebody saw it: another one when it weighs more or less. Confirmation alone changes
    nothing of it.
    """
    return f"{finding.key}#{short_hash(repr(weight(replace(finding, hint=False))))}"

"""OCSF findings of any producer: Prowler (posture as Detection Findings), Security Hub v2, Security Lake.

Classes 2002-2004, 2006 and 2007 share `finding_info`; 2001, the Security Finding of OCSF 1.0 which Security Lake still
writes, has `finding` and its own `state` instead. Producers are known to give different findings the same
`finding_info.uid`; only ARNs are trusted alone, any other uid gets the check and the resource beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from isthmus.connectors.ocsf.prowler import CSV_EXPORT, CSV_ROW
from isthmus.connectors.ocsf.resources import assets_of, identity, place_of
from isthmus.connectors.ocsf.signs import (
    attack_of,
    indicators,
    internet_of,
    moment,
    outcome,
    requirements,
    sensitive_of,
    severity_of,
    status_of,
    was_stopped,
)
from isthmus.contracts.reading import Record, controls, each, flag, items, needed, number, section, text, words
from isthmus.contracts.roles import Claims, NotAnAlert, Shape
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, severity_named

_CLASSES = frozenset({2001, 2002, 2003, 2004, 2006, 2007})
_KINDS = {2002.0: Kind.VULNERABILITY, 2003.0: Kind.MISCONFIGURATION, 2006.0: Kind.DATA, 2007.0: Kind.MISCONFIGURATION}
_NAMESPACES = {
    "Software and Configuration Checks": Kind.MISCONFIGURATION,
    "Sensitive Data Identifications": Kind.DATA,
    "Exposure": Kind.TOXIC_COMBINATION,
}


def _kind(record: Record, types: tuple[str, ...]) -> Kind:
    """By class; a Detection or Security Finding, which may be anything, by what it carries: vulnerabilities, the result
    of a check, AWS's types taxonomy. What carries none of these is a detection.
    """
    if items(record, "vulnerabilities"):
        return Kind.VULNERABILITY
    kind = _KINDS.get(number(record, "class_uid") or 0.0)
    if kind is not None:
        return kind
    if outcome(record) or text(record, "metadata", "product", "name") == "Prowler":
        return Kind.MISCONFIGURATION
    found = (_NAMESPACES.get(name.partition("/")[0]) for name in types)
    return next((one for one in found if one is not None), Kind.THREAT)


def _classifier(types: tuple[str, ...]) -> str:
    """A type like `Recon:EC2/Portscan`, alone or, as ASFF writes it, at the end of a path with its slash made a hyphen."""
    for name in types:
        steps = name.split("/")
        start = next((at for at, step in enumerate(steps) if ":" in step), None)
        if start is not None:
            own = "/".join(steps[start:])
            return own if "/" in own else own.replace("-", "/", 1)
    return ""


def _rule(record: Record, info: Record, types: tuple[str, ...]) -> str:
    """The producer's machine name of the check: Prowler's code, a type like GuardDuty's or Macie's, the control, the
    exposure's type, the analytic. GuardDuty's analytic is its detector and tells nothing, so it comes last.
    """
    own = text(record, "metadata", "event_code") or _classifier(types)
    control = text(record, "compliance", "control") or text(record, "compliance", "security_control_id")
    exposure = next((name for name in types if name.startswith("Exposure/")), "")
    analytic = section(info, "analytic") or section(record, "analytic")
    return own or control or exposure or text(analytic, "uid") or text(analytic, "name") or next(iter(types), "")


def _score(flaw: Record) -> Record:
    """The CVSS of the newest version given; of equal ones NVD's, else the first."""
    scores = items(flaw, "cve", "cvss")
    return max(scores, key=lambda one: (text(one, "version"), text(one, "vendor_name") == "NVD"), default={})


def _packages(flaw: Record, cve: str) -> Iterator[Vulnerability]:
    """One vulnerability per package it was found in; one without a package where none is named."""
    score = _score(flaw)
    packages = items(flaw, "affected_packages") or items(flaw, "packages") or [{}]
    for package in packages:
        version, release = text(package, "version"), text(package, "release")
        yield Vulnerability(
            cve=cve,
            package=text(package, "name"),
            version=f"{version}-{release}" if release else version,
            fixed_version=text(package, "fixed_in_version").removeprefix("0:"),
            cvss=number(score, "base_score"),
            vector=text(score, "vector_string"),
            epss=number(flaw, "cve", "epss", "score"),
            exploit_exists=flag(flaw, "is_exploit_available") or False,
        )


class _Told:
    """What is read once of a record, whether it makes one claim or one per vulnerability."""

    __slots__ = ("asset", "info", "origin", "place", "record", "rows", "rule", "state", "ties", "types")

    def __init__(self, record: Record, info: dict[str, Any], state: str, origin: Origin) -> None:
        self.record, self.info, self.state, self.origin = record, info, state, origin
        self.types = words(info, "types")
        self.rule = _rule(record, info, self.types)
        self.place = place_of(record)
        self.asset, self.ties = assets_of(record, self.place)
        self.rows = requirements(record)

    def identity(self, *more: str) -> str:
        """The finding's own uid: an ARN alone, anything else with what makes the problem what it is."""
        first = next(iter(items(self.record, "resources")), {})
        resource = text(first, "uid") or text(first, "name") or next(iter(self.asset.ids), "")
        return identity(needed(text(self.info, "uid"), "finding_info", "uid"), self.place, resource, *more)


def _finding(told: _Told, kind: Kind, rule: str, source_id: str) -> Finding:
    record, info, origin, asset = told.record, told.info, told.origin, told.asset
    status, reason = status_of(record, told.state)
    created, first = moment(info, "created_time"), moment(info, "first_seen_time")
    updated = moment(info, "modified_time") or moment(record, "time") or created
    return Finding(
        source="ocsf",
        source_id=source_id,
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind,
        rule=rule,
        title=Outside(text(info, "title") or text(record, "message") or rule),
        description=Outside(text(record, "status_detail") or text(info, "desc") or text(record, "message")),
        severity=severity_of(record),
        status=status,
        status_reason=reason,
        asset=asset,
        times=Times(first or created or moment(record, "time"), updated, origin.received),
        first_seen=first or created,
        last_seen=moment(info, "last_seen_time") or updated,
        attack=attack_of(record, info, told.rows),
        controls=controls(told.rows),
        ties=tuple(dict.fromkeys(told.ties)),
        indicators=indicators(record, info),
        internet=internet_of(record, info),
        sensitive=sensitive_of(record, info),
        blocked=was_stopped(record),
        link=text(info, "src_url"),
    )


def _flawed(told: _Told, flaw: Record, alone: bool) -> Finding:
    """One vulnerability of a record. The CVE is always part of the identity, so that a second one changes nothing.
    Of many, each has a title and, where said, a severity of its own.
    """
    cve = needed(text(flaw, "cve", "uid") or text(flaw, "advisory", "uid"), "cve", "uid")
    found = tuple(dict.fromkeys(_packages(flaw, cve)))
    finding = _finding(told, Kind.VULNERABILITY, cve, f"{told.identity(found[0].package)}|{cve}")
    finding = replace(finding, vulnerabilities=found)
    if alone:
        return finding
    own = severity_named(text(flaw, "severity"))
    title = Outside(f"{cve} in {found[0].package or 'a package'}")
    return replace(finding, title=title, severity=own if own is not Severity.UNKNOWN else finding.severity)


def _read(record: Record, info: dict[str, Any], state: str, origin: Origin) -> Claims:
    told = _Told(record, info, state, origin)
    kind = _kind(record, told.types)
    flaws = items(record, "vulnerabilities")
    if flaws:
        yield from each(flaws, "vulnerabilities", lambda flaw: _flawed(told, flaw, alone=len(flaws) == 1))
    else:
        yield _finding(told, kind, told.rule, told.identity(told.rule))


def read_finding(record: Record, origin: Origin) -> Claims:
    """A finding of OCSF 1.1 and later; one claim, or one per vulnerability."""
    yield from _read(record, section(record, "finding_info"), "status", origin)


def read_security_finding(record: Record, origin: Origin) -> Claims:
    """A Security Finding of OCSF 1.0: the finding's state is `state`, its `status` says whether the event succeeded."""
    yield from _read(record, section(record, "finding"), "state", origin)


def _is_finding(record: Record) -> bool:
    own = record.get("class_uid")
    return isinstance(own, int) and own in _CLASSES


def _is_incident(record: Record) -> bool:
    return record.get("class_uid") == 2005


def _is_other_event(record: Record) -> bool:
    return isinstance(record.get("category_uid"), int) and record.get("category_uid") != 2


class OcsfSource:
    """Any producer of OCSF, as a teller of problems."""

    shapes = (
        Shape("finding", frozenset({"class_uid", "finding_info", "metadata"}), read_finding, _is_finding),
        Shape(
            "security finding (OCSF 1.0)", frozenset({"class_uid", "finding", "metadata"}), read_security_finding, _is_finding
        ),
        CSV_ROW,
    )
    not_alerts = (
        NotAnAlert(
            "an OCSF incident finding, a bundle of findings: import the findings",
            frozenset({"class_uid", "metadata"}),
            _is_incident,
        ),
        NotAnAlert(
            "an OCSF event (activity, inventory), not a finding",
            frozenset({"class_uid", "category_uid", "metadata"}),
            _is_other_event,
        ),
    )
    csv_exports = (CSV_EXPORT,)
    export_hint = (
        "OCSF: `prowler <provider> -M json-ocsf` (or csv), `aws securityhub get-findings-v2`, or Security Lake rows as JSON"
    )

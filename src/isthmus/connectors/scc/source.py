"""Findings of Google Security Command Center: as the API lists them, as Pub/Sub notifies of them, and as clients write them.

A client or BigQuery writes the same finding in snake case, so such a record is brought to the API's spelling first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.connectors.scc.resources import asset_of, pod_of, ties_of
from isthmus.connectors.scc.words import CLASSES, attack_of, vector_of
from isthmus.contracts.reading import (
    Record,
    controls,
    first_text,
    first_when,
    flag,
    items,
    needed,
    number,
    section,
    text,
    value_at,
    when,
    words,
)
from isthmus.contracts.roles import Claims, CsvExport, NotAnAlert, Shape
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Indicator, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Status, severity_named

_INSIDE = ("10.", "127.", "169.254.", "192.168.", *(f"172.{second}." for second in range(16, 32)))
_ANYWHERE = {"0.0.0.0/0", "::/0"}
_EXPLOITED = {"WIDE", "CONFIRMED"}
_AS_GIVEN = {"source_properties", "sourceProperties", "contacts", "external_systems", "labels"}


def _id(name: str) -> str:
    """`sources/S/findings/F`: the part of a finding's name that is the same in v1 and v2, and whether it was listed for
    the organization, a folder or the project. The head (and in v2 the location) is only where one asked.
    """
    _, found, rest = name.partition("/sources/")
    return f"sources/{rest.partition('/')[0]}/findings/{rest.rpartition('/')[2]}" if found else name


def _kind(finding: Record) -> Kind:
    """By the finding's class. SCC calls some settings and grants vulnerabilities too; a real one has a CVE, or comes from
    a scanner of applications. A finding from before there were classes is told by its parts.
    """
    given = text(finding, "findingClass")
    if given in CLASSES:
        return CLASSES[given]
    if text(finding, "vulnerability", "cve", "id"):
        return Kind.VULNERABILITY
    told = section(finding, "sourceProperties")
    if "ScannerName" in told or text(finding, "findingProviderId").endswith("/security_health_advisor"):
        return Kind.MISCONFIGURATION
    if given == "VULNERABILITY":
        return Kind.IDENTITY if items(finding, "iamBindings") else Kind.VULNERABILITY
    threat = "detectionCategory" in told or "detectionCategory_ruleName" in told or "detectionPriority" in told
    return Kind.THREAT if threat or section(finding, "mitreAttack") or section(finding, "indicator") else Kind.MISCONFIGURATION


def _status(finding: Record) -> Status:
    if text(finding, "state") == "INACTIVE":
        return Status.RESOLVED
    return Status.SUPPRESSED if text(finding, "mute") == "MUTED" else Status.NEW


def _indicators(finding: Record) -> tuple[Indicator, ...]:
    indicator, access = section(finding, "indicator"), section(finding, "access")
    ips = [*words(indicator, "ipAddresses"), text(access, "callerIp")]
    for row in items(finding, "connections"):
        ips += [text(row, "sourceIp"), text(row, "destinationIp")]
    found = [Indicator("ip", ip) for ip in ips if not ip.startswith(_INSIDE)]
    found += [Indicator("domain", domain) for domain in words(indicator, "domains")]
    for row in items(finding, "processes"):
        found.append(Indicator("process", " ".join(words(row, "args")) or first_text(row, "binary.path", "name")))
        found.append(Indicator("hash", text(row, "binary", "sha256")))
    found += [Indicator("hash", text(row, "sha256")) for row in items(finding, "files")]
    if access:
        found.append(Indicator("user_agent", text(access, "userAgent")))
        found.append(Indicator("api", text(access, "methodName")))
        found.append(Indicator("access_key", text(access, "serviceAccountKeyName")))
    return tuple(dict.fromkeys(one for one in found if one.value))


def _vulnerabilities(finding: Record) -> tuple[Vulnerability, ...]:
    told = section(finding, "vulnerability")
    cve = section(told, "cve")
    if not text(cve, "id"):
        return ()
    activity = text(cve, "exploitationActivity")
    exploited = activity in _EXPLOITED or flag(cve, "observedInTheWild") is True
    return (
        Vulnerability(
            cve=text(cve, "id").upper(),
            package=text(told, "offendingPackage", "packageName"),
            version=text(told, "offendingPackage", "packageVersion"),
            fixed_version=text(told, "fixedPackage", "packageVersion"),
            cvss=number(cve, "cvssv3", "baseScore"),
            vector=vector_of(section(cve, "cvssv3")),
            exploited=exploited,
            exploit_exists=exploited or activity == "AVAILABLE" or bool(text(cve, "exploitReleaseDate")),
        ),
    )


def _internet(finding: Record) -> bool | None:
    """True where SCC saw the exposure, or names a rule that lets the whole internet in; it never says that there is none."""
    open_rule = text(finding, "ipRules", "direction") == "INGRESS" and _ANYWHERE & set(
        words(finding, "ipRules", "sourceIpRanges")
    )
    return True if open_rule or section(finding, "externalExposure") else None


def _sensitive(finding: Record) -> bool | None:
    inspected = section(finding, "cloudDlpInspection") or items(finding, "cloudDlpDataProfile", "infoTypes")
    return True if inspected or text(finding, "findingClass") == "SENSITIVE_DATA_RISK" else None


def _title(category: str, found: tuple[Vulnerability, ...]) -> str:
    """The category, made readable: `PUBLIC_BUCKET_ACL` is for machines. A CVE and its package say more."""
    if found:
        return f"{found[0].cve} in {found[0].package or 'a package'}"
    return category.replace("_", " ").capitalize() if category.isupper() else category


def _read(finding: Record, resource: Record, origin: Origin) -> Finding:
    category, asset = text(finding, "category"), asset_of(finding, resource)
    kind, found = _kind(finding), _vulnerabilities(finding)
    pod = pod_of(finding, asset) if kind is Kind.THREAT else None
    moments = [one for one in (when(finding, "createTime"), when(finding, "eventTime")) if one]
    changed = [*moments[-1:], *(one for one in (when(finding, "muteUpdateTime"),) if one)]
    asserted = first_text(finding, "severity", "sourceProperties.SeverityLevel", "sourceProperties.detectionPriority")
    return Finding(
        source="scc",
        source_id=needed(_id(text(finding, "name")), "name"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind,
        rule=category,
        title=Outside(_title(category, found)),
        description=Outside(text(finding, "description")),
        severity=severity_named(asserted),
        status=_status(finding),
        status_reason=text(finding, "muteInitiator") if text(finding, "mute") == "MUTED" else "",
        asset=pod or asset,
        times=Times(min(moments, default=None), max(changed, default=None), origin.received),
        first_seen=first_when(finding, "createTime", "eventTime"),
        last_seen=first_when(finding, "eventTime", "createTime"),
        vulnerabilities=found,
        attack=attack_of(finding),
        controls=controls(_compliance(finding)),
        ties=ties_of(finding, asset if pod else None),
        indicators=_indicators(finding),
        internet=_internet(finding),
        sensitive=_sensitive(finding),
        link=text(finding, "externalUri"),
    )


def _compliance(finding: Record) -> list[tuple[str, str]]:
    return [
        (f"{text(row, 'standard')} {text(row, 'version')}".strip(), one)
        for row in items(finding, "compliances")
        for one in words(row, "ids")
    ]


def _camel(value: Any) -> Any:
    """The API's spelling of a record in snake case; what the finding's own source wrote stays as it is."""
    if isinstance(value, dict):
        return {_camel_word(name): one if name in _AS_GIVEN else _camel(one) for name, one in value.items()}
    return [_camel(one) for one in value] if isinstance(value, list) else value


def _camel_word(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(one.capitalize() for one in rest)


def read_finding(record: Record, origin: Origin) -> Claims:
    """A bare finding."""
    finding = _camel(record) if "resource_name" in record or "event_time" in record else record
    yield _read(finding, section(finding, "resource"), origin)


def read_listed(record: Record, origin: Origin) -> Claims:
    """A finding beside its resource: an item of a list, or a Pub/Sub notification."""
    finding = section(record, "finding")
    spelled = _camel(record) if "resource_name" in finding or "event_time" in finding else record
    yield _read(section(spelled, "finding"), section(spelled, "resource"), origin)


def read_secops(record: Record, origin: Origin) -> Claims:
    """As Google SecOps ingests it: one finding under `findings`, and its source properties moved out of it."""
    finding: Mapping[str, Any] = section(record, "findings") | {"sourceProperties": section(record, "sourceProperties")}
    yield _read(finding, section(record, "resource"), origin)


def _is_named(record: Any) -> bool:
    name = record.get("name") if isinstance(record, dict) else None
    return isinstance(name, str) and "/sources/" in name and "/findings/" in name


class SccSource:
    """Security Command Center, as a teller of problems."""

    shapes = (
        Shape("finding", frozenset({"name", "category", "state"}), read_finding, _is_named),
        Shape("finding with resource", frozenset({"finding"}), read_listed, lambda one: _is_named(one["finding"])),
        Shape(
            "finding (Google SecOps)", frozenset({"findings", "resource"}), read_secops, lambda one: _is_named(one["findings"])
        ),
    )
    not_alerts = (
        NotAnAlert("an asset of Security Command Center, not a finding", frozenset({"securityCenterProperties"})),
        NotAnAlert(
            "an asset of Security Command Center, not a finding",
            frozenset({"asset"}),
            lambda one: isinstance(value_at(one, "asset"), dict) and "securityCenterProperties" in one["asset"],
        ),
        NotAnAlert(
            "a source of Security Command Center (a detector), not a finding",
            frozenset({"name", "displayName", "description"}),
            lambda one: isinstance(one["name"], str) and "/sources/" in one["name"] and "/findings/" not in one["name"],
        ),
        NotAnAlert(
            "a mute rule of Security Command Center, not a finding",
            frozenset({"name", "filter"}),
            lambda one: isinstance(one["name"], str) and "/muteConfigs/" in one["name"],
        ),
        NotAnAlert("a Google Cloud audit log entry, not a finding", frozenset({"protoPayload", "logName", "insertId"})),
        NotAnAlert(
            "a log entry of Event Threat Detection; take the finding Security Command Center makes of it",
            frozenset({"jsonPayload", "logName"}),
            lambda one: isinstance(one["jsonPayload"], dict) and "detectionCategory" in one["jsonPayload"],
        ),
    )
    csv_exports: tuple[CsvExport, ...] = ()
    export_hint = "Security Command Center: Findings > Export as JSON, or `gcloud scc findings list PARENT --format=json`"

"""Wiz vulnerability and configuration findings."""

from __future__ import annotations

from isthmus.connectors.wiz.entities import entity, framework_pairs
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
    techniques,
    text,
    when,
)
from isthmus.contracts.roles import Claims
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named, status_named


def read_vulnerability(record: Record, origin: Origin) -> Claims:
    """A vulnerability finding. Wiz says itself whether the asset is open to the internet, wide or limited."""
    asset = section(record, "vulnerableAsset")
    exposures = [flag(asset, "hasWideInternetExposure"), flag(asset, "hasLimitedInternetExposure")]
    updated = first_when(record, "lastDetectedAt", "resolvedAt", "firstDetectedAt")
    name = text(record, "name")
    yield Finding(
        source="wiz",
        source_id=needed(text(record, "id"), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.VULNERABILITY,
        rule=name,
        title=Outside(f"{name} in {first_text(record, 'detailedName') or 'a package'}"),
        description=Outside(first_text(record, "CVEDescription", "description")),
        severity=severity_named(first_text(record, "severity", "CVSSSeverity", "vendorSeverity")),
        status=status_named(text(record, "status")),
        status_reason=text(record, "resolutionReason"),
        asset=entity(asset),
        times=Times(when(record, "firstDetectedAt"), updated, origin.received),
        first_seen=when(record, "firstDetectedAt"),
        last_seen=updated,
        vulnerabilities=(
            Vulnerability(
                cve=name,
                package=text(record, "detailedName"),
                version=text(record, "version"),
                fixed_version=text(record, "fixedVersion"),
                cvss=number(record, "score"),
                epss=number(record, "epssProbability"),
                exploited=flag(record, "hasCisaKevExploit") or False,
                exploit_exists=flag(record, "hasExploit") or False,
            ),
        ),
        internet=None if exposures == [None, None] else any(exposures),
        link=first_text(record, "portalUrl", "link"),
    )


def read_configuration(record: Record, origin: Origin) -> Claims:
    """A configuration finding: one rule on one resource. A `PASS` is resolved."""
    resource, rule = section(record, "resource"), section(record, "rule")
    rows = items(record, "securitySubCategories")
    updated = first_when(record, "analyzedAt", "firstSeenAt")
    result = text(record, "result").upper()
    yield Finding(
        source="wiz",
        source_id=needed(text(record, "id"), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION,
        rule=first_text(rule, "graphId", "id"),
        title=Outside(text(rule, "name")),
        description=Outside(text(rule, "description")),
        severity=severity_named(text(record, "severity")),
        status=status_named("pass" if result == "PASS" else text(record, "status")),
        asset=entity(
            resource,
            text(resource, "subscription", "externalId"),
            text(resource, "subscription", "cloudProvider"),
        ),
        times=Times(when(record, "firstSeenAt"), updated, origin.received),
        first_seen=when(record, "firstSeenAt"),
        last_seen=updated,
        attack=techniques(*(requirement for _, requirement in framework_pairs(rows))),
        controls=controls(framework_pairs(rows)),
    )

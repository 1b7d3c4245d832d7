"""Wiz issues: API nodes, webhook bodies and CSV rows.

A webhook body is a template its user may edit, so it is read by known paths and marked as a hint: the same issue read
through the API or an export outranks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.connectors.wiz.entities import entity, framework_pairs, risk_says
from isthmus.contracts.reading import (
    Record,
    controls,
    cves,
    first_text,
    first_when,
    items,
    needed,
    section,
    techniques,
    text,
    when,
    words,
)
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, asset_kind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named, status_named

_ISSUE_KINDS = {
    "THREAT_DETECTION": Kind.THREAT,
    "TOXIC_COMBINATION": Kind.TOXIC_COMBINATION,
    "CLOUD_CONFIGURATION": Kind.MISCONFIGURATION,
}
_RULE_KINDS = {"CloudEventRule": Kind.THREAT, "CloudConfigurationRule": Kind.MISCONFIGURATION}
_ENTITY_KINDS = {"SECRET": Kind.SECRET, "SECRET_DATA": Kind.SECRET, "DATA_FINDING": Kind.DATA}


def _issue_kind(record: Record, rule: Mapping[str, Any]) -> Kind:
    by_entity = _ENTITY_KINDS.get(text(record, "entitySnapshot", "type"))
    by_type = _ISSUE_KINDS.get(text(record, "type")) or _RULE_KINDS.get(text(rule, "__typename"))
    if by_type is Kind.THREAT:
        return by_type
    return by_entity or by_type or Kind.TOXIC_COMBINATION


def read_issue(record: Record, origin: Origin) -> Claims:
    """An issue as `issuesV2` returns it, with `sourceRule` or the newer `sourceRules`."""
    rule = section(record, "sourceRule") or next(iter(items(record, "sourceRules")), {})
    rows = items(rule, "securitySubCategories")
    risks = words(rule, "risks")
    about = first_text(
        rule, "controlDescription", "cloudEventRuleDescription", "cloudConfigurationRuleDescription", "description"
    )
    updated = first_when(record, "updatedAt", "statusChangedAt", "createdAt")
    title = first_text(rule, "name", "id") or text(record, "description")
    yield Finding(
        source="wiz",
        source_id=needed(text(record, "id"), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=_issue_kind(record, rule),
        rule=text(rule, "id"),
        title=Outside(title),
        description=Outside(about or text(record, "description")),
        severity=severity_named(text(record, "severity")),
        status=status_named(text(record, "status")),
        status_reason=text(record, "resolutionReason"),
        asset=entity(section(record, "entitySnapshot")),
        times=Times(when(record, "createdAt"), updated, origin.received),
        first_seen=when(record, "createdAt"),
        last_seen=updated,
        vulnerabilities=tuple(Vulnerability(cve) for cve in cves(title, about)),
        attack=techniques(*(requirement for _, requirement in framework_pairs(rows))),
        controls=controls(framework_pairs(rows)),
        internet=risk_says(risks, "EXPOS", "INTERNET"),
        sensitive=risk_says(risks, "SENSITIVE"),
        privileged=risk_says(risks, "PRIVILEGE", "ADMIN"),
        link=first_text(record, "url") or issue_link(text(record, "id")),
    )


def issue_link(issue: str) -> str:
    return f"https://app.wiz.io/issues#~(issue~'{issue}')"


def read_issue_webhook(record: Record, origin: Origin) -> Claims:
    """The default body of an issue automation rule. Its casing varies, and `resource.id` may be empty."""
    issue, control, resource = section(record, "issue"), section(record, "control"), section(record, "resource")
    risks = words(control, "risks")
    created = when(issue, "created")
    own = first_text(resource, "id", "externalId")
    yield Finding(
        source="wiz",
        source_id=needed(text(issue, "id"), "issue", "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT if text(control, "id").startswith("cer-") else Kind.TOXIC_COMBINATION,
        rule=text(control, "id"),
        title=Outside(text(control, "name")),
        description=Outside(text(control, "description")),
        severity=severity_named(first_text(issue, "severity") or text(control, "severity")),
        status=status_named(first_text(issue, "status") or text(record, "trigger", "type")),
        asset=Asset(
            kind=asset_kind(text(resource, "nativeType"), text(resource, "type")),
            provider=text(resource, "cloudPlatform").lower(),
            account=text(resource, "subscriptionId"),
            region=text(resource, "region"),
            name=Outside(text(resource, "name")),
            ids=tuple(one for one in (text(resource, "providerId"), own) if one),
        ),
        times=Times(created, first_when(issue, "updated", "updatedAt") or created, origin.received),
        first_seen=created,
        last_seen=first_when(issue, "updated", "updatedAt") or created,
        internet=risk_says(risks, "EXPOS", "INTERNET"),
        sensitive=risk_says(risks, "SENSITIVE"),
        privileged=risk_says(risks, "PRIVILEGE", "ADMIN"),
        hint=True,
        link=issue_link(text(issue, "id")),
    )


def read_csv_issue(record: Record, origin: Origin) -> Claims:
    """A row of the Issues CSV report."""
    created, resolved = when(record, "Created At"), when(record, "Resolved Time")
    given = (text(record, "Resource external ID"), text(record, "Resource vertex ID"))
    yield Finding(
        source="wiz",
        source_id=needed(text(record, "Issue ID"), "Issue ID"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.TOXIC_COMBINATION,
        rule=text(record, "Control ID"),
        title=Outside(text(record, "Title")),
        description=Outside(text(record, "Description")),
        severity=severity_named(text(record, "Severity")),
        status=status_named(text(record, "Status")),
        status_reason=text(record, "Resolution"),
        asset=Asset(
            kind=asset_kind(text(record, "Resource Type")),
            provider=text(record, "Resource Platform").lower(),
            account=text(record, "Subscription ID"),
            region=text(record, "Resource Region"),
            name=Outside(text(record, "Resource Name")),
            ids=tuple(one for one in (given[0], f"wiz:{given[1]}" if given[1] else "") if one),
        ),
        times=Times(created, resolved or created, origin.received),
        first_seen=created,
        last_seen=resolved or created,
        vulnerabilities=tuple(Vulnerability(cve) for cve in cves(text(record, "Title"))),
        link=issue_link(text(record, "Issue ID")),
    )

"""Wiz issues, threat detections, vulnerability and configuration findings, as API nodes, webhook bodies or CSV.

A Wiz webhook body is a template its user may edit, so it is read by known paths and marked as a hint: the same issue
read through the API or an export outranks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.contracts.reading import (
    Record,
    controls,
    cves,
    first_text,
    first_when,
    flag,
    items,
    needed,
    number,
    section,
    techniques,
    text,
    value_at,
    when,
    words,
)
from isthmus.contracts.roles import Claims, CsvExport, NotAnAlert, Shape
from isthmus.model.assets import Asset, asset_kind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Indicator, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named, status_named

_ISSUE_KINDS = {
    "THREAT_DETECTION": Kind.THREAT,
    "TOXIC_COMBINATION": Kind.TOXIC_COMBINATION,
    "CLOUD_CONFIGURATION": Kind.MISCONFIGURATION,
}
_RULE_KINDS = {"CloudEventRule": Kind.THREAT, "CloudConfigurationRule": Kind.MISCONFIGURATION}
_ENTITY_KINDS = {"SECRET": Kind.SECRET, "SECRET_DATA": Kind.SECRET, "DATA_FINDING": Kind.DATA}


def _framework_pairs(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(framework, requirement) of each sub-category; Wiz writes the requirement's id as the head of its title."""
    for row in rows:
        yield first_text(row, "category.framework.name", "category.framework.id"), text(row, "title")


def _risk_says(risks: tuple[str, ...], *stems: str) -> bool | None:
    """True when one of Wiz's own risk names has one of the stems; Wiz never says a risk is absent."""
    return True if any(stem in risk.upper() for risk in risks for stem in stems) else None


def _tags(record: Record, *path: str) -> tuple[tuple[str, Outside], ...]:
    """Tags as an object or as a list of {key, value}."""
    if isinstance(value_at(record, *path), list):
        return tuple(sorted((text(tag, "key"), Outside(text(tag, "value"))) for tag in items(record, *path)))
    return tuple(sorted((name, Outside(str(value))) for name, value in section(record, *path).items()))


def _entity(entity: Mapping[str, Any], account: str = "", provider: str = "") -> Asset:
    """An entity snapshot, a vulnerable asset, a Defend resource or actor: they share their field names."""
    own = text(entity, "id")
    given = [
        first_text(entity, "providerId", "providerUniqueId"),
        text(entity, "externalId"),
        f"wiz:{own}" if own else "",
    ]
    return Asset(
        kind=asset_kind(text(entity, "nativeType"), text(entity, "type")),
        provider=(first_text(entity, "cloudPlatform", "cloudAccount.cloudPlatform") or provider).lower(),
        account=first_text(entity, "subscriptionExternalId", "subscriptionId", "cloudAccount.externalId") or account,
        region=text(entity, "region"),
        name=Outside(text(entity, "name")),
        ids=tuple(dict.fromkeys(one for one in given if one)),
        tags=_tags(entity, "tags"),
    )


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
        asset=_entity(section(record, "entitySnapshot")),
        times=Times(when(record, "createdAt"), updated, origin.received),
        first_seen=when(record, "createdAt"),
        last_seen=updated,
        vulnerabilities=tuple(Vulnerability(cve) for cve in cves(title, about)),
        attack=techniques(*(requirement for _, requirement in _framework_pairs(rows))),
        controls=controls(_framework_pairs(rows)),
        internet=_risk_says(risks, "EXPOS", "INTERNET"),
        sensitive=_risk_says(risks, "SENSITIVE"),
        privileged=_risk_says(risks, "PRIVILEGE", "ADMIN"),
        link=first_text(record, "url") or _issue_link(text(record, "id")),
    )


def _issue_link(issue: str) -> str:
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
        internet=_risk_says(risks, "EXPOS", "INTERNET"),
        sensitive=_risk_says(risks, "SENSITIVE"),
        privileged=_risk_says(risks, "PRIVILEGE", "ADMIN"),
        hint=True,
        link=_issue_link(text(issue, "id")),
    )


def _detection_events(record: Record) -> list[dict[str, Any]]:
    """Triggering events: a list in the webhook, `{nodes}` in the API."""
    inside = value_at(record, "triggeringEvents")
    return items(record, "triggeringEvents", "nodes") if isinstance(inside, dict) else items(record, "triggeringEvents")


def _detection_indicators(record: Record) -> tuple[Indicator, ...]:
    found = set()
    for event in _detection_events(record):
        found |= {Indicator("ip", text(event, "actorIP")), Indicator("process", text(event, "commandLine"))}
    for actor in (*items(record, "actors"), section(record, "primaryActor")):
        if text(actor, "type") == "NETWORK_ADDRESS":
            found.add(Indicator("ip", first_text(actor, "externalId", "name")))
        else:
            found.add(Indicator("access_key", text(actor, "accessKeyId")))
    return tuple(sorted((one for one in found if one.value), key=lambda one: (one.kind, one.value)))


def _detection_ties(record: Record, account: str, provider: str, main: str) -> tuple[Tie, ...]:
    actor = section(record, "primaryActor")
    ties = []
    if actor and text(actor, "type") != "NETWORK_ADDRESS":
        ties.append(Tie("actor", _entity(actor, account, provider)))
    ties += [Tie("touches", _entity(row, account, provider)) for row in items(record, "resources") if text(row, "id") != main]
    return tuple(ties)


def _joined_techniques(record: Record) -> tuple[str, ...]:
    """The webhook writes `TA0043-T1595`; the API puts techniques into sub-categories."""
    rows = items(record, "ruleMatch", "rule", "securitySubCategories")
    return techniques(
        *(name.replace("-", " ") for name in words(record, "mitreTechniques")), *(text(row, "title") for row in rows)
    )


def read_detection(record: Record, origin: Origin) -> Claims:
    """A Wiz Defend detection, from the API or a Defend webhook. `MATCH_ONLY` raised no threat: it is informational."""
    clouds = items(record, "cloudAccounts")
    account = first_text(clouds[0], "externalId") if clouds else ""
    provider = first_text(clouds[0], "cloudProvider", "cloudPlatform") if clouds else ""
    main = section(record, "primaryResource") or next(iter(items(record, "resources")), {})
    updated = first_when(record, "updatedAt", "endedAt", "timeframe.end", "createdAt")
    happened = first_when(record, "startedAt", "timeframe.start", "createdAt")
    title = first_text(record, "title", "ruleMatch.rule.name")
    yield Finding(
        source="wiz",
        source_id=needed(text(record, "id"), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=first_text(record, "tdrId", "ruleMatch.rule.id"),
        title=Outside(title or text(record, "description")),
        description=Outside(text(record, "description")),
        severity=severity_named(text(record, "severity")),
        asset=_entity(main, account, provider),
        times=Times(happened, updated, origin.received),
        first_seen=happened,
        last_seen=updated,
        attack=_joined_techniques(record),
        ties=_detection_ties(record, account, provider, text(main, "id")),
        indicators=_detection_indicators(record),
        privileged=flag(record, "primaryActor", "hasAdminPrivileges"),
        link=first_text(record, "threatURL", "issue.url", "url"),
    )


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
        asset=_entity(asset),
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
        asset=_entity(
            resource,
            text(resource, "subscription", "externalId"),
            text(resource, "subscription", "cloudProvider"),
        ),
        times=Times(when(record, "firstSeenAt"), updated, origin.received),
        first_seen=when(record, "firstSeenAt"),
        last_seen=updated,
        attack=techniques(*(requirement for _, requirement in _framework_pairs(rows))),
        controls=controls(_framework_pairs(rows)),
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
        link=_issue_link(text(record, "Issue ID")),
    )


def _is_detection(record: Record) -> bool:
    return "triggeringEvents" in record or "ruleMatch" in record or "tdrId" in record


class WizSource:
    """Wiz, as a teller of problems."""

    shapes = (
        Shape("issue", frozenset({"id", "severity", "status", "entitySnapshot"}), read_issue),
        Shape("issue webhook", frozenset({"trigger", "issue", "control", "resource"}), read_issue_webhook),
        Shape("detection", frozenset({"id", "severity", "description"}), read_detection, _is_detection),
        Shape("vulnerability finding", frozenset({"id", "name", "vulnerableAsset"}), read_vulnerability),
        Shape(
            "configuration finding",
            frozenset({"id", "resource", "rule", "severity", "result"}),
            read_configuration,
        ),
        Shape("issue (CSV)", frozenset({"Issue ID", "Resource vertex ID", "Severity", "Title"}), read_csv_issue),
    )
    not_alerts = (
        NotAnAlert("a Wiz audit log entry, not an alert", frozenset({"action", "requestId", "actionParameters"})),
        NotAnAlert("a Wiz audit log entry, not an alert", frozenset({"action", "requestid", "sourceip"})),
        NotAnAlert("the definition of a Wiz control, not an alert", frozenset({"__typename", "controlDescription", "id"})),
        NotAnAlert("a Wiz graph object (context), not an alert", frozenset({"graphEntity", "id", "type"})),
        NotAnAlert("a Wiz AI analysis of a threat (context), not an alert", frozenset({"threatDetectionDetails"})),
        NotAnAlert("a reply of the Wiz API to an update, not an alert", frozenset({"updateIssue"})),
        NotAnAlert("a reply of the Wiz API to a note, not an alert", frozenset({"createIssueNote"})),
        NotAnAlert("an error reply of the Wiz API, not an alert", frozenset({"errors"})),
        NotAnAlert("a Wiz CLI scan of code; pipeline scans are not triaged", frozenset({"scanOriginResource", "policies"})),
    )
    csv_exports = (
        CsvExport(
            "Wiz issues report", frozenset({"Issue ID", "Resource vertex ID", "Severity", "Title", "Status", "Created At"})
        ),
    )
    export_hint = "Wiz: Issues > Export (CSV), or the nodes of an issuesV2 API query as JSON"

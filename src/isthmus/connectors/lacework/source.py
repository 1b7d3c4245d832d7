"""Lacework FortiCNAPP: alerts of the API, of webhooks and of the event channels; vulnerability rows are a file of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from isthmus.connectors.lacework.entities import Rows, account_of, assets_of, cloud, rows_of, seen_in, ties_of, violations
from isthmus.connectors.lacework.vulnerabilities import read_container, read_host, read_package
from isthmus.contracts.reading import (
    Record,
    cves,
    first_text,
    first_when,
    items,
    needed,
    section,
    text,
    when,
)
from isthmus.contracts.roles import Claims, NotAnAlert, Shape
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding, Kind, Tie, Times, Vulnerability, short_hash
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, severity_named, status_named

_NUMBERED = {"1": "critical", "2": "high", "3": "medium", "4": "low", "5": "info"}
_POSTURE = frozenset({"compliance", "platform"})
_HOLES = frozenset({"registry", "vulnerability", "hostvulnerability", "containervulnerability"})
# Types that say only that some rule was broken; the policy says which.
_ANY_RULE = frozenset(
    {"NewViolations", "ComplianceChanged", "NewPolicyViolation", "PolicyViolationChanged", "CloudTrailDefaultAlert"}
)
_BROKEN_RULES = _ANY_RULE - {"CloudTrailDefaultAlert"}
_EXPOSED = {"yes": True, "internetexposed": True, "no": False}
_TEST_MESSAGE = "0"


def _kind(category: str, group: str, alert_type: str) -> Kind:
    """By Lacework's category and sub-category; anomalies, composites and activity of any sort are threats."""
    name = group.lower().replace(" ", "").replace("_", "")
    if name in _HOLES or "Cve" in alert_type:
        return Kind.VULNERABILITY
    if category.lower() in {"anomaly", "composite"}:
        return Kind.THREAT
    return Kind.MISCONFIGURATION if name in _POSTURE or (not name and alert_type in _BROKEN_RULES) else Kind.THREAT


def _severity(given: str) -> Severity:
    """A word in the API, a number in the channels: 1 is critical, 5 informational."""
    return severity_named(_NUMBERED.get(given, given))


def _rule(alert_type: str, policy: str, rows: Rows) -> str:
    recommendation = first_text(next(iter(rows.get("recid", ())), {}), "rec_id")
    named = policy or recommendation or first_text(next(iter(rows.get("newviolation", ())), {}), "rec_id")
    return named if named and (alert_type in _ANY_RULE or not alert_type) else alert_type or named


def _broken_rule(rows: Rows) -> str:
    """The title of the recommendation a compliance event is about; its own name is only `New Violations`."""
    return first_text(next(iter(rows.get("recid", ())), {}), "title")


def _vulnerabilities(rows: Rows) -> tuple[Vulnerability, ...]:
    fixes = {text(row, "feature_name"): text(row, "fixed_version") for row in rows.get("imagefeature", ())}
    named = ((row, cves(first_text(row, "cve_id", "cve"))) for row in rows.get("cve", ()))
    return tuple(
        Vulnerability(one, text(row, "feature_name"), fixed_version=fixes.get(text(row, "feature_name"), ""))
        for row, found in named
        for one in found
    )


def _latest(*moments: datetime | None) -> datetime | None:
    return max((one for one in moments if one is not None), default=None)


def _unnamed(alert: str, rows: Rows, provider: str) -> Asset:
    """What an alert without a named asset is about: its account, else its own thing (two such alerts are not one asset)."""
    said, account = account_of(rows)
    if account:
        return Asset(AssetKind.ACCOUNT, said or provider, account, name=Outside(account), ids=(account,))
    return Asset(AssetKind.OTHER, provider, ids=(f"lacework:alert/{alert}",))


def _claims(alert: str, rows: Rows, provider: str, kind: Kind) -> list[tuple[str, Asset, tuple[Tie, ...]]]:
    """Id, asset and ties of each claim in an alert: one for every resource where several break the same rule, else one."""
    things, who = assets_of(rows, provider)
    broken = violations(rows)
    if len(broken) > 1:
        each_one = [one for one in things if one.ids and one.ids[0] in broken]
        return [(f"{alert}/{short_hash(one.ids[0])}", one, ties_of([one], who, kind)) for one in each_one]
    named = [one for one in things if one.ids or one.name] or [_unnamed(alert, rows, provider)]
    return [(alert, named[0], ties_of(named, who, kind))]


def read_alert(record: Record, origin: Origin) -> Claims:
    """An alert of the Alerts API. The list says nothing of the asset; the Details scope adds `entityMap`."""
    alert = needed(text(record, "alertId"), "alertId")
    derived, rows = section(record, "derivedFields"), rows_of(record, "entityMap")
    provider = cloud(text(derived, "source"))
    kind = _kind(text(derived, "category"), text(derived, "sub_category"), text(record, "alertType"))
    start, end = when(record, "startTime"), when(record, "endTime")
    updated = _latest(start, end, first_when(record, "lastUserUpdatedTime", "lastUserUpdateTime"))
    for own, asset, ties in _claims(alert, rows, provider, kind):
        yield Finding(
            source="lacework",
            source_id=own,
            tenant=origin.tenant,
            instance=origin.instance,
            kind=kind,
            rule=_rule(text(record, "alertType"), text(record, "policyId"), rows),
            title=Outside(first_text(record, "alertInfo.subject", "alertName", "alertType")),
            description=Outside(text(record, "alertInfo", "description")),
            severity=_severity(text(record, "severity")),
            status=status_named(text(record, "status")),
            asset=asset,
            times=Times(start, updated, origin.received),
            first_seen=start,
            last_seen=end or start,
            vulnerabilities=_vulnerabilities(rows),
            ties=ties,
            indicators=seen_in(rows),
            internet=_EXPOSED.get(text(record, "internetExposure").lower()),
        )


def read_details(record: Record, origin: Origin) -> Claims:
    """The reply to a request for one alert: `{"data": alert}`."""
    return read_alert(section(record, "data"), origin)


def _merged(parts: list[dict[str, Any]]) -> Rows:
    rows: Rows = {}
    for part in parts:
        for name, more in rows_of(part, "ENTITY_MAP").items():
            rows[name] = rows.get(name, []) + more
    return rows


def read_event(record: Record, origin: Origin) -> Claims:
    """What the EventBridge, CloudWatch and similar channels send: an event with its entity map. They never say it closed."""
    detail = section(record, "detail") or record
    alert = needed(text(detail, "EVENT_ID"), "detail", "EVENT_ID")
    parts = items(detail, "EVENT_DETAILS", "data")
    rows = _merged(parts)
    category = text(detail, "EVENT_CATEGORY")
    kind = _kind(category, category, text(detail, "EVENT_TYPE"))
    start = when(detail, "START_TIME") or first_when(next(iter(parts), {}), "START_TIME") or when(record, "time")
    end = _latest(start, *(when(part, "END_TIME") for part in parts))
    provider = cloud(category) or cloud(text(detail, "SOURCE"))
    for own, asset, ties in _claims(alert, rows, provider, kind):
        yield Finding(
            source="lacework",
            source_id=own,
            tenant=origin.tenant,
            instance=origin.instance,
            kind=kind,
            rule=_rule(text(detail, "EVENT_TYPE"), "", rows),
            title=Outside(_broken_rule(rows) or first_text(detail, "EVENT_NAME", "SUMMARY", "EVENT_TYPE")),
            description=Outside(text(detail, "SUMMARY")),
            severity=_severity(text(detail, "SEVERITY")),
            asset=asset,
            times=Times(start, end, origin.received),
            first_seen=start,
            last_seen=end,
            vulnerabilities=_vulnerabilities(rows),
            ties=ties,
            indicators=seen_in(rows),
            link=text(detail, "LINK"),
        )


def read_webhook(record: Record, origin: Origin) -> Claims:
    """The flat webhook: it names no asset in a field of its own, so it is a hint until the alert is read by its id."""
    alert = needed(text(record, "event_id"), "event_id")
    if alert == _TEST_MESSAGE:
        raise Untrusted("a test message of a Lacework alert channel: there is nothing to triage", "event_id")
    source, group = text(record, "event_source"), text(record, "event_type")
    provider = next((cloud(name) for name in ("aws", "azure", "gcp", "k8s") if source.lower().startswith(name)), "")
    moment = when(record, "event_timestamp")
    yield Finding(
        source="lacework",
        source_id=alert,
        tenant=origin.tenant,
        instance=origin.instance,
        kind=_kind("", group, "" if group else source),
        rule=first_text(record, "rec_id", "event_type"),
        title=Outside(first_text(record, "event_title", "event_type")),
        description=Outside(text(record, "event_description")),
        severity=_severity(text(record, "event_severity")),
        asset=_unnamed(alert, {}, provider),
        times=Times(moment, moment, origin.received),
        first_seen=moment,
        last_seen=moment,
        hint=True,
        link=text(record, "event_link"),
    )


def _holds(record: Record, name: str, *keys: str) -> bool:
    inside = record.get(name)
    return isinstance(inside, dict) and all(key in inside for key in keys)


def _is_event(record: Record) -> bool:
    return _holds(record, "detail", "EVENT_ID", "EVENT_TYPE", "SEVERITY")


def _is_details(record: Record) -> bool:
    return _holds(record, "data", "alertId", "alertType", "alertInfo")


def _is_comment(record: Record) -> bool:
    return _holds(record, "data", "alertId", "entryType")


_EVENT = frozenset({"EVENT_ID", "EVENT_TYPE", "EVENT_DETAILS", "SEVERITY"})
_WEBHOOK = frozenset({"event_id", "event_title", "event_severity", "lacework_account"})


class LaceworkSource:
    """Lacework FortiCNAPP, as a teller of problems."""

    shapes = (
        Shape("alert", frozenset({"alertId", "alertType", "alertInfo", "severity"}), read_alert),
        Shape("alert (details reply)", frozenset({"data"}), read_details, _is_details),
        Shape("event", frozenset({"detail"}), read_event, _is_event),
        Shape("event (bare)", _EVENT, read_event),
        Shape("webhook", _WEBHOOK, read_webhook),
        Shape("container vulnerability", frozenset({"imageId", "vulnId", "featureKey", "evalCtx"}), read_container),
        Shape("host vulnerability", frozenset({"mid", "vulnId", "featureKey"}), read_host),
        Shape("package vulnerability", frozenset({"osPkgInfo", "vulnId", "fixInfo"}), read_package),
    )
    not_alerts = (
        NotAnAlert("an entry in the timeline of a Lacework alert, not an alert", frozenset({"alertId", "entryType"})),
        NotAnAlert("a reply of the Lacework API to a comment, not an alert", frozenset({"data"}), _is_comment),
        NotAnAlert("a question of a Lacework investigation, not an alert", frozenset({"question", "answer"})),
        NotAnAlert("an observation on a Lacework timeline, not an alert", frozenset({"observationType", "entities"})),
        NotAnAlert(
            "a cloud log event beside a Lacework alert, not an alert",
            frozenset({"eventName", "eventSource", "sourceIpAddress", "recipientAccountId"}),
        ),
        NotAnAlert("a Lacework machine (context), not an alert", frozenset({"mid", "hostname", "kernel"})),
        NotAnAlert("a Lacework container image (context), not an alert", frozenset({"imageId", "mid", "repo"})),
        NotAnAlert("Lacework's count of an image's vulnerabilities, not an alert", frozenset({"imageId", "vulnCountCritical"})),
        NotAnAlert("a resource of Lacework's inventory (context), not an alert", frozenset({"csp", "resourceConfig", "urn"})),
    )
    csv_exports = ()
    export_hint = (
        "Lacework: the replies of GET /api/v2/Alerts/{id}?scope=Details (they name the asset; the list of alerts does not), "
        "or of POST /api/v2/Vulnerabilities/Hosts/search and /Containers/search, as JSON"
    )

"""Prisma Cloud CSPM alerts: as the API returns them, and as the webhook sends them, flat.

Nobody signs a webhook, and its body is a notification template: it is marked as a hint, so that the same alert read
through the API outranks it. Both give the alert id Prisma keeps through every re-scan and change of status.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.connectors.prisma.places import given, indicators, instance_ids
from isthmus.contracts.reading import (
    Record,
    by_name,
    controls,
    cves,
    first_text,
    first_when,
    items,
    needed,
    section,
    techniques,
    text,
    value_at,
    when,
    words,
)
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named, status_named

_KINDS = {
    "config": Kind.MISCONFIGURATION,
    "iam": Kind.IDENTITY,
    "data": Kind.DATA,
    "api": Kind.MISCONFIGURATION,
    "anomaly": Kind.THREAT,
    "audit_event": Kind.THREAT,
    "workload_incident": Kind.THREAT,
    "malware": Kind.THREAT,
    "grayware": Kind.THREAT,
    "workload_vulnerability": Kind.VULNERABILITY,
    "attack_path": Kind.TOXIC_COMBINATION,
}
_EXPOSURE = {"network_config", "internet_exposure"}
_ATTACKS = {"network_event", "malware", "injections", "shellshock", "known_bots", "unknown_bots", "vulnerability_scanning"}
_SENSITIVE = {"data_classification", "sensitive_data_exposure"}
_TRAFFIC = ("connectionDetails", "networkAnomaly", "anomaly")
_API_KINDS = {
    "aws-iam-get-credential-report": AssetKind.USER,
    "aws-iam-list-users": AssetKind.USER,
    "aws-iam-list-roles": AssetKind.ROLE,
    "aws-iam-list-access-keys": AssetKind.ACCESS_KEY,
    "aws-ec2-describe-instances": AssetKind.INSTANCE,
    "aws-ec2-describe-security-groups": AssetKind.SECURITY_GROUP,
    "aws-s3api-get-bucket-acl": AssetKind.BUCKET,
    "aws-rds-describe-db-instances": AssetKind.DATABASE,
    "aws-lambda-list-functions": AssetKind.FUNCTION,
    "aws-eks-describe-cluster": AssetKind.CLUSTER,
    "azure-vm-list": AssetKind.INSTANCE,
    "azure-storage-account-list": AssetKind.BUCKET,
    "azure-network-nsg-list": AssetKind.SECURITY_GROUP,
    "azure-kubernetes-cluster": AssetKind.CLUSTER,
    "gcloud-compute-instances-list": AssetKind.INSTANCE,
    "gcloud-storage-buckets-list": AssetKind.BUCKET,
    "gcloud-compute-firewall-rules-list": AssetKind.SECURITY_GROUP,
    "gcloud-iam-service-accounts-list": AssetKind.SERVICE_ACCOUNT,
    "gcloud-sql-instances-list": AssetKind.DATABASE,
    "gcloud-container-describe-clusters": AssetKind.CLUSTER,
}
_INSIDE = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"))
_TESTS = {"P-0", "T-0"}


def _policy_kind(record: Record, policy_type: str, subtypes: set[str], labels: tuple[str, ...]) -> Kind:
    """What an alert claims, by the type of its policy.

    A network policy is one of two things: an analysis of paths (`network_config`: what could be reached, a
    misconfiguration) or of flow logs (`network_event`: what did connect, a threat). Where no subtype is given,
    traffic in the alert says threat, the label Prisma puts on policies that feed its attack paths says
    misconfiguration, and otherwise the graver reading stands.
    """
    named = policy_type.lower().replace("-", "_").replace(" ", "_")
    if named in ("data", "api") and subtypes & _ATTACKS:
        return Kind.THREAT
    if named in _KINDS:
        return _KINDS[named]
    if named == "network" and subtypes & _EXPOSURE:
        return Kind.MISCONFIGURATION
    if subtypes & _ATTACKS or any(record.get(name) for name in _TRAFFIC):
        return Kind.THREAT
    return Kind.THREAT if named == "network" and "Attack Path Rule" not in labels else Kind.MISCONFIGURATION


def _compliance(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(standard, section). NIST 800-53 carries the name in `sectionId` and the id in `sectionLabel`."""
    for row in rows:
        section_id = text(row, "sectionId")
        label = text(row, "sectionLabel") if " " in section_id or not section_id else ""
        yield text(row, "standardName"), label or section_id or text(row, "requirementId")


def _attack(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    return techniques(*(text(row, "sectionId") for row in rows if text(row, "standardName").startswith("MITRE")))


def _word(data: Mapping[str, Any], *path: str) -> str:
    """A text inside the cloud's own configuration or event. What it holds is the cloud's affair and never a reason
    to reject the alert, so a strange type is read as not said.
    """
    value: Any = data
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _rows(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    rows = data.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _data(resource: Record) -> Mapping[str, Any]:
    data = resource.get("data")
    return data if isinstance(data, dict) else {}


def _asset(record: Record, resource: Record) -> Asset:
    """The resource of an alert: nested in the API, beside it in the webhook, where the nested one may be missing."""
    data = _data(resource)
    own = first_text(record, "resourceId") or text(resource, "id")
    azure = own.find("/subscriptions/")
    own = own[azure:] if azure > 0 else own
    api_name = text(resource, "resourceApiName")
    kind = asset_kind(first_text(record, "resourceType") or text(resource, "resourceType"))
    kind = _API_KINDS.get(api_name, kind) if kind is AssetKind.OTHER else kind
    provider = (first_text(record, "cloudType") or first_text(resource, "cloudType")).lower()
    account = text(record, "accountId") or text(resource, "accountId")
    region = first_text(record, "resourceRegionId") or text(resource, "regionId")
    unified, rrn = text(resource, "unifiedAssetId"), text(resource, "rrn")
    ours = (f"prisma:{unified}" if unified else "", f"prisma:{rrn}" if rrn else "")
    arn, link = _word(data, "arn") or _word(data, "functionArn") or _word(data, "dbinstanceArn"), _word(data, "selfLink")
    ids = instance_ids(own, provider, account, region) if kind is AssetKind.INSTANCE else (own,)
    return Asset(
        kind=kind,
        provider=provider,
        account=account,
        region=region,
        name=Outside(first_text(record, "resourceName") or text(resource, "name")),
        ids=given(arn, link if "googleapis.com/" in link else "", *ids, *ours),
        tags=_tags(record, resource),
    )


def _tags(record: Record, resource: Record) -> tuple[tuple[str, Outside], ...]:
    """Tags: an object beside the resource in the API, a list of {key, value} in the webhook."""
    if isinstance(value_at(record, "tags"), list):
        return by_name((text(tag, "key"), Outside(text(tag, "value"))) for tag in items(record, "tags"))
    return by_name((name, Outside(str(value))) for name, value in section(resource, "resourceTags").items())


def _ties(data: Mapping[str, Any], asset: Asset) -> tuple[Tie, ...]:
    """What the cloud's own configuration says a machine runs as and stands behind, and who an event was done by."""
    provider, account = asset.provider, asset.account
    profile, actor = _word(data, "iamInstanceProfile", "arn"), _word(data, "userIdentity", "arn")
    ties = [Tie("acts_as", Asset(AssetKind.ROLE, provider, account, ids=(profile,)))] if profile else []
    for row in _rows(data, "serviceAccounts") if asset.kind is AssetKind.INSTANCE else ():
        email = _word(row, "email")
        ties += [Tie("acts_as", Asset(AssetKind.SERVICE_ACCOUNT, provider, account, ids=(email,)))] if email else []
    for row in _rows(data, "securityGroups") if asset.kind is AssetKind.INSTANCE else ():
        group = _word(row, "groupId")
        ties += [Tie("guarded_by", Asset(AssetKind.SECURITY_GROUP, provider, account, ids=(group,)))] if group else []
    if actor and actor not in asset.ids:
        kind = AssetKind.USER if ":user/" in actor or actor.endswith(":root") else AssetKind.ROLE
        ties.append(Tie("actor", Asset(kind, provider, account, name=Outside(actor.rpartition("/")[2]), ids=(actor,))))
    return tuple(ties)


def _outside(address: str) -> str:
    """The address when it is one and not a private one; the other end of a connection is the resource's own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return "" if any(parsed in net for net in _INSIDE) else address


def _seen(record: Record, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Ends of the connections of a network event, and the words of the audited event."""
    for row in items(record, "connectionDetails"):
        yield "ip", _outside(text(row, "srcIp"))
        yield "ip", _outside(text(row, "destIp"))
    yield "ip", _outside(_word(data, "sourceIPAddress"))
    yield "user_agent", _word(data, "userAgent")
    yield "api", _word(data, "eventName")
    yield "access_key", _word(data, "userIdentity", "accessKeyId")


def _open_to_internet(kind: Kind, policy_type: str, said: set[str], exposure: str) -> bool | None:
    """A posture policy on network paths is about reach from the internet; data policies name the exposure they match."""
    exposed = "internet_exposure" in said or exposure == "public"
    return True if exposed or (kind is Kind.MISCONFIGURATION and policy_type.lower() == "network") else None


def read_alert(record: Record, origin: Origin) -> Claims:
    """An alert as `v2/alert` and `alert/{id}` return it; without `detailed` the policy has neither name nor severity."""
    policy, resource = section(record, "policy"), section(record, "resource")
    said = {*words(policy, "policySubTypes"), *words(policy, "findingTypes")}
    policy_type, rows = text(policy, "policyType"), items(policy, "complianceMetadata")
    kind = _policy_kind(record, policy_type, said, words(policy, "labels"))
    asset, data = _asset({}, resource), _data(resource)
    title = text(policy, "name")
    first = first_when(record, "firstSeen", "alertTime")
    updated = first_when(record, "lastUpdated", "lastSeen", "alertTime", "firstSeen")
    yield Finding(
        source="prisma",
        source_id=needed(text(record, "id"), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind,
        rule=first_text(policy, "policyId") or text(record, "policyId"),
        title=Outside(title or f"Policy {first_text(record, 'policy.policyId', 'policyId')}"),
        description=Outside(text(policy, "description")),
        severity=severity_named(text(policy, "severity")),
        status=status_named(text(record, "status")),
        status_reason=text(record, "reason"),
        asset=asset,
        times=Times(when(record, "eventOccurred") or first, updated, origin.received),
        first_seen=first,
        last_seen=updated,
        vulnerabilities=tuple(Vulnerability(cve) for cve in cves(title)),
        attack=_attack(rows),
        controls=controls(_compliance(rows)),
        ties=_ties(data, asset),
        indicators=indicators(_seen(record, data)) if kind is Kind.THREAT else (),
        internet=_open_to_internet(kind, policy_type, said, text(policy, "rule", "dataCriteria", "exposure")),
        sensitive=True if said & _SENSITIVE else None,
    )


def read_webhook(record: Record, origin: Origin) -> Claims:
    """One alert of a webhook body, flat. Prisma's own test of the integration is no alert."""
    if text(record, "alertId") in _TESTS or text(record, "sender") == "Test Notification":
        raise Untrusted("a test message of Prisma Cloud, not an alert", "alertId")
    resource, labels = section(record, "resource"), words(record, "policyLabels")
    policy_type, rows = text(record, "policyType"), items(record, "complianceMetadata")
    kind = _policy_kind(record, policy_type, set(), labels)
    asset, data = _asset(record, resource), _data(resource)
    title = text(record, "policyName")
    first = first_when(record, "firstSeen", "alertTs", "sentTs")
    updated = first_when(record, "lastSeen", "alertTs", "firstSeen", "sentTs")
    yield Finding(
        source="prisma",
        source_id=needed(text(record, "alertId"), "alertId"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind,
        rule=text(record, "policyId"),
        title=Outside(title or f"Policy {text(record, 'policyId')}"),
        description=Outside(text(record, "policyDescription")),
        severity=severity_named(text(record, "severity")),
        status=status_named(text(record, "alertStatus")),
        status_reason=text(record, "reason"),
        asset=asset,
        times=Times(first, updated, origin.received),
        first_seen=first,
        last_seen=updated,
        vulnerabilities=tuple(Vulnerability(cve) for cve in cves(title)),
        attack=_attack(rows),
        controls=controls(_compliance(rows)),
        ties=_ties(data, asset),
        indicators=indicators(_seen({}, data)) if kind is Kind.THREAT else (),
        internet=_open_to_internet(kind, policy_type, set(), ""),
        hint=True,
        link=text(record, "callbackUrl"),
    )


def is_alert(record: Record) -> bool:
    policy = record.get("policy")
    return isinstance(policy, dict) and ("policyId" in policy or "policyType" in policy)


def is_webhook(record: Record) -> bool:
    return isinstance(record.get("alertId"), str) and any(
        name in record for name in ("alertRuleId", "alertRuleName", "sender", "callbackUrl", "resourceRegionId", "policyName")
    )

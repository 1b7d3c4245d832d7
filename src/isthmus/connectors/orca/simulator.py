"""Orca, writing findings down: the flat alert, its webhook wrapper, the serving-layer object and the Discovery row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind, Vulnerability, short_hash
from isthmus.model.severity import Severity, Status

_CATEGORIES = {
    Kind.MISCONFIGURATION: "Workload misconfigurations",
    Kind.THREAT: "Malicious activity",
    Kind.VULNERABILITY: "Vulnerabilities",
    Kind.SECRET: "Lateral movement",
    Kind.IDENTITY: "IAM misconfigurations",
    Kind.DATA: "Data at risk",
}
_TYPES = {
    AssetKind.INSTANCE: ("vm", "VM", "AwsEc2Instance"),
    AssetKind.CONTAINER: ("container", "Container", "Container"),
    AssetKind.POD: ("K8sPod", "K8sPod", "K8sPod"),
    AssetKind.IMAGE: ("image", "ContainerImage", "ContainerImage"),
    AssetKind.FUNCTION: ("function", "Function", "AwsLambdaFunction"),
    AssetKind.BUCKET: ("storage", "AWS S3 Bucket", "AwsS3Bucket"),
    AssetKind.DATABASE: ("AwsRdsDbInstance", "AwsRdsDbInstance", "AwsRdsDbInstance"),
    AssetKind.ROLE: ("AwsIamRole", "AwsIamRole", "AwsIamRole"),
    AssetKind.USER: ("AwsUser", "AwsUser", "AwsUser"),
    AssetKind.ACCESS_KEY: ("AwsIamAccessKey", "AwsIamAccessKey", "AwsIamAccessKey"),
    AssetKind.SECURITY_GROUP: ("AwsEc2SecurityGroup", "AwsEc2SecurityGroup", "AwsEc2SecurityGroup"),
    AssetKind.CLUSTER: ("AwsEksCluster", "AwsEksCluster", "AwsEksCluster"),
    AssetKind.LOAD_BALANCER: ("AwsEc2Elb", "AwsEc2Elb", "AwsEc2Elb"),
    AssetKind.REPOSITORY: ("cisource", "CodeRepository", "CodeRepository"),
    AssetKind.ACCOUNT: ("CloudAccount", "CloudAccount", "CloudAccount"),
}
_STATUS = {Status.NEW: "open", Status.IN_PROGRESS: "in_progress", Status.SUPPRESSED: "dismissed", Status.RESOLVED: "closed"}
_LEVELS: dict[Severity, tuple[str, float, int, str]] = {
    Severity.CRITICAL: ("critical", 9.4, 1, "compromised"),
    Severity.HIGH: ("high", 7.6, 2, "imminent compromise"),
    Severity.MEDIUM: ("medium", 5.8, 3, "hazardous"),
    Severity.LOW: ("low", 3.6, 3, "hazardous"),
    Severity.INFORMATIONAL: ("informational", 1.5, 4, "informational"),
    Severity.UNKNOWN: ("unknown", 7.0, 2, ""),
}
_ORGANIZATION = "6b1f0c1e-2a64-4c55-9b0e-5f5d8f4c7a10"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _own_name(asset: Asset) -> str:
    """The end of the strongest id: `i-...` of an instance's ARN, the name of a bucket or a role."""
    first = asset.ids[0]
    return first.split(":", 5)[-1].replace(":", "/").rsplit("/", 1)[-1] if first.startswith("arn:") else first


def _types(asset: Asset) -> tuple[str, str, str]:
    return _TYPES.get(asset.kind, (asset.kind.value, asset.kind.value, asset.kind.value))


def _unique_id(asset: Asset) -> str:
    return f"{_types(asset)[0]}_{asset.account}_{_own_name(asset)}"


def _labels(finding: Finding) -> list[str]:
    return [name for name, holds in (("internet_facing", finding.internet), ("pii", finding.sensitive)) if holds]


def _asset_fields(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    kind, shown, _ = _types(asset)
    fields: dict[str, Any] = {
        "asset_category": "VM" if asset.kind is AssetKind.INSTANCE else shown,
        "asset_labels": _labels(finding),
        "asset_name": str(asset.name),
        "asset_regions": [asset.region] if asset.region else [],
        "asset_state": "enabled",
        "asset_tags_info_list": [f"{name}|{value}" for name, value in asset.tags],
        "asset_type": kind,
        "asset_type_string": shown,
        "asset_unique_id": _unique_id(asset),
        "asset_vendor_id": _own_name(asset),
        "account_name": asset.account,
        "cloud_account_id": str(uuid5(NAMESPACE_URL, asset.account)),
        "cloud_account_type": "Regular",
        "cloud_provider": asset.provider,
        "cloud_provider_id": asset.account,
        "cloud_vendor_id": asset.account,
    }
    if asset.kind is AssetKind.INSTANCE:
        fields["vm_id"] = _own_name(asset)
    for tie in finding.ties:
        if tie.how == "runs_on" and tie.asset.ids:
            fields |= {"vm_id": _own_name(tie.asset), "vm_asset_unique_id": f"vm_{asset.account}_{_own_name(tie.asset)}"}
        if tie.how == "uses_image" and tie.asset.ids:
            fields["asset_image_id"] = _own_name(tie.asset)
    return fields


def _inventory(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    first = asset.ids[0]
    return {
        "Name": str(asset.name),
        "Type": _types(asset)[2],
        "Category": _types(asset)[1],
        "UiUniqueField": _own_name(asset),
        "AssetUniqueId": _unique_id(asset),
        "Region": asset.region,
        "Observations": _labels(finding),
        "IsInternetFacing": finding.internet,
        **({"Arn": first} if first.startswith("arn:") else {}),
    }


def _model(finding: Finding) -> dict[str, Any]:
    native, inventory = _types(finding.asset)[2], _inventory(finding)
    arn = inventory.pop("Arn", None)
    own = {"Name": str(finding.asset.name)} | ({"Arn": arn} if arn else {})
    return {
        "id": str(uuid5(NAMESPACE_URL, finding.asset.ids[0])),
        "name": str(finding.asset.name),
        "type": native,
        "asset_unique_id": _unique_id(finding.asset),
        "data": {"Inventory": inventory, native: own},
    }


def _cve(one: Vulnerability) -> dict[str, Any]:
    return {
        "cve_id": one.cve,
        "fixable": bool(one.fixed_version),
        "cvss_score": one.cvss,
        "cvss_source": "NVD v3",
        "cvss_vector": one.vector,
        "exploitable": one.exploit_exists,
        "patched_version": one.fixed_version,
        "affected_packages": [one.package] if one.package else [],
    }


def _findings(finding: Finding) -> dict[str, Any]:
    hashes = [one.value for one in finding.indicators if one.kind == "hash"]
    found: dict[str, Any] = {}
    if hashes:
        found["malware"] = [{"type": "malware", "labels": ["malware_found"], "sha256": one} for one in hashes]
    if finding.vulnerabilities:
        found["cve"] = [_cve(one) for one in finding.vulnerabilities]
    return found


def _state(finding: Finding) -> dict[str, Any]:
    level, orca_score, score, word = _LEVELS[finding.severity]
    changed = _time(finding.times.updated)
    return {
        "alert_id": finding.source_id,
        "created_at": _time(finding.times.happened),
        "last_seen": changed,
        "last_updated": changed,
        "high_since": None,
        "low_since": None,
        "in_verification": False,
        "risk_level": level,
        "orca_score": orca_score,
        "score": score,
        "severity": word,
        "rule_source": "Orca",
        "status": _STATUS[finding.status],
        "status_time": changed,
        "closed_reason": None,
    }


def _alert(finding: Finding) -> dict[str, Any]:
    title, about = str(finding.title), str(finding.description)
    techniques = [f"Technique ({one})" for one in finding.attack]
    return {
        "alert_labels": ["CSPM"] if finding.kind is Kind.MISCONFIGURATION else [],
        "alert_source": "Orca Scan",
        "category": _CATEGORIES[finding.kind],
        "configuration": {},
        "context": "data",
        "data": {"title": title, "details": about, "mitre_technique": techniques, "mitre_techniques": techniques},
        "description": title,
        "details": about,
        "findings": _findings(finding),
        "is_compliance": False,
        "is_rule": True,
        "level": 0,
        "model": _model(finding),
        "organization_id": _ORGANIZATION,
        "organization_name": "Tidewater",
        "recommendation": "",
        "related_compliances": sorted({control.framework for control in finding.controls}),
        "rule_id": f"r{short_hash(finding.rule, length=10)}",
        "source": str(finding.asset.name),
        "state": _state(finding),
        "subject_type": _types(finding.asset)[2],
        "type": finding.rule,
        "type_key": short_hash(finding.rule, finding.asset.ids[0], length=32),
        "type_string": title,
    } | _asset_fields(finding)


def _fields(finding: Finding) -> dict[str, Any]:
    level, orca_score, score, word = _LEVELS[finding.severity]
    vulnerabilities = finding.vulnerabilities
    package = vulnerabilities[0] if vulnerabilities else Vulnerability("")
    return {
        "AlertId": finding.source_id,
        "AlertSource": "Orca Scan",
        "AlertType": finding.rule,
        "Category": _CATEGORIES[finding.kind],
        "CreatedAt": _time(finding.times.happened),
        "LastSeen": _time(finding.times.updated),
        "LastUpdated": _time(finding.times.updated),
        "StatusTime": _time(finding.times.updated),
        "CveIds": [one.cve for one in vulnerabilities],
        "Description": str(finding.title),
        "Details": str(finding.description),
        "IsLive": True,
        "Labels": ["CSPM"] if finding.kind is Kind.MISCONFIGURATION else [],
        "OrcaScore": orca_score,
        "RiskLevel": level,
        "Score": score,
        "Severity": word,
        "RelatedCompliances": sorted({control.framework for control in finding.controls}),
        "RiskFindings": {
            "cves": {"total_cves": len(vulnerabilities), "top_cves": [_cve(one) for one in vulnerabilities]},
            "package": {"package_name": package.package, "installed_version": package.version},
        },
        "RuleId": f"r{short_hash(finding.rule, length=10)}",
        "RuleSource": "Orca",
        "Source": str(finding.asset.name),
        "Status": _STATUS[finding.status],
        "Title": str(finding.title),
    }


def _served(finding: Finding) -> dict[str, Any]:
    fields = _fields(finding) | {"AssetData": _asset_fields(finding)}
    return {
        "id": str(uuid5(NAMESPACE_URL, finding.source_id)),
        "type": "Alert",
        "name": finding.source_id,
        "data": {name: {"value": value} for name, value in fields.items()},
        "Inventory": _inventory(finding),
        "group_unique_id": _unique_id(finding.asset),
        "cluster_unique_id": _unique_id(finding.asset),
        "last_seen": _time(finding.times.updated),
    }


def _row(finding: Finding) -> dict[str, Any]:
    account = {"Name": finding.asset.account, "CloudProvider": finding.asset.provider}
    return _fields(finding) | {"CloudAccount": account, "Inventory": _inventory(finding)}


class OrcaSimulator:
    """Orca, as a writer of payloads. It has no id for a vulnerability row, so a vulnerability is written as its alert."""

    speaks = frozenset(_CATEGORIES)

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        alert = _alert(finding)
        return [alert, {"version": "1.0", "data": alert}, _served(finding), _row(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return {
            "version": "0.1.0",
            "status": "success",
            "total_items": len(payloads),
            "total_ungrouped_items": len(payloads),
            "total_supported_items": 10_000,
            "has_next_page_token": False,
            "data": list(payloads),
        }

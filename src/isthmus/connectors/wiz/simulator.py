"""Wiz, writing findings down: issue nodes and webhooks, Defend detections, vulnerability and configuration findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Status

_TYPES = {
    AssetKind.INSTANCE: "VIRTUAL_MACHINE",
    AssetKind.BUCKET: "BUCKET",
    AssetKind.ROLE: "ACCESS_ROLE",
    AssetKind.USER: "USER_ACCOUNT",
    AssetKind.ACCESS_KEY: "ACCESS_KEY",
    AssetKind.SERVICE_ACCOUNT: "SERVICE_ACCOUNT",
    AssetKind.CONTAINER: "CONTAINER",
    AssetKind.POD: "POD",
    AssetKind.IMAGE: "CONTAINER_IMAGE",
    AssetKind.FUNCTION: "SERVERLESS",
    AssetKind.DATABASE: "DB_SERVER",
    AssetKind.SECURITY_GROUP: "SECURITY_GROUP",
    AssetKind.CLUSTER: "KUBERNETES_CLUSTER",
    AssetKind.ACCOUNT: "SUBSCRIPTION",
    AssetKind.REPOSITORY: "REPOSITORY",
    AssetKind.LOAD_BALANCER: "LOAD_BALANCER",
}
_STATUS = {Status.NEW: "OPEN", Status.IN_PROGRESS: "IN_PROGRESS", Status.SUPPRESSED: "REJECTED", Status.RESOLVED: "RESOLVED"}
_ISSUE_TYPE = {Kind.TOXIC_COMBINATION: "TOXIC_COMBINATION", Kind.MISCONFIGURATION: "CLOUD_CONFIGURATION"}


def _vertex(asset: Asset) -> str:
    return str(uuid5(NAMESPACE_URL, asset.ids[0]))


def _time(moment: Any) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _snapshot(asset: Asset) -> dict[str, Any]:
    return {
        "id": _vertex(asset),
        "type": _TYPES.get(asset.kind, "CLOUD_RESOURCE"),
        "nativeType": asset.kind.value,
        "name": str(asset.name),
        "cloudPlatform": asset.provider.upper(),
        "providerId": asset.ids[0],
        "externalId": asset.ids[0],
        "region": asset.region,
        "subscriptionExternalId": asset.account,
        "tags": {name: str(value) for name, value in asset.tags},
    }


def _risks(finding: Finding) -> list[str]:
    said = {"EXTERNAL_EXPOSURE": finding.internet, "SENSITIVE_DATA": finding.sensitive, "HIGH_PRIVILEGE": finding.privileged}
    return [risk for risk, holds in said.items() if holds]


def _sub_categories(finding: Finding) -> list[dict[str, Any]]:
    rows = [(control.framework, control.requirement) for control in finding.controls]
    rows += [("MITRE ATT&CK Matrix", technique) for technique in finding.attack]
    return [{"title": title, "category": {"name": title, "framework": {"name": framework}}} for framework, title in rows]


def _issue(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.source_id,
        "type": _ISSUE_TYPE[finding.kind],
        "sourceRule": {
            "__typename": "CloudConfigurationRule" if finding.kind is Kind.MISCONFIGURATION else "Control",
            "id": finding.rule,
            "name": str(finding.title),
            "controlDescription": str(finding.description),
            "risks": _risks(finding),
            "securitySubCategories": _sub_categories(finding),
        },
        "createdAt": _time(finding.times.happened),
        "updatedAt": _time(finding.times.updated),
        "statusChangedAt": _time(finding.times.updated),
        "status": _STATUS[finding.status],
        "severity": finding.severity.name,
        "entitySnapshot": _snapshot(finding.asset),
        "projects": None,
        "notes": [],
    }


def _issue_webhook(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    return {
        "trigger": {"source": "ISSUE", "type": "Created", "ruleId": "automation-1", "ruleName": "to-isthmus"},
        "issue": {
            "id": finding.source_id,
            "status": _STATUS[finding.status],
            "severity": finding.severity.name,
            "created": str(_time(finding.times.happened)).replace("T", " ").rstrip("Z"),
            "projects": "",
        },
        "resource": {
            "id": asset.ids[0],
            "name": str(asset.name),
            "type": _TYPES.get(asset.kind, "CLOUD_RESOURCE"),
            "nativeType": asset.kind.value,
            "cloudPlatform": asset.provider.upper(),
            "subscriptionId": asset.account,
            "region": asset.region,
            "status": "Active",
            "cloudProviderURL": "",
        },
        "control": {
            "id": finding.rule,
            "name": str(finding.title),
            "description": str(finding.description),
            "severity": finding.severity.name,
            "risks": _risks(finding),
        },
    }


def _detection(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    ips = [one.value for one in finding.indicators if one.kind == "ip"]
    commands = [one.value for one in finding.indicators if one.kind == "process"]
    actors = [_snapshot(tie.asset) for tie in finding.ties if tie.how == "actor"]
    events = [{"actorIP": ip, "timestamp": _time(finding.times.happened)} for ip in ips]
    events += [{"commandLine": command, "timestamp": _time(finding.times.happened)} for command in commands]
    return {
        "id": finding.source_id,
        "type": "GENERATED_THREAT",
        "createdAt": _time(finding.times.happened),
        "updatedAt": _time(finding.times.updated),
        "severity": finding.severity.name,
        "description": str(finding.description),
        "cloudAccounts": [{"externalId": asset.account, "cloudProvider": asset.provider.upper()}],
        "primaryResource": _snapshot(asset),
        "resources": [_snapshot(asset)] + [_snapshot(tie.asset) for tie in finding.ties if tie.how == "touches"],
        "primaryActor": actors[0] if actors else None,
        "actors": actors,
        "triggeringEvents": {"nodes": events},
        "ruleMatch": {
            "rule": {"id": finding.rule, "name": str(finding.title), "securitySubCategories": _sub_categories(finding)}
        },
    }


def _detection_webhook(finding: Finding) -> dict[str, Any]:
    sent = _detection(finding)
    sent["triggeringEvents"] = sent["triggeringEvents"]["nodes"]
    del sent["ruleMatch"]
    return sent | {
        "title": str(finding.title),
        "tdrId": finding.rule,
        "trigger": {"source": "DETECTIONS", "type": "Created"},
        "mitreTechniques": [f"TA0000-{technique}" for technique in finding.attack],
    }


def _vulnerability(finding: Finding) -> dict[str, Any]:
    one = finding.vulnerabilities[0]
    return {
        "id": finding.source_id,
        "name": one.cve,
        "detailedName": one.package,
        "version": one.version,
        "fixedVersion": one.fixed_version,
        "CVEDescription": str(finding.description),
        "severity": finding.severity.name,
        "score": one.cvss,
        "epssProbability": one.epss,
        "hasExploit": one.exploit_exists,
        "hasCisaKevExploit": one.exploited,
        "status": _STATUS[finding.status],
        "firstDetectedAt": _time(finding.times.happened),
        "lastDetectedAt": _time(finding.times.updated),
        "vulnerableAsset": _snapshot(finding.asset)
        | {
            "providerUniqueId": finding.asset.ids[0],
            "hasWideInternetExposure": finding.internet,
            "hasLimitedInternetExposure": None,
        },
    }


class WizSimulator:
    """Wiz, as a writer of payloads."""

    speaks = frozenset({Kind.TOXIC_COMBINATION, Kind.MISCONFIGURATION, Kind.THREAT, Kind.VULNERABILITY})

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        if finding.kind is Kind.THREAT:
            return [_detection(finding), _detection_webhook(finding)]
        if finding.kind is Kind.VULNERABILITY:
            return [_vulnerability(finding)]
        if finding.kind is Kind.TOXIC_COMBINATION:
            return [_issue(finding), _issue_webhook(finding)]
        return [_issue(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return {"data": {"issues": {"nodes": list(payloads), "pageInfo": {"hasNextPage": False, "endCursor": None}}}}

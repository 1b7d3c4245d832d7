"""Microsoft Defender for Cloud, writing findings down: alerts in three forms, recommendations, and what is found below them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Severity, Status

_HOME = "/subscriptions/6f1d2c3b-4a59-4868-8776-95a4b3c2d1e0"
_CONNECTOR = f"{_HOME}/resourceGroups/security/providers/Microsoft.Security/securityConnectors"
_TENANT = "0d9c8b7a-6f5e-4d3c-8b2a-190807f6e5d4"
_SEVERITIES = {
    Severity.CRITICAL: "High",
    Severity.HIGH: "High",
    Severity.MEDIUM: "Medium",
    Severity.LOW: "Low",
    Severity.INFORMATIONAL: "Informational",
}
_ALERT_STATUS = {Status.NEW: "Active", Status.IN_PROGRESS: "InProgress", Status.RESOLVED: "Resolved"}
_ROW_STATUS = {Status.NEW: "New", Status.IN_PROGRESS: "InProgress", Status.RESOLVED: "Resolved"}
_CODES = {Status.RESOLVED: "Healthy", Status.SUPPRESSED: "NotApplicable"}
_AWS_TYPES = {
    AssetKind.INSTANCE: "ec2.instance",
    AssetKind.BUCKET: "s3.bucket",
    AssetKind.ROLE: "iam.role",
    AssetKind.USER: "iam.user",
    AssetKind.SECURITY_GROUP: "ec2.securitygroup",
    AssetKind.ACCESS_KEY: "iam.accesskey",
    AssetKind.CLUSTER: "eks.cluster",
    AssetKind.DATABASE: "rds.dbinstance",
}


def _time(moment: Any) -> str | None:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "0Z") if moment else None


def _filed(asset: Asset) -> str:
    """The Azure id something is filed under; a connected cloud's resource is an entry of its connector."""
    if asset.provider == "azure":
        return asset.ids[0]
    if asset.kind is AssetKind.POD:
        cluster = asset.ids[0].removeprefix("k8s:").partition("/")[0]
        group = f"/subscriptions/{asset.account}/resourceGroups/prod"
        return f"{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}"
    entry = asset.ids[0].rpartition(":")[2].replace("/", "-").lower()
    return f"{_CONNECTOR}/tidewater-{asset.provider or 'other'}/securityentitydata/{asset.provider}-{entry}"


def _pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: _pascal(one) for name, one in value.items()}
    return [_pascal(one) for one in value] if isinstance(value, list) else value


def _entities(finding: Finding) -> list[dict[str, Any]]:
    asset, seen = finding.asset, finding.indicators
    found: list[dict[str, Any]] = [{"address": one.value, "type": "ip"} for one in seen if one.kind == "ip"]
    found += [{"processId": "0x1e49a", "commandLine": one.value, "type": "process"} for one in seen if one.kind == "process"]
    found += [{"domainName": one.value, "type": "dns"} for one in seen if one.kind == "domain"]
    people = [tie.asset for tie in finding.ties if tie.how == "actor" and tie.asset.kind is AssetKind.USER]
    found += [{"name": str(one.name), "aadUserId": one.ids[0], "type": "account"} for one in people]
    if asset.provider == "aws":
        kind = _AWS_TYPES.get(asset.kind, asset.kind.value)
        found.append(
            {
                "amazonResourceId": asset.ids[0],
                "amazonAccountId": asset.account,
                "resourceType": kind,
                "resourceName": str(asset.name),
                "type": "amazon-resource",
            }
        )
    elif asset.kind is AssetKind.POD:
        _, namespace, name = asset.ids[0].split("/", 2)
        found.append({"name": name, "namespace": {"name": namespace}, "type": "K8s-pod"})
    elif asset.provider == "gcp":
        own = {"projectId": asset.account, "resourceName": str(asset.name), "location": asset.region}
        found.append(own | {"relatedAzureResourceIds": [_filed(asset)], "type": "gcp-resource"})
    elif asset.kind is AssetKind.INSTANCE:
        found.append({"hostName": str(asset.name), "azureID": asset.ids[0], "osFamily": "Linux", "type": "host"})
    return [{"$id": str(at + 4)} | one for at, one in enumerate(found)]


def _properties(finding: Finding) -> dict[str, Any]:
    moment = _time(finding.times.happened)
    return {
        "version": "2022-01-01",
        "alertType": finding.rule,
        "systemAlertId": finding.source_id,
        "productComponentName": "Servers",
        "alertDisplayName": str(finding.title),
        "description": str(finding.description),
        "severity": _SEVERITIES.get(finding.severity, ""),
        "intent": "Execution",
        "startTimeUtc": moment,
        "endTimeUtc": moment,
        "resourceIdentifiers": [
            {"$id": "2", "azureResourceId": _filed(finding.asset), "type": "AzureResource"},
            {"$id": "3", "aadTenantId": _TENANT, "type": "AAD"},
        ],
        "remediationSteps": ["Look at the process and the address it talks to."],
        "vendorName": "Microsoft",
        "status": _ALERT_STATUS.get(finding.status, "Dismissed"),
        "extendedLinks": None,
        "alertUri": finding.link or f"https://portal.azure.com/#blade/Microsoft_Azure_Security/AlertBlade/{finding.source_id}",
        "timeGeneratedUtc": _time(finding.times.updated),
        "productName": "Microsoft Defender for Cloud",
        "processingEndTimeUtc": _time(finding.times.updated),
        "entities": _entities(finding),
        "isIncident": False,
        "correlationKey": None,
        "extendedProperties": {"resourceType": "Virtual Machine" if finding.asset.kind is AssetKind.INSTANCE else ""},
        "compromisedEntity": str(finding.asset.name),
        "techniques": [one for one in finding.attack if "." not in one],
        "subTechniques": [one for one in finding.attack if "." in one],
    }


def _alert(finding: Finding) -> dict[str, Any]:
    return {
        "id": f"{_HOME}/resourceGroups/prod/providers/Microsoft.Security/locations/westeurope/alerts/{finding.source_id}",
        "name": finding.source_id,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": _properties(finding),
    }


def _exported(finding: Finding) -> dict[str, Any]:
    flat: dict[str, Any] = _pascal(_properties(finding))
    flat |= {"AzureResourceId": _filed(finding.asset), "TimeGenerated": flat.pop("TimeGeneratedUtc")}
    return flat | {"ProcessingEndTime": flat.pop("ProcessingEndTimeUtc"), "WorkspaceId": None, "AgentId": None}


def _sentinel(finding: Finding) -> dict[str, Any]:
    flat = _pascal(_properties(finding))
    return {
        "TenantId": _TENANT,
        "TimeGenerated": flat["TimeGeneratedUtc"],
        "DisplayName": flat["AlertDisplayName"],
        "AlertName": flat["AlertDisplayName"],
        "AlertSeverity": flat["Severity"],
        "Description": flat["Description"],
        "ProviderName": "Azure Security Center",
        "VendorName": "Microsoft",
        "VendorOriginalId": finding.source_id,
        "SystemAlertId": str(uuid5(NAMESPACE_URL, finding.source_id)),
        "ResourceId": _filed(finding.asset),
        "AlertType": finding.rule,
        "IsIncident": False,
        "StartTime": flat["StartTimeUtc"],
        "EndTime": flat["EndTimeUtc"],
        "ProcessingEndTime": flat["ProcessingEndTimeUtc"],
        "RemediationSteps": json.dumps(flat["RemediationSteps"]),
        "ExtendedProperties": json.dumps(flat["ExtendedProperties"]),
        "Entities": json.dumps(flat["Entities"]),
        "SourceSystem": "Detection",
        "ProductName": "Azure Security Center",
        "ProductComponentName": "Servers",
        "AlertLink": flat["AlertUri"],
        "Status": _ROW_STATUS.get(finding.status, "Dismissed"),
        "CompromisedEntity": flat["CompromisedEntity"],
        "Tactics": "Execution",
        "Techniques": json.dumps(flat["Techniques"]),
        "SubTechniques": json.dumps(flat["SubTechniques"]),
        "Type": "SecurityAlert",
    }


def _details(asset: Asset) -> dict[str, Any]:
    said = {"ResourceName": str(asset.name), "ResourceType": _AWS_TYPES.get(asset.kind, asset.kind.value)}
    native = {"NativeResourceId": asset.ids[0], "source": asset.provider.capitalize() or "Azure", "id": _filed(asset)}
    return said | native


def _assessment_id(finding: Finding) -> str:
    return f"{_filed(finding.asset)}/providers/Microsoft.Security/assessments/{finding.rule or finding.source_id}"


def _assessment(finding: Finding) -> dict[str, Any]:
    return {
        "type": "Microsoft.Security/assessments",
        "id": _assessment_id(finding),
        "name": finding.rule or finding.source_id,
        "properties": {
            "resourceDetails": _details(finding.asset),
            "displayName": str(finding.title),
            "status": {
                "code": _CODES.get(finding.status, "Unhealthy"),
                "firstEvaluationDate": _time(finding.times.happened),
                "statusChangeDate": _time(finding.times.updated),
            },
            "additionalData": {},
            "metadata": {
                "displayName": str(finding.title),
                "assessmentType": "BuiltIn",
                "description": str(finding.description),
                "remediationDescription": "Follow the steps of the recommendation.",
                "categories": ["Compute"],
                "severity": _SEVERITIES.get(finding.severity, ""),
                "userImpact": "Low",
                "implementationEffort": "Low",
                "threats": ["AccountBreach"],
            },
            "links": {"azurePortal": "portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade"},
        },
    }


def _row(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    return {
        "exportedTimestamp": _time(finding.times.updated),
        "subscriptionId": asset.account if asset.provider == "azure" else _HOME.rpartition("/")[2],
        "subscriptionName": "tidewater-prod",
        "resourceGroup": "prod",
        "resourceType": _AWS_TYPES.get(asset.kind, asset.kind.value),
        "resourceName": str(asset.name),
        "resourceId": _filed(asset),
        "recommendationId": _assessment_id(finding),
        "recommendationName": finding.rule or finding.source_id,
        "recommendationDisplayName": str(finding.title),
        "description": str(finding.description),
        "remediationSteps": "Follow the steps of the recommendation.",
        "severity": _SEVERITIES.get(finding.severity, ""),
        "state": _CODES.get(finding.status, "Unhealthy"),
        "notApplicableReason": "",
        "firstEvaluationDate": _time(finding.times.happened),
        "statusChangeDate": _time(finding.times.updated),
        "controls": "",
        "azurePortalRecommendationLink": "",
        "nativeCloudAccountId": "" if asset.provider == "azure" else asset.account,
    }


def _sub_assessment(finding: Finding) -> dict[str, Any]:
    one = finding.vulnerabilities[0]
    key = "ffff0522-1e88-47fc-8382-2a80ba848f5d"
    own = finding.source_id.rpartition("/")[2]
    return {
        "type": "Microsoft.Security/assessments/subAssessments",
        "id": f"{_filed(finding.asset)}/providers/Microsoft.Security/assessments/{key}/subAssessments/{own}",
        "name": own,
        "properties": {
            "id": one.cve,
            "displayName": one.cve,
            "status": {
                "code": _CODES.get(finding.status, "Unhealthy"),
                "severity": _SEVERITIES.get(finding.severity, ""),
            },
            "remediation": f"Update {one.package}.",
            "category": "",
            "description": str(finding.description),
            "timeGenerated": _time(finding.times.updated),
            "resourceDetails": _details(finding.asset),
            "additionalData": {
                "assessedResourceType": "ServerVulnerabilityTvm",
                "softwareDetails": {
                    "packageName": one.package,
                    "version": one.version,
                    "fixedVersion": one.fixed_version,
                    "fixStatus": "FixAvailable" if one.fixed_version else "NoFixAvailable",
                },
                "vulnerabilityDetails": {
                    "cveId": one.cve,
                    "cvss": {"3.0": {"base": one.cvss, "cvssVectorString": one.vector}},
                    "exploitabilityAssessment": {"isVerified": False, "isInExploitKit": one.exploit_exists},
                },
            },
        },
    }


class DefenderSimulator:
    """Microsoft Defender for Cloud, as a writer of payloads."""

    speaks = frozenset({Kind.THREAT, Kind.MISCONFIGURATION, Kind.VULNERABILITY})

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        if finding.kind is Kind.THREAT:
            return [_alert(finding), _exported(finding), _sentinel(finding)]
        if finding.kind is Kind.VULNERABILITY:
            return [_sub_assessment(finding), _pascal(_sub_assessment(finding))]
        # A row has no field for a connected cloud's own id, so it can say all of a finding only in Azure.
        return [_assessment(finding), _row(finding)] if finding.asset.provider == "azure" else [_assessment(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return {"value": list(payloads), "nextLink": None}

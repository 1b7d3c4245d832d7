"""Prisma Cloud, writing findings down: CSPM alerts by API and webhook; what Compute sees is written next door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from isthmus.connectors.prisma.simulator_compute import runtime_audit, scan, speaks_of, tied
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind, short_hash
from isthmus.model.severity import Status

_TYPES = {
    Kind.MISCONFIGURATION: "config",
    Kind.IDENTITY: "iam",
    Kind.TOXIC_COMBINATION: "attack_path",
    Kind.THREAT: "anomaly",
    Kind.VULNERABILITY: "workload_vulnerability",
}
_SUBTYPES = {
    "config": "run",
    "iam": "permissions",
    "attack_path": "misconfig",
    "anomaly": "ueba",
    "workload_vulnerability": "host",
}
_STATUS = {
    Status.NEW: "open",
    Status.IN_PROGRESS: "pending_resolution",
    Status.SUPPRESSED: "dismissed",
    Status.RESOLVED: "resolved",
}
_REASON = {
    Status.NEW: "NEW_ALERT",
    Status.IN_PROGRESS: "RESOURCE_UPDATED",
    Status.SUPPRESSED: "USER_DISMISSED",
    Status.RESOLVED: "RESOURCE_UPDATED",
}
_RESOURCES = {
    AssetKind.INSTANCE: ("INSTANCE", "Amazon EC2", "aws-ec2-describe-instances"),
    AssetKind.BUCKET: ("STORAGE_BUCKET", "Amazon S3", "aws-s3api-get-bucket-acl"),
    AssetKind.SECURITY_GROUP: ("SECURITY_GROUP", "Amazon VPC", "aws-ec2-describe-security-groups"),
    AssetKind.ROLE: ("IAM_ROLE", "AWS IAM", "aws-iam-list-roles"),
    AssetKind.USER: ("IAM_USER", "AWS IAM", "aws-iam-list-users"),
    AssetKind.ACCESS_KEY: ("ACCESS_KEY", "AWS IAM", "aws-iam-list-access-keys"),
    AssetKind.DATABASE: ("DATABASE", "Amazon RDS", "aws-rds-describe-db-instances"),
    AssetKind.FUNCTION: ("FUNCTION", "AWS Lambda", "aws-lambda-list-functions"),
    AssetKind.CLUSTER: ("CLUSTER", "Amazon EKS", "aws-eks-describe-cluster"),
}


def _ms(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def _compliance(finding: Finding) -> list[dict[str, Any]]:
    rows = [(control.framework, control.requirement, control.requirement) for control in finding.controls]
    rows += [("MITRE ATT&CK v13.1", technique, "MITRE ATT&CK") for technique in finding.attack]
    return [
        {
            "standardName": standard,
            "standardDescription": standard,
            "requirementId": section.split(".")[0],
            "requirementName": section,
            "sectionId": section,
            "sectionDescription": f"{standard} {section}",
            "policyId": finding.rule,
            "complianceId": short_hash(standard, section, length=32),
            "sectionLabel": label,
            "sectionViewOrder": order,
            "requirementViewOrder": 1,
            "systemDefault": True,
            "customAssigned": False,
        }
        for order, (standard, section, label) in enumerate(rows, start=1)
    ]


def _resource_id(asset: Asset) -> str:
    """The id as Prisma has it: an EC2 instance without the ARN around its id."""
    own = asset.ids[0]
    return own.rpartition("/")[2] if own.startswith("arn:aws:ec2:") and asset.kind is AssetKind.INSTANCE else own


def _event(finding: Finding) -> dict[str, Any]:
    """The audited event of an anomaly, in the cloud's own words."""
    one = {indicator.kind: indicator.value for indicator in finding.indicators}
    actor = tied(finding, "actor") or finding.asset
    return {
        "eventVersion": "1.08",
        "eventTime": finding.times.happened.isoformat() if finding.times.happened else None,
        "eventName": one.get("api"),
        "sourceIPAddress": one.get("ip"),
        "userAgent": one.get("user_agent"),
        "userIdentity": {"arn": actor.ids[0], "accountId": actor.account, "accessKeyId": one.get("access_key")},
    }


def _configuration(finding: Finding) -> dict[str, Any]:
    """What the cloud says of the resource, cut to what a finding knows."""
    asset, role = finding.asset, tied(finding, "acts_as")
    groups = [tie.asset for tie in finding.ties if tie.how == "guarded_by" and tie.asset.ids]
    data: dict[str, Any] = {"region": asset.region, "ownerId": asset.account, "tags": []}
    if asset.kind is AssetKind.INSTANCE:
        data |= {"instanceId": _resource_id(asset), "state": {"code": 16, "name": "running"}}
        data["iamInstanceProfile"] = {"arn": role.ids[0], "id": short_hash(role.ids[0]).upper()} if role else None
        data["securityGroups"] = [
            {"groupId": group.ids[0].rpartition("/")[2], "groupName": str(group.name)} for group in groups
        ]
    return data


def _resource(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    own, short = _resource_id(asset), short_hash(*asset.ids, length=40)
    resource_type, service, api_name = _RESOURCES.get(asset.kind, (asset.kind.value.upper(), asset.kind.value, ""))
    return {
        "rrn": f"rrn:{asset.provider}:{resource_type.lower()}:{asset.region}:{asset.account}:{short}:{own}",
        "id": own,
        "name": str(asset.name) or own,
        "account": f"{asset.provider}-{asset.account}",
        "accountId": asset.account,
        "cloudAccountGroups": ["Default Account Group"],
        "region": f"{asset.provider.upper()} {asset.region}",
        "regionId": asset.region,
        "resourceType": resource_type,
        "resourceApiName": api_name if asset.provider == "aws" else "",
        "cloudServiceName": service,
        "data": _event(finding) if finding.kind is Kind.THREAT else _configuration(finding),
        "additionalInfo": {},
        "cloudType": asset.provider,
        "resourceTs": _ms(finding.times.updated),
        "resourceTags": {name: str(value) for name, value in asset.tags},
        "unifiedAssetId": short[:32],
        "resourceConfigJsonAvailable": True,
        "resourceDetailsAvailable": True,
    }


def _policy(finding: Finding) -> dict[str, Any]:
    policy_type = _TYPES[finding.kind]
    flags = {"internet_exposure": finding.internet, "sensitive_data_exposure": finding.sensitive}
    labels = ["Prisma_Cloud", "Attack Path Rule"] if finding.kind is Kind.TOXIC_COMBINATION else ["Prisma_Cloud"]
    return {
        "policyId": finding.rule,
        "name": str(finding.title),
        "policyType": policy_type,
        "policySubTypes": [_SUBTYPES[policy_type], *(name for name, holds in flags.items() if holds)],
        "systemDefault": True,
        "description": str(finding.description),
        "severity": finding.severity.word,
        "recommendation": "Follow the steps of the policy in Prisma Cloud.",
        "complianceMetadata": _compliance(finding),
        "labels": labels,
        "lastModifiedOn": _ms(finding.times.happened),
        "lastModifiedBy": "template@redlock.io",
        "deleted": False,
        "findingTypes": [],
        "remediable": False,
    }


def _alert(finding: Finding) -> dict[str, Any]:
    """An item of `v2/alert?detailed=true`."""
    opened, changed, reason = _ms(finding.times.happened), _ms(finding.times.updated), _REASON[finding.status]
    return {
        "id": finding.source_id,
        "status": _STATUS[finding.status],
        "reason": reason,
        "firstSeen": opened,
        "lastSeen": changed,
        "alertTime": opened,
        "lastUpdated": changed,
        "policyId": finding.rule,
        "saveSearchId": short_hash(finding.rule, length=32),
        "metadata": {"saveSearchId": short_hash(finding.rule, length=32)},
        "policy": _policy(finding),
        "alertRules": [],
        "history": [{"modifiedBy": "Prisma Cloud", "modifiedOn": changed, "status": _STATUS[finding.status], "reason": reason}],
        "networkAnomaly": False,
        "resource": _resource(finding),
        "alertAdditionalInfo": {"scannerVersion": "CS_2.0"},
        "investigateOptions": {"alertId": finding.source_id},
    }


def _webhook(finding: Finding) -> dict[str, Any]:
    """An element of the webhook's array: the same alert, flat. It carries no policy subtypes, so it says less."""
    alert = _alert(finding)
    policy, resource = alert["policy"], alert["resource"]
    return {
        "alertId": alert["id"],
        "alertStatus": alert["status"],
        "reason": alert["reason"],
        "alertTs": alert["alertTime"],
        "firstSeen": alert["firstSeen"],
        "lastSeen": alert["lastSeen"],
        "alertRuleId": "2d7f1c9e-52c1-4a43-9f0e-6b1f0a9d3c10",
        "alertRuleName": "to-isthmus",
        "severity": policy["severity"],
        "policyId": policy["policyId"],
        "policyName": policy["name"],
        "policyType": policy["policyType"],
        "policyDescription": policy["description"],
        "policyRecommendation": policy["recommendation"],
        "policyLabels": policy["labels"],
        "complianceMetadata": policy["complianceMetadata"],
        "resourceId": resource["id"],
        "resourceName": resource["name"],
        "resourceType": resource["resourceType"],
        "resourceRegion": resource["region"],
        "resourceRegionId": resource["regionId"],
        "resourceCloudService": resource["cloudServiceName"],
        "resource": resource,
        "accountId": resource["accountId"],
        "accountName": resource["account"],
        "cloudType": resource["cloudType"],
        "hasFinding": False,
        "source": "Prisma Cloud",
        "callbackUrl": f"https://app.prismacloud.io/alerts/overview?viewId=default&alertId={alert['id']}",
        "sentTs": alert["lastUpdated"],
    }


def _in_compute(finding: Finding) -> bool:
    """Threats of what a Defender watches, vulnerabilities of what Compute scans; CSPM tells the rest."""
    if finding.kind is Kind.VULNERABILITY:
        return finding.asset.kind in (AssetKind.IMAGE, AssetKind.INSTANCE)
    return finding.kind is Kind.THREAT and speaks_of(finding.asset)


class PrismaSimulator:
    """Prisma Cloud, as a writer of payloads."""

    speaks = frozenset(_TYPES)

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        if _in_compute(finding):
            return [scan(finding) if finding.kind is Kind.VULNERABILITY else runtime_audit(finding)]
        return [_alert(finding), _webhook(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        """A page of `v2/alert`; Compute answers with a bare list."""
        if all("policy" in one for one in payloads):
            return {"totalRows": len(payloads), "items": list(payloads), "nextPageToken": "", "dynamicColumns": []}
        return list(payloads)

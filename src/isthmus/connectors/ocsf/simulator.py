"""Producers of OCSF, writing findings down: Prowler's posture (OCSF and CSV), Security Hub v2's threats and flaws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Indicator, Kind, Vulnerability, short_hash
from isthmus.model.severity import Severity, Status

_CFN = {
    AssetKind.INSTANCE: "AWS::EC2::Instance",
    AssetKind.BUCKET: "AWS::S3::Bucket",
    AssetKind.ROLE: "AWS::IAM::Role",
    AssetKind.USER: "AWS::IAM::User",
    AssetKind.ACCESS_KEY: "AWS::IAM::AccessKey",
    AssetKind.FUNCTION: "AWS::Lambda::Function",
    AssetKind.IMAGE: "AWS::ECR::ContainerImage",
    AssetKind.DATABASE: "AWS::RDS::DBInstance",
    AssetKind.CLUSTER: "AWS::EKS::Cluster",
    AssetKind.SECURITY_GROUP: "AWS::EC2::SecurityGroup",
    AssetKind.ACCOUNT: "AWS::::Account",
}
_SEVERITY = {
    Severity.INFORMATIONAL: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
    Severity.UNKNOWN: (0, "Unknown"),
}
_STATUS = {
    Status.NEW: (1, "New"),
    Status.IN_PROGRESS: (2, "In Progress"),
    Status.SUPPRESSED: (3, "Suppressed"),
    Status.RESOLVED: (4, "Resolved"),
}
_CLASSES = {2002: "Vulnerability Finding", 2003: "Compliance Finding", 2004: "Detection Finding"}
_ACCOUNT_TYPES = {"aws": ("AWS Account", 10), "gcp": ("GCP Account", 5), "azure": ("Azure AD Account", 6)}
_ADVICE = "Bring the resource to the state that the check asks for."


def _epoch(moment: datetime | None, scale: int) -> int:
    return int(moment.timestamp() * scale) if moment else 0


def _times(name: str, moment: datetime | None, scale: int = 1000) -> dict[str, Any]:
    return {name: _epoch(moment, scale), f"{name}_dt": moment.isoformat()} if moment else {}


def _account(asset: Asset) -> dict[str, Any]:
    label, number = _ACCOUNT_TYPES.get(asset.provider, ("Other", 99))
    return {"uid": asset.account, "name": "", "type": label, "type_id": number, "labels": []}


def _cloud(asset: Asset, provider: str) -> dict[str, Any]:
    return {"account": _account(asset), "org": {"name": "", "uid": ""}, "provider": provider, "region": asset.region}


def _head(finding: Finding, class_uid: int, activity: str) -> dict[str, Any]:
    severity_id, severity = _SEVERITY[finding.severity]
    status_id, status = _STATUS[finding.status]
    number = {"Create": 1, "Update": 2}[activity]
    return {
        "activity_id": number,
        "activity_name": activity,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": _CLASSES[class_uid],
        "class_uid": class_uid,
        "type_name": f"{_CLASSES[class_uid]}: {activity}",
        "type_uid": class_uid * 100 + number,
        "severity": severity,
        "severity_id": severity_id,
        "status": status,
        "status_id": status_id,
    }


def _posture_info(finding: Finding) -> dict[str, Any]:
    return {
        **_times("created_time", finding.times.updated, 1),
        "desc": f"Checks {finding.rule}.",
        "title": str(finding.title),
        "types": [],
        "uid": finding.source_id,
    }


def _posture_resource(asset: Asset) -> dict[str, Any]:
    return {
        "cloud_partition": "aws" if asset.provider == "aws" else None,
        "region": asset.region,
        "data": {"details": "", "metadata": {}},
        "group": {"name": asset.kind.value},
        "labels": [f"{name}:{value}" for name, value in asset.tags],
        "name": str(asset.name),
        "type": asset.kind.value,
        "uid": asset.ids[0],
    }


def _frameworks(finding: Finding) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"MITRE-ATTACK": list(finding.attack)} if finding.attack else {}
    for one in finding.controls:
        found.setdefault(one.framework, []).append(one.requirement)
    return found


def _prowler(finding: Finding) -> dict[str, Any]:
    """Prowler's posture: a Detection Finding whose status code is the result of the check; `New` even when it passed."""
    head = _head(finding, 2004, "Create")
    if finding.status is not Status.SUPPRESSED:
        head |= {"status": "New", "status_id": 1}
    product = {"name": "Prowler", "uid": "prowler", "vendor_name": "Prowler", "version": "5.4.0"}
    return {
        "message": str(finding.description),
        "metadata": {"event_code": finding.rule, "product": product, "profiles": ["cloud"], "version": "1.4.0"},
        **head,
        "status_code": "PASS" if finding.status is Status.RESOLVED else "FAIL",
        "status_detail": str(finding.description),
        "unmapped": {
            "related_url": "",
            "categories": ["internet-exposed"] if finding.internet else [],
            "depends_on": [],
            "related_to": [],
            "notes": "",
            "compliance": _frameworks(finding),
        },
        "finding_info": _posture_info(finding) | {"product_uid": "prowler"},
        "resources": [_posture_resource(finding.asset)],
        "cloud": _cloud(finding.asset, finding.asset.provider),
        "remediation": {"desc": _ADVICE, "references": ["https://docs.prowler.com"]},
        **_times("time", finding.times.updated, 1),
    }


def _compliance(finding: Finding) -> dict[str, Any]:
    """The same check as a producer that follows the class OCSF has for it."""
    resolved = finding.status is Status.RESOLVED
    return {
        "metadata": {
            "event_code": finding.rule,
            "product": {"name": "Tidewater Posture", "vendor_name": "Tidewater", "version": "3.2"},
            "profiles": ["cloud", "datetime"],
            "version": "1.5.0",
        },
        **_head(finding, 2003, "Update"),
        "compliance": {
            "control": finding.rule,
            "desc": str(finding.description),
            "requirements": [f"{one.framework}/{one.requirement}" for one in finding.controls],
            "status": "Pass" if resolved else "Fail",
            "status_id": 1 if resolved else 3,
        },
        "finding_info": _posture_info(finding),
        "resources": [_posture_resource(finding.asset)],
        "cloud": _cloud(finding.asset, finding.asset.provider),
        "remediation": {"desc": _ADVICE},
        "unmapped": {"categories": ["internet-exposed"] if finding.internet else []},
        **_times("time", finding.times.updated),
    }


def _row(finding: Finding) -> dict[str, Any]:
    """The row of Prowler's CSV."""
    asset, seen = finding.asset, finding.times.updated
    compliance = " | ".join(f"{name}: {', '.join(listed)}" for name, listed in _frameworks(finding).items())
    row = dict.fromkeys(("AUTH_METHOD", "ACCOUNT_NAME", "ACCOUNT_EMAIL", "ACCOUNT_TAGS", "SUBSERVICE_NAME", "DEPENDS_ON"), "")
    return row | {
        "TIMESTAMP": seen.replace(tzinfo=None).isoformat(" ") if seen else "",
        "ACCOUNT_UID": asset.account,
        "FINDING_UID": finding.source_id,
        "PROVIDER": asset.provider,
        "CHECK_ID": finding.rule,
        "CHECK_TITLE": str(finding.title),
        "CHECK_TYPE": "",
        "STATUS": "PASS" if finding.status is Status.RESOLVED else "FAIL",
        "STATUS_EXTENDED": str(finding.description),
        "MUTED": str(finding.status is Status.SUPPRESSED),
        "SERVICE_NAME": asset.kind.value,
        "SEVERITY": finding.severity.word,
        "RESOURCE_TYPE": asset.kind.value,
        "RESOURCE_UID": asset.ids[0],
        "RESOURCE_NAME": str(asset.name),
        "RESOURCE_TAGS": " | ".join(f"{name}={value}" for name, value in asset.tags),
        "PARTITION": "aws" if asset.provider == "aws" else "",
        "REGION": asset.region,
        "DESCRIPTION": f"Checks {finding.rule}.",
        "RISK": "What it means depends on what the resource can reach.",
        "REMEDIATION_RECOMMENDATION_TEXT": _ADVICE,
        "COMPLIANCE": compliance,
        "CATEGORIES": "internet-exposed" if finding.internet else "",
        "PROWLER_VERSION": "5.4.0",
    }


def _hub(finding: Finding, class_uid: int, product: str, uid: str) -> dict[str, Any]:
    """What Security Hub v2 writes around the finding of any product."""
    asset, times = finding.asset, finding.times
    severity_id, severity = _SEVERITY[finding.severity]
    own, hub = asset.ids[0], f"arn:aws:securityhub:{asset.region}"
    short = own.rpartition("/")[2] if asset.kind is AssetKind.INSTANCE else own.rpartition(":")[2] or own
    resource = {
        "cloud_partition": "aws",
        "name": str(asset.name),
        "owner": {"account": _account(asset), "name": "", "type": "Other", "type_id": 99, "uid": asset.account},
        "region": asset.region,
        "tags": [{"name": name, "value": str(value)} for name, value in asset.tags],
        "type": _CFN.get(asset.kind, asset.kind.value),
        "uid": short if own.startswith("arn:") else own,
    }
    return {
        **_head(finding, class_uid, "Update"),
        "cloud": _cloud(asset, "AWS") | {"cloud_partition": "aws"},
        "finding_info": {
            **_times("created_time", times.happened),
            **_times("first_seen_time", times.happened),
            **_times("last_seen_time", times.updated),
            **_times("modified_time", times.updated),
            "title": str(finding.title),
            "desc": str(finding.description),
            "uid": uid,
        },
        "metadata": {
            "product": {"name": product, "uid": f"{hub}::productv2/aws/{product.lower()}", "vendor_name": "AWS"},
            "profiles": ["cloud", "datetime"],
            "uid": short_hash(uid, length=64),
            "version": "1.6.0",
        },
        "resources": [resource | ({"uid_alt": own} if own.startswith("arn:") else {})],
        **_times("time", times.updated),
        "vendor_attributes": {"severity": severity, "severity_id": severity_id},
    }


def _evidence(one: Indicator, inbound: bool | None) -> dict[str, Any]:
    direction = {"direction": "Inbound", "direction_id": 1} if inbound else {"direction": "Outbound", "direction_id": 2}
    service, _, operation = one.value.rpartition(":")
    called = {"name": f"{service}.amazonaws.com", "uid": service, "version": ""}
    told: dict[str, dict[str, Any]] = {
        "ip": {"src_endpoint" if inbound else "dst_endpoint": {"ip": one.value}, "connection_info": direction},
        "domain": {"query": {"hostname": one.value, "type": "A"}},
        "api": {"api": {"operation": operation, "service": called}},
        "process": {"process": {"cmd_line": one.value}},
    }
    return told.get(one.kind, {"data": {one.kind: one.value}})


def _threat(finding: Finding) -> dict[str, Any]:
    asset, detector, typed = finding.asset, short_hash(finding.asset.account, length=32), ":" in finding.rule
    uid = f"arn:aws:guardduty:{asset.region}:{asset.account}:detector/{detector}/finding/{finding.source_id}"
    told = _hub(finding, 2004, "GuardDuty", uid)
    told["finding_info"] |= {
        "analytic": {"name": "GuardDuty", "type": "Rule", "type_id": 1, "uid": detector if typed else finding.rule},
        "types": ["Threats", finding.rule] if typed else ["Threats"],
        "attacks": [{"technique": {"uid": technique, "name": technique}} for technique in finding.attack],
    }
    evidences = [_evidence(one, finding.internet) for one in finding.indicators]
    return told | {"count": 3, "evidences": evidences, "disposition_id": 2 if finding.blocked else 1}


def _flaw(one: Vulnerability) -> dict[str, Any]:
    package = {"name": one.package, "version": one.version, "epoch": 0, "package_manager": "OS", "architecture": "X86_64"}
    vector = one.vector or "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    return {
        "affected_packages": [package | ({"fixed_in_version": one.fixed_version} if one.fixed_version else {})],
        "cve": {
            "uid": one.cve,
            "cvss": [{"base_score": one.cvss or 0.0, "vector_string": vector, "vendor_name": "NVD", "version": "3.1"}],
            "epss": {"score": str(one.epss)} if one.epss is not None else None,
        },
        "is_exploit_available": one.exploit_exists,
        "is_fix_available": bool(one.fixed_version),
    }


def _vulnerability(finding: Finding) -> dict[str, Any]:
    home = f"arn:aws:inspector2:{finding.asset.region}:{finding.asset.account}"
    told = _hub(finding, 2002, "Inspector", f"{home}:finding/{finding.source_id}")
    told["finding_info"]["types"] = ["Software and Configuration Checks/Vulnerabilities/CVE"]
    return told | {"vulnerabilities": [_flaw(one) for one in finding.vulnerabilities]}


class OcsfSimulator:
    """Prowler and Security Hub v2, as writers of payloads."""

    speaks = frozenset({Kind.MISCONFIGURATION, Kind.THREAT, Kind.VULNERABILITY})

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        if finding.kind is Kind.THREAT:
            return [_threat(finding)]
        if finding.kind is Kind.VULNERABILITY:
            return [_vulnerability(finding)]
        return [_prowler(finding), _compliance(finding), _row(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return list(payloads)

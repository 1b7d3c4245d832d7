"""Security Hub, writing findings down: controls, Inspector, GuardDuty and Macie, in ASFF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind, Vulnerability, short_hash
from isthmus.model.severity import Severity, Status, severity_of_cvss

_TYPES = {
    AssetKind.INSTANCE: "AwsEc2Instance",
    AssetKind.BUCKET: "AwsS3Bucket",
    AssetKind.ROLE: "AwsIamRole",
    AssetKind.USER: "AwsIamUser",
    AssetKind.ACCESS_KEY: "AwsIamAccessKey",
    AssetKind.CONTAINER: "Container",
    AssetKind.IMAGE: "AwsEcrContainerImage",
    AssetKind.FUNCTION: "AwsLambdaFunction",
    AssetKind.DATABASE: "AwsRdsDbInstance",
    AssetKind.SECURITY_GROUP: "AwsEc2SecurityGroup",
    AssetKind.CLUSTER: "AwsEksCluster",
    AssetKind.ACCOUNT: "AwsAccount",
    AssetKind.LOAD_BALANCER: "AwsElbv2LoadBalancer",
    AssetKind.NETWORK: "AwsEc2Vpc",
    AssetKind.SECRET: "AwsSecretsManagerSecret",
    AssetKind.VOLUME: "AwsEc2Volume",
}
_PRODUCTS = {
    Kind.MISCONFIGURATION: ("securityhub", "Security Hub", "AWS"),
    Kind.VULNERABILITY: ("inspector", "Inspector", "Amazon"),
    Kind.THREAT: ("guardduty", "GuardDuty", "Amazon"),
    Kind.DATA: ("macie", "Macie", "Amazon"),
}
_LABELS = {
    Severity.CRITICAL: ("CRITICAL", 90),
    Severity.HIGH: ("HIGH", 70),
    Severity.UNKNOWN: ("HIGH", 70),
    Severity.MEDIUM: ("MEDIUM", 40),
    Severity.LOW: ("LOW", 1),
    Severity.INFORMATIONAL: ("INFORMATIONAL", 0),
}
_WORKFLOW = {
    Status.NEW: "NEW",
    Status.IN_PROGRESS: "NOTIFIED",
    Status.SUPPRESSED: "SUPPRESSED",
    Status.RESOLVED: "RESOLVED",
}
_STANDARD = "aws-foundational-security-best-practices/v/1.0.0"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _tail(uid: str) -> str:
    return uid.rpartition(":")[2].rpartition("/")[2]


def _resource_id(asset: Asset) -> str:
    own = asset.ids[0]
    if asset.kind is AssetKind.ACCESS_KEY:
        return f"AWS::IAM::AccessKey:{own}"
    if asset.kind is AssetKind.ACCOUNT:
        return f"AWS::::Account:{own}"
    if asset.kind is AssetKind.BUCKET and not own.startswith("arn:"):
        return f"arn:aws:s3:::{own}"
    if asset.kind is AssetKind.IMAGE and own.startswith("sha256:"):
        return f"arn:aws:ecr:{asset.region}:{asset.account}:repository/app/{own}"
    return own


def _details(asset: Asset, finding: Finding) -> dict[str, Any]:
    ties = {how: [tie.asset for tie in finding.ties if tie.how == how] for how in ("acts_as", "owns_key", "uses_image")}
    if asset.kind is AssetKind.INSTANCE:
        roles = {"IamInstanceProfileArn": ties["acts_as"][0].ids[0]} if ties["acts_as"] else {}
        fixed = {"Type": "m6i.large", "ImageId": "ami-0123456789abcdef0", "IpV4Addresses": ["198.51.100.20", "10.20.4.17"]}
        return fixed | roles | {"VpcId": "vpc-0bb22cc33dd44ee55", "LaunchedAt": "2026-01-12T08:00:04.000Z"}
    if asset.kind is AssetKind.ACCESS_KEY and ties["owns_key"]:
        holder = ties["owns_key"][0]
        kind = "AssumedRole" if holder.kind is AssetKind.ROLE else "IAMUser"
        return {"PrincipalType": kind, "PrincipalName": _tail(holder.ids[0]), "PrincipalId": ""}
    if asset.kind is AssetKind.CONTAINER and ties["uses_image"]:
        return {"Name": str(asset.name), "ImageName": ties["uses_image"][0].ids[-1], "ContainerRuntime": "containerd"}
    return {}


def _resource(asset: Asset, finding: Finding) -> dict[str, Any]:
    kind = _TYPES.get(asset.kind, "Other")
    details = _details(asset, finding) if asset is finding.asset else {}
    return {
        "Type": kind,
        "Id": _resource_id(asset),
        "Partition": "aws",
        "Region": asset.region,
        "Tags": {key: str(value) for key, value in asset.tags},
        "Details": {kind: details} if details else {"Other": {"name": str(asset.name)}},
    }


def _own_id(finding: Finding) -> str:
    region, account = finding.asset.region, finding.asset.account
    if finding.kind is Kind.MISCONFIGURATION:
        return f"arn:aws:securityhub:{region}:{account}:security-control/{finding.rule}/finding/{finding.source_id}"
    if finding.kind is Kind.THREAT:
        detector = short_hash(account, length=32)
        return f"arn:aws:guardduty:{region}:{account}:detector/{detector}/finding/{finding.source_id}"
    service = "inspector2" if finding.kind is Kind.VULNERABILITY else "macie2"
    return f"arn:aws:{service}:{region}:{account}:finding/{finding.source_id}"


def _head(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    slug, name, company = _PRODUCTS[finding.kind]
    own, product = _own_id(finding), f"arn:aws:securityhub:{asset.region}::product/aws/{slug}"
    label, normalized = _LABELS[finding.severity]
    others = [tie.asset for tie in finding.ties if tie.how in ("touches", "actor") and tie.asset.ids]
    return {
        "SchemaVersion": "2018-10-08",
        "Id": own,
        "ProductArn": product,
        "ProductName": name,
        "CompanyName": company,
        "Region": asset.region,
        "GeneratorId": f"aws/{slug}",
        "AwsAccountId": asset.account,
        "FirstObservedAt": _time(finding.times.happened),
        "LastObservedAt": _time(finding.times.updated),
        "CreatedAt": _time(finding.times.happened),
        "UpdatedAt": _time(finding.times.updated),
        "Severity": {"Label": label, "Normalized": normalized, "Original": label},
        "Title": str(finding.title),
        "Description": str(finding.description),
        "ProductFields": {
            "aws/securityhub/FindingId": f"{product}/{own}",
            "aws/securityhub/ProductName": name,
            "aws/securityhub/CompanyName": company,
        },
        "Resources": [_resource(one, finding) for one in (asset, *others)],
        "WorkflowState": "NEW",
        "Workflow": {"Status": _WORKFLOW[finding.status]},
        "RecordState": "ARCHIVED" if finding.status is Status.RESOLVED else "ACTIVE",
        "Sample": False,
        "ProcessedAt": _time(finding.times.updated),
    }


def _control(finding: Finding) -> dict[str, Any]:
    resolved = finding.status is Status.RESOLVED
    return {
        "GeneratorId": f"security-control/{finding.rule}",
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "RecordState": "ACTIVE",
        "Remediation": {
            "Recommendation": {
                "Text": "For information on how to correct this issue, consult the AWS Security Hub controls documentation.",
                "Url": f"https://docs.aws.amazon.com/console/securityhub/{finding.rule}/remediation",
            }
        },
        "Compliance": {
            "Status": "PASSED" if resolved else "FAILED",
            "SecurityControlId": finding.rule,
            "AssociatedStandards": [{"StandardsId": f"standards/{_STANDARD}"}],
            "RelatedRequirements": [
                f"{one.framework}/{one.requirement}" for one in finding.controls if one.framework != _STANDARD
            ],
        },
    }


def _flaw(one: Vulnerability) -> dict[str, Any]:
    package = {"Name": one.package, "Version": one.version, "Epoch": "0", "PackageManager": "OS", "Architecture": "X86_64"}
    vector, score = one.vector or "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", one.cvss or 0.0
    return {
        "Id": one.cve,
        "VulnerablePackages": [package | {"FixedInVersion": one.fixed_version or "NotAvailable"}],
        "Cvss": [{"Version": "3.1", "BaseScore": score, "BaseVector": vector, "Source": "NVD"}],
        "Vendor": {"Name": "NVD", "VendorSeverity": severity_of_cvss(score).name},
        "EpssScore": one.epss,
        "ExploitAvailable": "YES" if one.exploit_exists else "NO",
        "FixAvailable": "YES" if one.fixed_version else "NO",
    }


def _vulnerability(finding: Finding) -> dict[str, Any]:
    return {
        "GeneratorId": "AWSInspector",
        "Types": ["Software and Configuration Checks/Vulnerabilities/CVE"],
        "Vulnerabilities": [_flaw(one) for one in finding.vulnerabilities],
    }


def _action(finding: Finding) -> dict[str, Any]:
    """The action as ASFF keeps it; the first thing seen of each kind."""
    seen: dict[str, str] = {}
    for one in finding.indicators:
        seen.setdefault(one.kind, one.value)
    remote = {"RemoteIpDetails": {"IpAddressV4": seen["ip"], "Country": {"CountryName": "Exampleland"}}} if "ip" in seen else {}
    if "api" in seen:
        service, _, api = seen["api"].rpartition(":")
        call = {"Api": api, "ServiceName": f"{service}.amazonaws.com", "CallerType": "remoteIp"}
        return {"ActionType": "AWS_API_CALL", "AwsApiCallAction": call | remote}
    if "domain" in seen:
        return {"ActionType": "DNS_REQUEST", "DnsRequestAction": {"Domain": seen["domain"], "Protocol": "UDP"}}
    direction = "INBOUND" if finding.internet else "OUTBOUND"
    connection = {"ConnectionDirection": direction, "Protocol": "TCP", "Blocked": finding.blocked}
    return {"ActionType": "NETWORK_CONNECTION", "NetworkConnectionAction": connection | remote}


def _threat(finding: Finding) -> dict[str, Any]:
    """GuardDuty's type goes to the end of a taxonomy path, its slash turned into a hyphen."""
    processes = [one.value for one in finding.indicators if one.kind == "process"]
    home = f"arn:aws:guardduty:{finding.asset.region}:{finding.asset.account}:detector"
    told: dict[str, Any] = {
        "GeneratorId": f"{home}/{short_hash(finding.asset.account, length=32)}" if ":" in finding.rule else finding.rule,
        "Types": ["TTPs/" + finding.rule.replace("/", "-", 1)],
        "Action": _action(finding),
    }
    return told | ({"Process": {"Name": _tail(processes[0]), "Path": processes[0]}} if processes else {})


def _data(finding: Finding) -> dict[str, Any]:
    generator = {} if ":" in finding.rule else {"GeneratorId": finding.rule}
    return {"Types": ["Sensitive Data Identifications/PII/" + finding.rule.replace("/", "-", 1)]} | generator


class SecurityHubSimulator:
    """Security Hub, as a writer of payloads."""

    speaks = frozenset(_PRODUCTS)

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        tails = {
            Kind.MISCONFIGURATION: _control,
            Kind.VULNERABILITY: _vulnerability,
            Kind.THREAT: _threat,
            Kind.DATA: _data,
        }
        return [_head(finding) | tails[finding.kind](finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return {"Findings": list(payloads)}

"""GuardDuty, writing findings down: the event form, and the same finding as the API spells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind, short_hash
from isthmus.model.severity import Severity, Status

_SEVERITY = {
    Severity.CRITICAL: 9.0,
    Severity.HIGH: 8.0,
    Severity.UNKNOWN: 8.0,
    Severity.MEDIUM: 5.0,
    Severity.LOW: 2.0,
    Severity.INFORMATIONAL: 1.0,
}
_SEQUENCE_TYPES = {AssetKind.IMAGE: "EC2_IMAGE", AssetKind.NETWORK: "EC2_VPC"}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _tail(uid: str) -> str:
    return uid.rpartition(":")[2].rpartition("/")[2]


def _tied(finding: Finding, how: str, *kinds: AssetKind) -> list[Asset]:
    return [tie.asset for tie in finding.ties if tie.how == how and (not kinds or tie.asset.kind in kinds)]


def _tags(asset: Asset) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in asset.tags]


def _instance(asset: Asset, finding: Finding) -> dict[str, Any]:
    groups = [{"groupId": _tail(one.ids[0]), "groupName": str(one.name)} for one in _tied(finding, "guarded_by")]
    roles = _tied(finding, "acts_as")
    return {
        "instanceId": _tail(asset.ids[0]),
        "instanceType": "m6i.large",
        "launchTime": "2026-01-12T08:00:04.000Z",
        "platform": None,
        "productCodes": [],
        "iamInstanceProfile": {"arn": roles[0].ids[0], "id": "AIPA" + short_hash(roles[0].ids[0]).upper()} if roles else None,
        "networkInterfaces": [
            {
                "ipv6Addresses": [],
                "networkInterfaceId": f"eni-0{short_hash(asset.ids[0], length=16)}",
                "privateDnsName": f"ip-10-20-4-17.{asset.region}.compute.internal",
                "privateIpAddress": "10.20.4.17",
                "privateIpAddresses": [{"privateDnsName": "", "privateIpAddress": "10.20.4.17"}],
                "subnetId": "subnet-0aa11bb22cc33dd44",
                "vpcId": "vpc-0bb22cc33dd44ee55",
                "securityGroups": groups,
                "publicDnsName": "",
                "publicIp": "198.51.100.20",
            }
        ],
        "outpostArn": None,
        "tags": _tags(asset),
        "instanceState": "running",
        "availabilityZone": f"{asset.region}a",
        "imageId": "ami-0123456789abcdef0",
        "imageDescription": None,
    }


def _key(key: str, holder: Asset | None) -> dict[str, Any]:
    kind = "AssumedRole" if holder and holder.kind is AssetKind.ROLE else "IAMUser"
    root = bool(holder and holder.ids[0].endswith(":root"))
    stable = "AROA" if kind == "AssumedRole" else "AIDA"
    return {
        "accessKeyId": key,
        "principalId": stable + short_hash(holder.ids[0], length=17).upper() if holder else "",
        "userType": "Root" if root else kind,
        "userName": "Root" if root else _tail(holder.ids[0]) if holder else "",
    }


def _of_instance(finding: Finding) -> dict[str, Any]:
    return {"resourceType": "Instance", "instanceDetails": _instance(finding.asset, finding)}


def _of_key(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    if asset.kind is not AssetKind.ACCESS_KEY:
        return {"resourceType": "AccessKey", "accessKeyDetails": _key("", asset)}
    holders = _tied(finding, "owns_key")
    return {"resourceType": "AccessKey", "accessKeyDetails": _key(asset.ids[0], holders[0] if holders else None)}


def _of_bucket(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    name = asset.ids[0].rpartition(":")[2]
    permission = {True: "PUBLIC", False: "NOT_PUBLIC", None: "UNKNOWN"}[finding.internet]
    details = {
        "arn": f"arn:aws:s3:::{name}",
        "name": name,
        "type": "Destination",
        "createdAt": "2025-11-03T10:15:00.000Z",
        "owner": {"id": short_hash(asset.account, length=64)},
        "tags": _tags(asset),
        "defaultServerSideEncryption": {"encryptionType": "AES256", "kmsMasterKeyArn": None},
        "publicAccess": {"permissionConfiguration": {}, "effectivePermission": permission},
    }
    keys = _tied(finding, "actor", AssetKind.ACCESS_KEY)
    holders = _tied(finding, "actor", AssetKind.USER, AssetKind.ROLE)
    actor = _key(keys[0].ids[0] if keys else "", holders[0] if holders else None)
    return {"resourceType": "S3Bucket", "s3BucketDetails": [details], "accessKeyDetails": actor}


def _of_pod(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    cluster, namespace, name = [*asset.ids[0].removeprefix("k8s:").split("/", 2), "", ""][:3]
    work = {"name": name, "namespace": namespace, "type": "pods", "uid": short_hash(asset.ids[0]), "containers": []}
    return {
        "resourceType": "EKSCluster",
        "eksClusterDetails": {
            "name": cluster,
            "arn": f"arn:aws:eks:{asset.region}:{asset.account}:cluster/{cluster}",
            "status": "ACTIVE",
        },
        "kubernetesDetails": {"kubernetesWorkloadDetails": work, "kubernetesUserDetails": None},
    }


def _of_container(finding: Finding) -> dict[str, Any]:
    asset, images, nodes = finding.asset, _tied(finding, "uses_image"), _tied(finding, "runs_on")
    box = {
        "id": asset.ids[0],
        "name": str(asset.name),
        "containerRuntime": "containerd",
        "image": images[0].ids[-1] if images else "",
    }
    node = {"instanceDetails": _instance(nodes[0], finding)} if nodes else {}
    return {"resourceType": "Container", "containerDetails": box} | node


def _of_cluster(finding: Finding) -> dict[str, Any]:
    details = {"name": _tail(finding.asset.ids[0]), "arn": finding.asset.ids[0], "status": "ACTIVE"}
    if ":ecs:" in finding.asset.ids[0]:
        return {"resourceType": "ECSCluster", "ecsClusterDetails": details}
    return {"resourceType": "EKSCluster", "eksClusterDetails": details}


def _of_function(finding: Finding) -> dict[str, Any]:
    roles = _tied(finding, "acts_as")
    details = {"functionArn": finding.asset.ids[0], "functionName": _tail(finding.asset.ids[0]), "functionVersion": "$LATEST"}
    return {"resourceType": "Lambda", "lambdaDetails": details | {"role": roles[0].ids[0] if roles else ""}}


def _of_database(finding: Finding) -> dict[str, Any]:
    own = finding.asset.ids[0]
    details = {"dbInstanceArn": own, "dbInstanceIdentifier": _tail(own), "engine": "Aurora PostgreSQL"}
    return {"resourceType": "RDSDBInstance", "rdsDbInstanceDetails": details}


_WRITERS: dict[AssetKind, Callable[[Finding], dict[str, Any]]] = {
    AssetKind.INSTANCE: _of_instance,
    AssetKind.ACCESS_KEY: _of_key,
    AssetKind.USER: _of_key,
    AssetKind.ROLE: _of_key,
    AssetKind.BUCKET: _of_bucket,
    AssetKind.POD: _of_pod,
    AssetKind.CONTAINER: _of_container,
    AssetKind.CLUSTER: _of_cluster,
    AssetKind.FUNCTION: _of_function,
    AssetKind.DATABASE: _of_database,
}


def _remote(address: str) -> dict[str, Any]:
    return {
        "ipAddressV4": address,
        "organization": {"asn": "64500", "asnOrg": "Example Transit", "isp": "Example Transit", "org": "Example Transit"},
        "country": {"countryName": "Exampleland"},
        "city": {"cityName": "Exampleton"},
        "geoLocation": {"lat": 0.0, "lon": 0.0},
    }


def _action(finding: Finding) -> dict[str, Any]:
    seen: dict[str, str] = {}
    for one in finding.indicators:
        seen.setdefault(one.kind, one.value)
    remote = _remote(seen["ip"]) if "ip" in seen else None
    if "api" in seen:
        service, _, api = seen["api"].rpartition(":")
        call = {"api": api, "serviceName": f"{service}.amazonaws.com", "callerType": "Remote IP", "remoteIpDetails": remote}
        call |= {"userAgent": seen.get("user_agent", ""), "affectedResources": {}}
        return {"actionType": "AWS_API_CALL", "awsApiCallAction": call}
    if "domain" in seen:
        dns = {"domain": seen["domain"], "protocol": "UDP", "blocked": finding.blocked}
        return {"actionType": "DNS_REQUEST", "dnsRequestAction": dns}
    connection = {
        "connectionDirection": "INBOUND" if finding.internet else "OUTBOUND",
        "remoteIpDetails": remote,
        "remotePortDetails": {"port": 40102, "portName": "Unknown"},
        "localPortDetails": {"port": 22, "portName": "SSH"},
        "localIpDetails": {"ipAddressV4": "10.20.4.17"},
        "protocol": "TCP",
        "blocked": finding.blocked,
    }
    return {"actionType": "NETWORK_CONNECTION", "networkConnectionAction": connection}


def _found_by_guardduty(finding: Finding, detector: str) -> dict[str, Any]:
    processes = [one.value for one in finding.indicators if one.kind == "process"]
    service: dict[str, Any] = {
        "serviceName": "guardduty",
        "detectorId": detector,
        "action": _action(finding),
        "resourceRole": "TARGET",
        "additionalInfo": {"value": "{}", "type": "default"},
        "evidence": None,
        "eventFirstSeen": _time(finding.times.happened),
        "eventLastSeen": _time(finding.last_seen or finding.times.updated),
        "archived": finding.status in (Status.SUPPRESSED, Status.RESOLVED),
        "count": 3,
        "featureName": "FlowLogs",
    }
    if processes:
        process = {"name": processes[0].split()[0].rpartition("/")[2], "executablePath": processes[0].split()[0]}
        service["runtimeDetails"] = {"process": process, "context": {"commandLineExample": processes[0]}}
    if finding.asset.kind not in _WRITERS:
        service["detection"] = {"sequence": _sequence(finding)}
    return service


def _sequence(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    kind = _SEQUENCE_TYPES.get(asset.kind, asset.kind.name)
    resource = {"uid": asset.ids[0], "name": str(asset.name), "accountId": asset.account, "resourceType": kind}
    return {"uid": finding.source_id, "resources": [resource | {"region": asset.region}], "actors": [], "signals": []}


def _event(finding: Finding) -> dict[str, Any]:
    asset, detector = finding.asset, short_hash(finding.asset.account, length=32)
    writer = _WRITERS.get(asset.kind)
    home = f"arn:aws:guardduty:{asset.region}:{asset.account}:detector/{detector}"
    return {
        "schemaVersion": "2.0",
        "accountId": asset.account,
        "region": asset.region,
        "partition": "aws",
        "id": finding.source_id,
        "arn": f"{home}/finding/{finding.source_id}",
        "type": finding.rule,
        "resource": writer(finding) if writer else {"resourceType": "AttackSequence"},
        "service": _found_by_guardduty(finding, detector),
        "severity": _SEVERITY[finding.severity],
        "createdAt": _time(finding.times.happened),
        "updatedAt": _time(finding.times.updated),
        "title": str(finding.title),
        "description": str(finding.description),
    }


def _pascal(value: Any) -> Any:
    """The same, as the SDKs spell it."""
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: _pascal(inner) for key, inner in value.items()}
    return [_pascal(inner) for inner in value] if isinstance(value, list) else value


class GuardDutySimulator:
    """GuardDuty, as a writer of payloads."""

    speaks = frozenset({Kind.THREAT})

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        event = _event(finding)
        return [event, _pascal(event)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return {"findings": list(payloads)}

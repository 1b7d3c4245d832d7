"""Security Command Center, writing findings down: as an item of a list, a Pub/Sub notification, and in snake case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isthmus.connectors.scc.words import TECHNIQUE_NAMES
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Severity, Status

_ORGANIZATION = "organizations/741852963014"
_SOURCES = {
    Kind.THREAT: ("8412907365120934571", "Event Threat Detection"),
    Kind.MISCONFIGURATION: ("5203981746250937148", "Security Health Analytics"),
    Kind.VULNERABILITY: ("2947105836471920583", "Vulnerability Assessment"),
    Kind.TOXIC_COMBINATION: ("6630175294018273645", "Risk Engine"),
}
_TYPES = {
    AssetKind.INSTANCE: "google.compute.Instance",
    AssetKind.BUCKET: "google.cloud.storage.Bucket",
    AssetKind.DATABASE: "google.cloud.sql.Instance",
    AssetKind.FUNCTION: "google.cloudfunctions.CloudFunction",
    AssetKind.SERVICE_ACCOUNT: "google.iam.ServiceAccount",
    AssetKind.SECURITY_GROUP: "google.compute.Firewall",
    AssetKind.CLUSTER: "google.container.Cluster",
    AssetKind.ACCOUNT: "google.cloud.resourcemanager.Project",
    AssetKind.VOLUME: "google.compute.Disk",
    AssetKind.NETWORK: "google.compute.Network",
}
_CLOUDS = {"gcp": "GOOGLE_CLOUD_PLATFORM", "aws": "AMAZON_WEB_SERVICES", "azure": "MICROSOFT_AZURE"}


def _time(moment: Any) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _cluster_name(asset: Asset) -> str:
    """The cluster a pod `k8s:<cluster>/<namespace>/<name>` is in."""
    cluster = asset.ids[0].removeprefix("k8s:").partition("/")[0]
    return f"//container.googleapis.com/projects/{asset.account}/locations/{asset.region}/clusters/{cluster}"


def _full_name(asset: Asset, kind: Kind) -> str:
    """A threat in a pod is filed under its cluster, any other finding under the pod."""
    if asset.kind is AssetKind.POD:
        _, namespace, name = asset.ids[0].split("/", 2)
        return _cluster_name(asset) + ("" if kind is Kind.THREAT else f"/k8s/namespaces/{namespace}/pods/{name}")
    if asset.provider in ("aws", "azure"):
        own = asset.ids[0].removeprefix("/")
        return f"//cloudasset.googleapis.com/{_ORGANIZATION}/otherCloudConnections/{asset.provider}/{own}"
    return asset.ids[0]


def _resource(asset: Asset, kind: Kind) -> dict[str, Any]:
    name = _full_name(asset, kind)
    typed = AssetKind.CLUSTER if asset.kind is AssetKind.POD and kind is Kind.THREAT else asset.kind
    said: dict[str, Any] = {
        "name": name,
        "displayName": str(asset.name),
        "type": _TYPES.get(typed, typed.value),
        "cloudProvider": _CLOUDS.get(asset.provider, "GOOGLE_CLOUD_PLATFORM"),
        "service": name.removeprefix("//").partition("/")[0],
        "location": asset.region,
    }
    if asset.provider == "aws":
        return said | {"awsMetadata": {"account": {"id": asset.account, "name": "tidewater-prod"}}}
    if asset.provider == "azure":
        return said | {"azureMetadata": {"subscription": {"id": asset.account, "displayName": "tidewater-prod"}}}
    project = f"//cloudresourcemanager.googleapis.com/projects/{asset.account}"
    return said | {"gcpMetadata": {"project": project, "projectDisplayName": asset.account, "organization": _ORGANIZATION}}


def _threat(finding: Finding) -> dict[str, Any]:
    ips = [one.value for one in finding.indicators if one.kind == "ip"]
    seen = {one.kind: one.value for one in finding.indicators}
    actor = next((tie.asset for tie in finding.ties if tie.how == "actor"), None)
    names = [TECHNIQUE_NAMES[number] for number in finding.attack if number in TECHNIQUE_NAMES]
    said: dict[str, Any] = {
        "indicator": {"ipAddresses": ips, "domains": [one.value for one in finding.indicators if one.kind == "domain"]},
        "mitreAttack": {"primaryTactic": "IMPACT", "primaryTechniques": names, "version": "14"},
        "access": {
            "principalEmail": actor.ids[0].rpartition("/")[2] if actor else "",
            "callerIp": ips[0] if ips else "",
            "methodName": seen.get("api", ""),
            "userAgent": seen.get("user_agent", ""),
        },
        "processes": [{"args": one.value.split(" ")} for one in finding.indicators if one.kind == "process"],
    }
    if finding.asset.kind is AssetKind.POD:
        _, namespace, name = finding.asset.ids[0].removeprefix("k8s:").split("/", 2)
        said["kubernetes"] = {"pods": [{"ns": namespace, "name": name}]}
    return said


def _vulnerability(finding: Finding) -> dict[str, Any]:
    one = finding.vulnerabilities[0]
    activity = "CONFIRMED" if one.exploited else "AVAILABLE" if one.exploit_exists else "NO_KNOWN"
    cve = {
        "id": one.cve,
        "cvssv3": {"baseScore": one.cvss} if one.cvss is not None else None,
        "upstreamFixAvailable": bool(one.fixed_version),
        "exploitationActivity": activity,
        "observedInTheWild": one.exploited,
        "zeroDay": False,
    }
    package = {"packageName": one.package, "packageType": "OS"}
    return {
        "vulnerability": {
            "cve": cve,
            "offendingPackage": package | {"packageVersion": one.version},
            "fixedPackage": package | {"packageVersion": one.fixed_version},
        }
    }


def _details(finding: Finding) -> dict[str, Any]:
    if finding.kind is Kind.THREAT:
        return _threat(finding)
    if finding.kind is Kind.VULNERABILITY:
        return _vulnerability(finding)
    if finding.kind is Kind.TOXIC_COMBINATION:
        return {"toxicCombination": {"attackExposureScore": 8.4, "relatedFindings": []}}
    rows = [(*one.framework.rpartition(" ")[::2], one.requirement) for one in finding.controls]
    return {
        "sourceProperties": {"ScannerName": "COMPUTE_INSTANCE_SCANNER", "ReactivationCount": 0},
        "compliances": [{"standard": name, "version": version, "ids": [number]} for name, version, number in rows],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    source, shown = _SOURCES[finding.kind]
    parent = f"{_ORGANIZATION}/sources/{source}"
    name = f"{parent}/findings/{finding.source_id.rpartition('/')[2]}"
    exposed = {"externalExposure": {"publicIpAddress": "192.0.2.10", "publicPort": "443"}} if finding.internet else {}
    return {
        "name": name,
        "canonicalName": name,
        "parent": parent,
        "parentDisplayName": shown,
        "resourceName": _full_name(finding.asset, finding.kind),
        "state": "INACTIVE" if finding.status is Status.RESOLVED else "ACTIVE",
        "category": finding.rule or str(finding.title),
        "description": f"{finding.title}: {finding.description}",
        "externalUri": finding.link,
        "sourceProperties": {},
        "securityMarks": {"name": f"{name}/securityMarks"},
        "eventTime": _time(finding.times.updated),
        "createTime": _time(finding.times.happened),
        "severity": "SEVERITY_UNSPECIFIED" if finding.severity is Severity.UNKNOWN else finding.severity.name,
        "mute": "MUTED" if finding.status is Status.SUPPRESSED else "UNDEFINED",
        "findingClass": finding.kind.name,
    } | (exposed | _details(finding))


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): _snake(one) for name, one in value.items()}
    return [_snake(one) for one in value] if isinstance(value, list) else value


class SccSimulator:
    """Security Command Center, as a writer of payloads."""

    speaks = frozenset(_SOURCES)

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        listed = {"finding": _finding(finding), "resource": _resource(finding.asset, finding.kind)}
        notice = {"notificationConfigName": f"{_ORGANIZATION}/notificationConfigs/to-isthmus"} | listed
        return [listed, notice, _snake(listed)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        return {"listFindingsResults": list(payloads), "readTime": "2026-03-02T12:00:00Z", "totalSize": len(payloads)}

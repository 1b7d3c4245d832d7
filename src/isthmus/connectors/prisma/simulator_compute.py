"""Prisma Cloud Compute, writing findings down: runtime audits, image and host scans."""

from __future__ import annotations

import re
from typing import Any

from isthmus.connectors.prisma.places import given
from isthmus.connectors.prisma.techniques import NAMES
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Vulnerability, short_hash

_AUDIT_ID = re.compile(r"[0-9a-f]{24}")
_VERSION = "34.04.145"
_NEVER = "0001-01-01T00:00:00Z"
_WORKLOADS = {AssetKind.CONTAINER, AssetKind.POD, AssetKind.INSTANCE}


def _time(moment: Any) -> str:
    return moment.isoformat().replace("+00:00", "Z") if moment else _NEVER


def tied(finding: Finding, how: str) -> Asset | None:
    return next((tie.asset for tie in finding.ties if tie.how == how and tie.asset.ids), None)


def _short(asset: Asset | None) -> str:
    """The id of a machine as Compute writes it: without the ARN around it."""
    own = asset.ids[0] if asset and asset.ids else ""
    return own.rpartition("/")[2] if own.startswith("arn:aws:ec2:") else own


def _host_name(asset: Asset) -> str:
    return str(asset.name) or f"ip-{short_hash(*asset.ids, length=8)}.{asset.region or 'local'}.internal"


def speaks_of(asset: Asset) -> bool:
    """Whether Compute's Defenders watch such a thing; a pod must be named the Kubernetes way."""
    if asset.kind is AssetKind.POD:
        return asset.ids[0].startswith("k8s:") and asset.ids[0].count("/") == 2
    return asset.kind in _WORKLOADS


def _cluster(finding: Finding) -> str:
    cluster = tied(finding, "part_of")
    return cluster.ids[0].removeprefix("k8s:").split("/")[0] if cluster else ""


def _container(finding: Finding) -> dict[str, Any]:
    """What an audit says of a container, or of the container in a pod."""
    asset, image, cluster = finding.asset, tied(finding, "uses_image"), _cluster(finding)
    name, namespace, digest = str(asset.name), "default", (image.ids[0] if image else "")
    if asset.kind is AssetKind.POD:
        cluster, namespace, pod = asset.ids[0].removeprefix("k8s:").split("/")
        name = f"/k8s_app_{pod}_{namespace}_{short_hash(*asset.ids, length=8)}_0"
    return {
        "container": True,
        "containerId": asset.ids[0] if asset.kind is AssetKind.CONTAINER else "",
        "containerName": name,
        "imageId": digest,
        "imageName": str(image.name) if image else "",
        "cluster": cluster,
        "namespace": namespace,
        "resourceID": _short(tied(finding, "runs_on")),
        "profileId": f"{digest}_{namespace}_{cluster}",
        "labels": {},
    }


def _one(finding: Finding, kind: str) -> str:
    return next((one.value for one in finding.indicators if one.kind == kind), "")


def _audit_id(given: str) -> str:
    """The id of an audit, which Compute writes in 24 hexadecimal digits; CSPM numbers its alerts in a form of its own."""
    return given if _AUDIT_ID.fullmatch(given) else short_hash("audit", given, length=24)


def runtime_audit(finding: Finding) -> dict[str, Any]:
    """The finding as `/audits/runtime/container` or `/audits/runtime/host` lists it."""
    asset, domain, ip = finding.asset, _one(finding, "domain"), _one(finding, "ip")
    process = _one(finding, "process")
    place = (
        {"resourceID": _short(asset), "profileId": _host_name(asset)}
        if asset.kind is AssetKind.INSTANCE
        else _container(finding)
    )
    node = tied(finding, "runs_on") or asset
    audit = {
        "_id": _audit_id(finding.source_id),
        "time": _time(finding.times.updated or finding.times.happened),
        "os": "Ubuntu 22.04.4 LTS",
        "hostname": _host_name(node),
        "fqdn": "",
        "user": "root",
        "type": "network" if (domain or ip) and not process else "processes",
        "effect": "prevent" if finding.blocked else "alert",
        "ruleName": "Default - alert on suspicious runtime behavior",
        "msg": f"{finding.title}. {finding.description}",
        "interactive": False,
        "pid": 4711,
        "processPath": process.split(" ")[0],
        "command": process,
        "collections": ["All"],
        "attackType": finding.rule,
        "attackTechniques": [NAMES.get(technique, technique) for technique in finding.attack],
        "count": 1,
        "severity": finding.severity.word,
        "region": asset.region,
        "accountID": asset.account,
        "provider": asset.provider,
        "version": _VERSION,
        "domain": domain,
        "ip": ip,
        "md5": _one(finding, "hash"),
    }
    return audit | place


def _risk_factors(finding: Finding, one: Vulnerability) -> dict[str, Any]:
    said = {
        f"{finding.severity.word.capitalize()} severity": True,
        "Attack complexity: low": "AC:L" in one.vector,
        "Attack vector: network": "AV:N" in one.vector,
        "Has fix": bool(one.fixed_version),
        "Exploit exists - in the wild": one.exploited,
        "Exploit exists - POC": one.exploit_exists and not one.exploited,
        "Reachable from the internet": finding.internet is True,
        "Running as privileged container": finding.privileged is True,
    }
    return {name: {} for name, holds in said.items() if holds}


def _vulnerability(finding: Finding) -> dict[str, Any]:
    one = finding.vulnerabilities[0]
    return {
        "text": "",
        "id": 46,
        "severity": finding.severity.word,
        "cvss": one.cvss or 0,
        "status": f"fixed in {one.fixed_version}" if one.fixed_version else "affected",
        "cve": one.cve,
        "cause": "",
        "description": str(finding.description),
        "title": "",
        "vecStr": one.vector,
        "exploit": "cisa-kev" if one.exploited else "",
        "riskFactors": _risk_factors(finding, one),
        "link": f"https://nvd.nist.gov/vuln/detail/{one.cve}",
        "type": "image" if finding.asset.kind is AssetKind.IMAGE else "host",
        "packageName": one.package,
        "packageVersion": one.version,
        "binaryPkgs": None,
        "layerTime": 0,
        "templates": None,
        "twistlock": False,
        "cri": False,
        "published": 0,
        "fixDate": 0,
        "discovered": _time(finding.first_seen or finding.times.happened),
    }


def scan(finding: Finding) -> dict[str, Any]:
    """The finding as the one vulnerability of an image in `/images`, or of a host in `/hosts`."""
    asset, moment = finding.asset, _time(finding.times.updated or finding.times.happened)
    counts = {word: int(finding.severity.word == word) for word in ("critical", "high", "medium", "low")} | {"total": 1}
    found = {
        "scanTime": moment,
        "firstScanTime": _time(finding.first_seen or finding.times.happened),
        "osDistro": "ubuntu",
        "osDistroVersion": "22.04",
        "osDistroRelease": "jammy",
        "distro": "Ubuntu 22.04.4 LTS",
        "vulnerabilities": [_vulnerability(finding)],
        "vulnerabilitiesCount": 1,
        "vulnerabilityDistribution": counts,
        "vulnerabilityRiskScore": 1_000_000,
        "complianceIssues": None,
        "complianceIssuesCount": 0,
        "complianceDistribution": {"critical": 0, "high": 0, "medium": 0, "low": 0, "total": 0},
        "riskFactors": _risk_factors(finding, finding.vulnerabilities[0]),
        "packageManager": True,
        "collections": ["All"],
        "scanVersion": _VERSION,
        "agentless": False,
        "err": "",
        "clusters": given(_cluster(finding)) or None,
        "cloudMetadata": {"provider": asset.provider, "accountID": asset.account, "region": asset.region},
    }
    return found | (_image(asset) if asset.kind is AssetKind.IMAGE else _host(asset, found["cloudMetadata"]))


def _image(asset: Asset) -> dict[str, Any]:
    reference, _, tag = str(asset.name).rpartition(":")
    registry, _, repository = (reference or str(asset.name)).partition("/")
    place = {"registry": registry, "repo": repository, "tag": tag if reference else "latest"}
    return {
        "_id": asset.ids[0],
        "id": asset.ids[0],
        "type": "image",
        "hostname": "",
        "repoTag": place,
        "tags": [place],
        "hosts": {},
    }


def _host(asset: Asset, cloud: Any) -> dict[str, Any]:
    name = _host_name(asset)
    return {
        "_id": name,
        "type": "host",
        "hostname": name,
        "repoTag": None,
        "cloudMetadata": cloud | {"resourceID": _short(asset), "name": name, "type": "m6i.large", "vmID": ""},
    }

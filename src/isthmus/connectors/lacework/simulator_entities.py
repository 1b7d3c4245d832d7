"""Lacework, writing down what an alert is about: the entity map, in the form the alert API has for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind, short_hash

_SORTS = {AssetKind.ROLE: "AssumedRole", AssetKind.USER: "IAMUser"}
_WORKLOADS = frozenset({AssetKind.CONTAINER, AssetKind.POD, AssetKind.IMAGE})
_PARAMETERS = {
    AssetKind.BUCKET: "bucketName",
    AssetKind.SECURITY_GROUP: "groupId",
    AssetKind.FUNCTION: "functionName",
    AssetKind.DATABASE: "dBInstanceIdentifier",
    AssetKind.ACCESS_KEY: "accessKeyId",
}
_EVIDENCE = {
    "ip": ("SourceIpAddress", "ip_address"),
    "domain": ("DnsName", "hostname"),
    "process": ("Process", "cmdline"),
    "hash": ("FileDataHash", "filedata_hash"),
    "api": ("API", "api"),
}
_PROVIDERS = {"aws": "AWS", "azure": "Azure", "gcp": "GCE"}


def numbered(name: str) -> int:
    """Lacework numbers its alerts and machines."""
    return int(name) if name.isdigit() else int(short_hash(name, length=7), 16)


def _end(given: str) -> str:
    return given.split(":", 5)[-1].replace(":", "/").rsplit("/", 1)[-1] if given.startswith("arn:") else given


def tags_of(asset: Asset) -> dict[str, Any]:
    return {
        "Account": asset.account,
        "Hostname": f"{asset.name}.internal",
        "InstanceId": _end(asset.ids[0]),
        "Name": str(asset.name),
        "VmProvider": _PROVIDERS.get(asset.provider, ""),
        "VmInstanceType": "t3.small",
        "Zone": f"{asset.region}a" if asset.provider == "aws" and asset.region else asset.region,
        "arch": "amd64",
        "os": "linux",
        **{name: str(value) for name, value in asset.tags},
    }


def _user(asset: Asset) -> dict[str, Any]:
    sort = _SORTS.get(asset.kind, "AssumedRole")
    return {
        "KEY": {
            "account": asset.account,
            "principalId": next((one for one in asset.ids if one.startswith(("AROA", "AIDA"))), ""),
            "username": f"{sort}/{asset.account}:{_end(asset.ids[0])}",
        },
        "PROPS": {"region_list": [asset.region] if asset.region else []},
    }


def _resource(asset: Asset) -> dict[str, Any]:
    first = asset.ids[0]
    name = "resourceArn" if first.startswith("arn:") else _PARAMETERS.get(asset.kind, "name")
    return {"KEY": {"name": name, "value": first}, "PROPS": {}}


def _machine(asset: Asset) -> dict[str, Any]:
    props = {"hostname": f"{asset.name}.internal", "tags": tags_of(asset)}
    return {"KEY": {"mid": numbered(asset.ids[0])}, "PROPS": props}


def _workload(finding: Finding) -> dict[str, Any]:
    """A container, a pod or an image, on the machine it runs on."""
    asset, first = finding.asset, finding.asset.ids[0]
    home = next((tie.asset for tie in finding.ties if tie.how == "runs_on" and tie.asset.ids), None)
    machine = {"Machine": [_machine(home)]} if home else {}
    if asset.kind is AssetKind.IMAGE:
        return {"ImageId": [{"KEY": {"image_id": first}, "PROPS": {"image_repo": str(asset.name)}}]} | machine
    if asset.kind is AssetKind.CONTAINER:
        return {"Container": [{"KEY": {"container_id": first}, "PROPS": {"container_name": str(asset.name)}}]} | machine
    cluster, _, path = first.removeprefix("k8s:").partition("/")
    namespace, _, pod = path.partition("/")
    return {"K8Pod": [{"KEY": {"cluster_id": cluster, "pod_namespace": namespace, "pod_name": pod}, "PROPS": {}}]} | machine


def main_entity(finding: Finding) -> dict[str, Any]:
    """The entity an alert of this kind stands on."""
    asset = finding.asset
    if finding.kind is Kind.MISCONFIGURATION:
        violation = {"rec_id": finding.rule, "reason": str(finding.title), "resource": asset.ids[0]}
        account = {"account_id": asset.account, "account_alias": "tidewater", "title": str(finding.title)}
        return {
            "RecId": [{"KEY": {"rec_id": finding.rule}, "PROPS": account}],
            "NewViolation": [{"KEY": violation, "PROPS": {}}],
        }
    if asset.kind is AssetKind.INSTANCE:
        return {"Machine": [_machine(asset)]}
    if asset.kind in _SORTS:
        return {"CT_User": [_user(asset)]}
    if asset.kind in _WORKLOADS:
        return _workload(finding)
    return {"Resource": [_resource(asset)]}


def _evidence(finding: Finding) -> Iterator[tuple[str, dict[str, Any]]]:
    for tie in finding.ties:
        if tie.how == "actor" and tie.asset.ids and tie.asset.kind in _SORTS:
            yield "CT_User", _user(tie.asset)
        if tie.how == "touches" and tie.asset.ids:
            yield "Resource", _resource(tie.asset)
    for one in finding.indicators:
        if one.kind in _EVIDENCE:
            name, key = _EVIDENCE[one.kind]
            yield name, {"KEY": {key: one.value}, "PROPS": {}}


def entities_of(finding: Finding) -> dict[str, list[dict[str, Any]]]:
    entities: dict[str, list[dict[str, Any]]] = main_entity(finding)
    for name, row in _evidence(finding):
        entities.setdefault(name, []).append(row)
    if finding.asset.region:
        entities["Region"] = [{"KEY": {"region": finding.asset.region}, "PROPS": {"account_list": [finding.asset.account]}}]
    return entities

"""Lacework, writing findings down: alerts with their details, events of the EventBridge channel, vulnerability rows.

A webhook is not written here: it names no asset, so the finding could not be read back from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind, short_hash
from isthmus.model.severity import Severity, Status

_WORDS = {
    Severity.CRITICAL: ("Critical", 1),
    Severity.HIGH: ("High", 2),
    Severity.MEDIUM: ("Medium", 3),
    Severity.LOW: ("Low", 4),
    Severity.INFORMATIONAL: ("Info", 5),
    Severity.UNKNOWN: ("Unknown", 0),
}
_DERIVED = {Kind.THREAT: ("Anomaly", "Application"), Kind.MISCONFIGURATION: ("Policy", "Compliance")}
_SORTS = {AssetKind.ROLE: "AssumedRole", AssetKind.USER: "IAMUser"}
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
_HOST_STATUS = {
    Status.NEW: ("Active", "VULNERABLE"),
    Status.IN_PROGRESS: ("Active", "VULNERABLE"),
    Status.SUPPRESSED: ("Exception", "VULNERABLE"),
    Status.RESOLVED: ("Fixed", "GOOD"),
}
_IMAGE_STATUS = {Status.SUPPRESSED: "EXCEPTION", Status.RESOLVED: "GOOD"}
_FEED = {"cve_batch_id": "5B0D3E7C9A41F2688C7E10D4B35A6F92"}


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else ""


def _number(name: str) -> int:
    """Lacework numbers its alerts and machines."""
    return int(name) if name.isdigit() else int(short_hash(name, length=7), 16)


def _end(given: str) -> str:
    return given.split(":", 5)[-1].replace(":", "/").rsplit("/", 1)[-1] if given.startswith("arn:") else given


def _tags(asset: Asset) -> dict[str, Any]:
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


def _main(finding: Finding) -> dict[str, Any]:
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
        props = {"hostname": f"{asset.name}.internal", "tags": _tags(asset)}
        return {"Machine": [{"KEY": {"mid": _number(asset.ids[0])}, "PROPS": props}]}
    if asset.kind in _SORTS:
        return {"CT_User": [_user(asset)]}
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


def _entities(finding: Finding) -> dict[str, list[dict[str, Any]]]:
    entities: dict[str, list[dict[str, Any]]] = _main(finding)
    for name, row in _evidence(finding):
        entities.setdefault(name, []).append(row)
    if finding.asset.region:
        entities["Region"] = [{"KEY": {"region": finding.asset.region}, "PROPS": {"account_list": [finding.asset.account]}}]
    return entities


def _alert(finding: Finding) -> dict[str, Any]:
    category, group = _DERIVED[finding.kind]
    posture = finding.kind is Kind.MISCONFIGURATION
    machine = finding.asset.kind is AssetKind.INSTANCE and not posture
    return {
        "alertId": _number(finding.source_id),
        "alertName": str(finding.title),
        "alertType": "NewViolations" if posture else finding.rule,
        "severity": _WORDS[finding.severity][0],
        "internetExposure": {True: "Yes", False: "No", None: "UnknownInternetExposure"}[finding.internet],
        "reachability": "UnknownReachability",
        "derivedFields": {
            "category": category,
            "sub_category": group,
            "source": "Agent" if machine else finding.asset.provider.upper(),
        },
        "startTime": _time(finding.times.happened),
        "endTime": _time(finding.times.updated),
        "lastUserUpdatedTime": "" if finding.status is Status.NEW else _time(finding.times.updated),
        "status": "Open" if finding.status.open else "Closed",
        "alertInfo": {"subject": str(finding.title), "description": str(finding.description)},
        "policyId": finding.rule if posture else "",
        "entityMap": _entities(finding),
    }


def _event(finding: Finding) -> dict[str, Any]:
    alert, start, end = str(_number(finding.source_id)), _time(finding.times.happened), _time(finding.times.updated)
    posture = finding.kind is Kind.MISCONFIGURATION
    kind = "NewViolations" if posture else finding.rule
    entities = {
        name: [{key.upper(): value for key, value in (row["PROPS"] | row["KEY"]).items()} for row in rows]
        for name, rows in _entities(finding).items()
    }
    data = {
        "START_TIME": start,
        "END_TIME": end,
        "EVENT_TYPE": kind,
        "EVENT_ID": alert,
        "EVENT_ACTOR": "Compliance" if posture else "Aws",
        "EVENT_MODEL": "AwsCompliance" if posture else "AwsApiTracker",
        "ENTITY_MAP": entities,
    }
    return {
        "version": "0",
        "id": short_hash(alert, length=32),
        "detail-type": "Lacework-Alert",
        "source": "aws.partner/lacework.com",
        "account": finding.asset.account,
        "time": start,
        "region": finding.asset.region,
        "resources": [],
        "detail": {
            "EVENT_ID": alert,
            "EVENT_NAME": str(finding.title),
            "EVENT_TYPE": kind,
            "EVENT_CATEGORY": "Compliance" if posture else "Aws",
            "SUMMARY": str(finding.description),
            "START_TIME": start,
            "SEVERITY": _WORDS[finding.severity][1],
            "SOURCE": "AWS",
            "ACCOUNT": "TIDEWATER",
            "LINK": f"https://tidewater.lacework.net/ui/investigation/monitor/AlertInbox/{alert}/details",
            "EVENT_DETAILS": {"data": [data]},
        },
    }


def _container(finding: Finding) -> dict[str, Any]:
    one, asset = finding.vulnerabilities[0], finding.asset
    registry, _, repository = str(asset.name).partition("/")
    exception = {"exception_name": "accepted", "exception_reason": "Accepted Risk"}
    return {
        "evalCtx": {
            "cve_batch_info": [_FEED],
            "exception_props": [exception] if finding.status is Status.SUPPRESSED else [],
            "image_info": {
                "digest": asset.ids[0],
                "id": asset.ids[-1],
                "registry": registry,
                "repo": repository,
                "status": "Success",
                "tags": ["latest"],
                "type": "Docker",
            },
            "is_reeval": True,
            "request_source": "PLATFORM_SCANNER",
        },
        "evalGuid": short_hash(asset.ids[0], _time(finding.times.updated), length=32),
        "featureKey": {"name": one.package, "namespace": "debian:12", "version": one.version},
        "fixInfo": {"fix_available": int(bool(one.fixed_version)), "fixed_version": one.fixed_version},
        "imageId": asset.ids[-1],
        "severity": _WORDS[finding.severity][0],
        "startTime": _time(finding.times.updated),
        "status": _IMAGE_STATUS.get(finding.status, "VULNERABLE"),
        "vulnId": one.cve,
        "cveProps": _properties(finding),
    }


def _properties(finding: Finding) -> dict[str, Any]:
    one = finding.vulnerabilities[0]
    return _FEED | {
        "description": str(finding.description),
        "link": f"https://nvd.nist.gov/vuln/detail/{one.cve}",
        "metadata": {"NVD": {"CVSSv3": {"Score": one.cvss or 0, "Vectors": one.vector}}},
    }


def _host(finding: Finding) -> dict[str, Any]:
    one, asset = finding.vulnerabilities[0], finding.asset
    status, evaluated = _HOST_STATUS[finding.status]
    exposed = {True: "Yes", False: "No", None: "Unknown"}[finding.internet]
    return {
        "cveProps": _properties(finding),
        "startTime": _time(finding.times.happened),
        "endTime": _time(finding.times.updated),
        "evalCtx": {
            "exception_props": [],
            "hostname": f"{asset.name}.internal",
            "mc_eval_guid": short_hash(asset.ids[0], length=32),
        },
        "featureKey": {"name": one.package, "namespace": "debian:12", "package_active": 1, "version_installed": one.version},
        "fixInfo": {
            "compare_result": "1",
            "eval_status": evaluated,
            "fix_available": str(int(bool(one.fixed_version))),
            "fixed_version": one.fixed_version,
            "version_installed": one.version,
        },
        "machineTags": _tags(asset) | {"lw_InternetExposure": exposed},
        "mid": _number(asset.ids[0]),
        "props": {"first_time_seen": _time(finding.times.happened), "last_updated_time": _time(finding.times.updated)},
        "severity": _WORDS[finding.severity][0],
        "status": status,
        "vulnId": one.cve,
    }


class LaceworkSimulator:
    """Lacework, as a writer of payloads."""

    speaks = frozenset({Kind.THREAT, Kind.MISCONFIGURATION, Kind.VULNERABILITY})

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        if finding.kind is Kind.VULNERABILITY:
            return [_container(finding) if finding.asset.kind is AssetKind.IMAGE else _host(finding)]
        # The event channel never says that an alert was closed.
        return [_alert(finding), _event(finding)] if finding.status.open else [_alert(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        paging = {"rows": len(payloads), "totalRows": len(payloads), "urls": {"nextPage": None}}
        return {"paging": paging, "data": list(payloads)}

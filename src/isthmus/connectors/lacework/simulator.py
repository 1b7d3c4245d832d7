"""Lacework, writing findings down: alerts with their details, events of the EventBridge channel, vulnerability rows.

A webhook is not written here: it names no asset, so the finding could not be read back from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from isthmus.connectors.lacework.simulator_entities import entities_of, main_entity, numbered, tags_of
from isthmus.model.assets import AssetKind
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
_UPPER = {"account": "ACCOUNT_ID", "principalId": "PRINCIPAL_ID"}
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


def _alert(finding: Finding) -> dict[str, Any]:
    category, group = _DERIVED[finding.kind]
    posture = finding.kind is Kind.MISCONFIGURATION
    machine = finding.asset.kind is AssetKind.INSTANCE and not posture
    return {
        "alertId": numbered(finding.source_id),
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
        "entityMap": entities_of(finding),
    }


def _event(finding: Finding) -> dict[str, Any]:
    alert, start, end = str(numbered(finding.source_id)), _time(finding.times.happened), _time(finding.times.updated)
    posture = finding.kind is Kind.MISCONFIGURATION
    kind = "NewViolations" if posture else finding.rule
    entities = {
        name: [{_UPPER.get(key, key.upper()): value for key, value in (row["PROPS"] | row["KEY"]).items()} for row in rows]
        for name, rows in entities_of(finding).items()
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
        "machineTags": tags_of(asset) | {"lw_InternetExposure": exposed},
        "mid": numbered(asset.ids[0]),
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
        # The event channel never says that an alert was closed, and of a machine it says no account.
        told = finding.status.open and "Machine" not in main_entity(finding)
        return [_alert(finding), _event(finding)] if told else [_alert(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        paging = {"rows": len(payloads), "totalRows": len(payloads), "urls": {"nextPage": None}}
        return {"paging": paging, "data": list(payloads)}

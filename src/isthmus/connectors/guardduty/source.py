"""Amazon GuardDuty findings: as EventBridge and the S3 export write them, and as the GetFindings API does."""

from __future__ import annotations

from isthmus.connectors.guardduty.actions import attack, indicators, is_sample, reached_from_outside, was_blocked
from isthmus.connectors.guardduty.cased import Cased
from isthmus.connectors.guardduty.resources import told
from isthmus.contracts.reading import Record, needed
from isthmus.contracts.roles import Claims, NotAnAlert, Shape
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status

_LEVELS = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))


def _severity(value: float | None) -> Severity:
    """GuardDuty's number, 1.0 to 10.0. What is no number (missing, NaN) stays unknown, never low."""
    if value is None:
        return Severity.UNKNOWN
    for least, severity in _LEVELS:
        if value >= least:
            return severity
    return Severity.LOW if value < 4.0 else Severity.UNKNOWN


def _status(service: Cased) -> tuple[Status, str]:
    if is_sample(service):
        return Status.SUPPRESSED, "sample finding"
    if service.flag("archived"):
        return Status.SUPPRESSED, "archived in GuardDuty"
    return Status.NEW, ""


def _internet(finding: Cased) -> bool | None:
    """What S3 says of the bucket, or what was seen to arrive."""
    for bucket in finding.parts("resource", "s3BucketDetails")[:1]:
        said = bucket.text("publicAccess", "effectivePermission")
        if said in ("PUBLIC", "NOT_PUBLIC"):
            return said == "PUBLIC"
    return reached_from_outside(finding.part("service"))


def _privileged(resource: Cased) -> bool | None:
    """True when a container of the finding runs privileged. GuardDuty says nothing of what a principal may do."""
    boxes = [resource.part("containerDetails")] if resource.has("containerDetails") else []
    if resource.has("kubernetesDetails"):
        boxes += resource.parts("kubernetesDetails", "kubernetesWorkloadDetails", "containers")
    return True if any(box.flag("securityContext", "privileged") for box in boxes) else None


def _link(finding: Cased, source_id: str) -> str:
    region = finding.text("region")
    return f"https://{region}.console.aws.amazon.com/guardduty/home?region={region}#/findings?fId={source_id}" if region else ""


def _read(finding: Cased, origin: Origin) -> Claims:
    """One finding. GuardDuty counts repeats into the same finding, so its id is the identity."""
    service = finding.part("service")
    source_id = needed(finding.text("id"), "id")
    needed(finding.text("accountId"), "accountId")
    status, reason = _status(service)
    asset, ties = told(finding)
    first, last = service.when("eventFirstSeen"), service.when("eventLastSeen")
    yield Finding(
        source="guardduty",
        source_id=source_id,
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=finding.text("type"),
        title=Outside(finding.text("title") or finding.text("type")),
        description=Outside(finding.text("description")),
        severity=_severity(finding.number("severity")),
        status=status,
        status_reason=reason,
        asset=asset,
        times=Times(first or finding.when("createdAt"), finding.when("updatedAt"), origin.received),
        first_seen=first,
        last_seen=last,
        attack=attack(finding),
        ties=tuple(dict.fromkeys(ties)),
        indicators=indicators(service),
        internet=_internet(finding),
        privileged=_privileged(finding.part("resource")),
        blocked=was_blocked(service),
        link=_link(finding, source_id),
    )


def read_event(record: Record, origin: Origin) -> Claims:
    """A finding in lower camel case: the `detail` of an EventBridge event, a line of the S3 export."""
    return _read(Cased(record, False), origin)


def read_reply(record: Record, origin: Origin) -> Claims:
    """A finding in Pascal case: GetFindings, the CLI, the SDKs."""
    return _read(Cased(record, True), origin)


def _is_finding(arn: object, service: object, names: tuple[str, str]) -> bool:
    """GuardDuty signs its findings twice: in the ARN and with the detector in the service part."""
    if isinstance(arn, str) and ":guardduty:" in arn:
        return True
    return isinstance(service, dict) and (names[0] in service or service.get(names[1]) == "guardduty")


def _is_event(record: Record) -> bool:
    return _is_finding(record.get("arn"), record.get("service"), ("detectorId", "serviceName"))


def _is_reply(record: Record) -> bool:
    return _is_finding(record.get("Arn"), record.get("Service"), ("DetectorId", "ServiceName"))


class GuardDutySource:
    """GuardDuty, as a teller of problems."""

    shapes = (
        Shape("finding event", frozenset({"id", "accountId", "type", "severity"}), read_event, _is_event),
        Shape("finding of the API", frozenset({"Id", "AccountId", "Type", "Severity"}), read_reply, _is_reply),
    )
    not_alerts = (
        NotAnAlert(
            "the result of a GuardDuty malware scan; a threat found also arrives as a finding",
            frozenset({"scanStatus", "scanResultDetails", "resourceType"}),
        ),
        NotAnAlert("a list of GuardDuty finding ids, not the findings", frozenset({"FindingIds"})),
        NotAnAlert("counts of GuardDuty findings, not the findings", frozenset({"FindingStatistics"})),
    )
    csv_exports = ()
    export_hint = "GuardDuty: the S3 export (JSON lines, may be gzipped), EventBridge events, or `aws guardduty get-findings`"

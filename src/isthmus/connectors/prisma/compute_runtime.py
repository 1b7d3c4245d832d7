"""Prisma Cloud Compute at run time: audits of containers, hosts, functions and tasks, and the incidents they add up to."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.connectors.prisma.places import indicators, spoken, workload
from isthmus.connectors.prisma.techniques import attack_of
from isthmus.contracts.reading import Record, first_text, flag, items, needed, text, when, words
from isthmus.contracts.roles import Claims
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status, severity_named, status_named

STOPPED = {"block", "prevent", "ban"}
"""Effects by which Compute says it stopped what it saw."""

_CATEGORIES = {
    "hijackedProcess": Severity.HIGH,
    "dataExfiltration": Severity.HIGH,
    "backdoorAdministrativeAccount": Severity.HIGH,
    "backdoorSSHAccess": Severity.HIGH,
    "cryptoMiner": Severity.HIGH,
    "lateralMovement": Severity.HIGH,
    "alteredBinary": Severity.HIGH,
    "suspiciousBinary": Severity.HIGH,
    "executionFlowHijackAttempt": Severity.HIGH,
    "reverseShell": Severity.HIGH,
    "malware": Severity.HIGH,
    "kubernetes": Severity.MEDIUM,
    "cloudProvider": Severity.MEDIUM,
    "portScanning": Severity.MEDIUM,
    "bruteForce": Severity.MEDIUM,
    "customRule": Severity.MEDIUM,
}
_TYPES = {"processes", "network", "kubernetes", "filesystem"}


def severity_of_category(category: str) -> Severity:
    """Compute gives incidents no severity. Categories that mean somebody is inside are high, as their audits are;
    those that are an attempt, a probe or a customer's own rule are medium. One we do not know stays unknown.
    """
    return _CATEGORIES.get(category, Severity.UNKNOWN)


def _seen(audit: Record) -> Iterator[tuple[str, str]]:
    yield "ip", text(audit, "ip")
    yield "domain", text(audit, "domain")
    yield "process", first_text(audit, "command", "processPath")
    yield "hash", first_text(audit, "sha256", "md5")


def read_runtime(record: Record, origin: Origin) -> Claims:
    """One runtime audit. It is an event: it has no status, and its effect says whether Compute stopped it."""
    asset, ties = workload(record)
    happened = when(record, "time")
    rule = first_text(record, "attackType", "type")
    yield Finding(
        source="prisma",
        source_id=needed(text(record, "_id"), "_id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=rule,
        title=Outside(spoken(rule)),
        description=Outside(text(record, "msg")),
        severity=severity_named(text(record, "severity")),
        asset=asset,
        times=Times(happened, happened, origin.received),
        first_seen=happened,
        last_seen=happened,
        attack=attack_of(words(record, "attackTechniques")),
        ties=ties,
        indicators=indicators(_seen(record)),
        blocked=text(record, "effect").lower() in STOPPED,
        link=text(record, "wildFireReportURL"),
    )


def _worst(audits: list[dict[str, object]], category: str) -> Severity:
    named = [severity_named(word) for audit in audits if (word := text(audit, "severity"))]
    return max(named, key=lambda one: one.weight) if named else severity_of_category(category)


def read_incident(record: Record, origin: Origin) -> Claims:
    """An incident: a chain of audits. Acknowledging one moves it to Compute's archive, so it reads as archived."""
    asset, ties = workload(record)
    audits, category = items(record, "audits"), needed(text(record, "category"), "category")
    moments = sorted(moment for one in (record, *audits) if (moment := when(one, "time")))
    effects = [text(audit, "effect").lower() for audit in audits]
    known = flag(record, "acknowledged") or False
    yield Finding(
        source="prisma",
        source_id=needed(text(record, "_id"), "_id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=category,
        title=Outside(text(record, "customRuleName") or spoken(category)),
        description=Outside(" | ".join(dict.fromkeys(one for audit in audits if (one := text(audit, "msg"))))),
        severity=_worst(audits, category),
        status=status_named("archived") if known else Status.NEW,
        status_reason="acknowledged" if known else "",
        asset=asset,
        times=Times(moments[0] if moments else None, moments[-1] if moments else None, origin.received),
        first_seen=moments[0] if moments else None,
        last_seen=moments[-1] if moments else None,
        attack=attack_of(name for audit in audits for name in words(audit, "attackTechniques")),
        ties=ties,
        indicators=indicators(pair for audit in audits for pair in _seen(audit)),
        blocked=bool(effects) and STOPPED.issuperset(effects),
    )


def is_runtime(record: Record) -> bool:
    kind = record.get("type")
    return "attackType" in record or (isinstance(kind, str) and kind in _TYPES)


def is_incident(record: Record) -> bool:
    return isinstance(record.get("audits"), list) or ("serialNum" in record and "audits" in record)

"""What an OCSF finding says beside the asset: state, severity, evidence, exposure, requirements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from isthmus.contracts.reading import Record, flag, items, number, section, techniques, text, value_at, when, words
from isthmus.model.findings import Indicator
from isthmus.model.severity import Severity, Status, severity_named, status_named

_SEVERITIES = {
    1.0: Severity.INFORMATIONAL,
    2.0: Severity.LOW,
    3.0: Severity.MEDIUM,
    4.0: Severity.HIGH,
    5.0: Severity.CRITICAL,
    6.0: Severity.CRITICAL,
}
_STATES = {
    1.0: Status.NEW,
    2.0: Status.IN_PROGRESS,
    3.0: Status.SUPPRESSED,
    4.0: Status.RESOLVED,
    5.0: Status.SUPPRESSED,
    6.0: Status.RESOLVED,
}
"""New, in progress, suppressed, resolved, archived, deleted."""
_OBSERVABLES = {1.0: "domain", 2.0: "ip", 8.0: "hash", 9.0: "process"}
_TRAITS = {"MALICIOUS_DOMAIN": "domain", "MALICIOUS_IP": "ip", "TOR_IP": "ip", "HIGH_RISK_API": "api"}
_STOPPED = (2.0, 3.0, 4.0, 5.0, 6.0)
"""`disposition_id`: blocked, quarantined, isolated, deleted, dropped."""
_PRIVATE = ("10.", "192.168.", "127.", "169.254.", "fd", "fe80:", *(f"172.{part}." for part in range(16, 32)))
_PASSED = ("PASS", "PASSED", "COMPLIANT")
_MITRE = "MITRE"

Pairs = Iterator[tuple[str, str]]


def severity_of(record: Record) -> Severity:
    """`severity_id`; a producer's own word (99, or no number) by the word."""
    return _SEVERITIES.get(number(record, "severity_id") or 0.0) or severity_named(text(record, "severity"))


def outcome(record: Record) -> str:
    """PASS, FAIL or MANUAL, where the finding is the result of a check; empty otherwise."""
    code = text(record, "status_code").upper()
    if code in ("PASS", "FAIL", "MANUAL"):
        return code
    if not record.get("compliance"):
        return ""
    said = text(record, "compliance", "status").upper()
    if said in _PASSED or number(record, "compliance", "status_id") == 1.0:
        return "PASS"
    return "FAIL" if said else ""


def status_of(record: Record, key: str = "status") -> tuple[Status, str]:
    """Where the finding stands. What people closed or muted stays so; then the result of the check decides."""
    state = number(record, f"{key}_id") or 0.0
    said = _STATES.get(state) or status_named(text(record, key))
    if not said.open:
        return said, ""
    result = outcome(record)
    if result == "PASS":
        return Status.RESOLVED, "the check passed"
    if number(record, "activity_id") == 3.0:
        return Status.RESOLVED, "closed by its source"
    if result == "MANUAL":
        return Status.SUPPRESSED, "the check must be made by hand"
    return said, ""


def moment(record: Record, name: str) -> datetime | None:
    """`name` as epoch, else as text: Prowler's text is the scanner's local time without a zone, its epoch is right."""
    return when(record, name) or when(record, f"{name}_dt")


def _requirement(said: str) -> tuple[str, str]:
    """`CIS AWS Foundations Benchmark v1.2.0/1.22` and `NIST.800-53.r5 AC-3` are both framework and requirement."""
    framework, _, requirement = said.rpartition("/") if "/" in said else said.rpartition(" ")
    return framework, requirement


def _unmapped(record: Record) -> Pairs:
    """Prowler's `unmapped.compliance`. `unmapped` is free by definition: what is not as Prowler writes it is left alone."""
    unmapped = record.get("unmapped")
    given = unmapped.get("compliance") if isinstance(unmapped, dict) else None
    for framework, listed in given.items() if isinstance(given, dict) else ():
        if isinstance(listed, list):
            yield from ((framework, one) for one in listed if isinstance(one, str))


def requirements(record: Record) -> list[tuple[str, str]]:
    """(framework, requirement) of the OCSF `compliance` object and of Prowler's."""
    compliance = section(record, "compliance")
    if not compliance:
        return list(_unmapped(record))
    control = text(compliance, "control") or text(compliance, "security_control_id")
    rows = [_requirement(said) for said in words(compliance, "requirements")]
    rows += [(one.removeprefix("standards/").removeprefix("ruleset/"), control) for one in words(compliance, "standards")]
    return rows + list(_unmapped(record))


def attack_of(record: Record, info: Record, rows: list[tuple[str, str]]) -> tuple[str, ...]:
    """Techniques of `attacks`, by id or at the head of the name, and of Prowler's MITRE mapping."""
    given = [requirement for framework, requirement in rows if framework.startswith(_MITRE)]
    for one in [*items(info, "attacks"), *items(record, "attacks")]:
        for part in ("technique", "sub_technique"):
            if part in one:
                given += [text(one, part, "uid"), text(one, part, "name")]
    return techniques(*given)


def _of_evidence(evidence: Record) -> Pairs:
    for side in ("src_endpoint", "dst_endpoint"):
        if side in evidence:
            yield "ip", text(evidence, side, "ip")
            yield "domain", text(evidence, side, "domain") or text(evidence, side, "hostname")
    if "query" in evidence:
        yield "domain", text(evidence, "query", "hostname")
    if "api" in evidence:
        operation, service = text(evidence, "api", "operation"), text(evidence, "api", "service", "name")
        yield "api", f"{service.partition('.')[0]}:{operation}" if operation and service else operation
    if "process" in evidence:
        yield "process", text(evidence, "process", "cmd_line") or text(evidence, "process", "file", "path")


def indicators(record: Record, info: Record) -> tuple[Indicator, ...]:
    """Things seen: evidence, observables and AWS's traits. Private addresses are the estate's own and are left out."""
    seen = [one for evidence in items(record, "evidences") for one in _of_evidence(evidence)]
    for one in items(record, "observables"):
        kind = _OBSERVABLES.get(number(one, "type_id") or 0.0)
        if kind:
            seen.append((kind, text(one, "value")))
    for one in items(info, "traits"):
        kind = _TRAITS.get(text(one, "name"))
        if kind:
            seen += [(kind, value) for value in words(one, "values")]
    kept = dict.fromkeys(one for one in seen if one[1] and not (one[0] == "ip" and one[1].startswith(_PRIVATE)))
    return tuple(Indicator(kind, value) for kind, value in kept)


def _traits(info: Record) -> Pairs:
    """(trait, value) of the findings an exposure finding is made of."""
    for event in items(info, "related_events"):
        for trait in [*items(event, "tags"), *items(event, "traits")]:
            yield from ((text(trait, "category") or text(trait, "name"), value) for value in words(trait, "values"))


def _arrived(record: Record) -> bool:
    """Whether evidence shows an incoming connection of an outside address that nobody stopped: seen is proven."""
    if was_stopped(record):
        return False
    incoming = [one for one in items(record, "evidences") if number(one, "connection_info", "direction_id") == 1.0]
    addresses = [text(one, "src_endpoint", "ip") for one in incoming]
    return any(address and not address.startswith(_PRIVATE) for address in addresses)


def internet_of(record: Record, info: Record) -> bool | None:
    """A bucket's own flag, an exposure's reachability trait, an attack that arrived, or Prowler's category of a check
    that failed.
    """
    public = flag(record, "databucket", "is_public")
    if public is not None:
        return public
    reach = [value.lower() for name, value in _traits(info) if name == "Reachability"]
    if any("internet" in value or "public" in value for value in reach) or _arrived(record):
        return True
    unmapped = record.get("unmapped")
    categories = unmapped.get("categories") if isinstance(unmapped, dict) else None
    exposed = isinstance(categories, list) and "internet-exposed" in categories
    return True if exposed and outcome(record) == "FAIL" else None


def sensitive_of(record: Record, info: Record) -> bool | None:
    """True where sensitive data was found; nobody reports that a thing holds none."""
    found = value_at(record, "databucket", "file", "data_classifications") or value_at(record, "data_classifications")
    traits = any(name == "Sensitive Data" for name, _ in _traits(info))
    return True if found or value_at(record, "data_classification") or traits else None


def was_stopped(record: Record) -> bool:
    return number(record, "disposition_id") in _STOPPED or number(record, "action_id") == 2.0

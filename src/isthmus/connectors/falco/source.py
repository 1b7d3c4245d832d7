"""Falco events, as Falco writes them (`json_output: true`) or Falcosidekick forwards them.

An event has no id of its own (the `uuid` is new with every event), so the same rule in the same place is one finding
that happens again.
"""

from __future__ import annotations

from isthmus.connectors.falco.places import field, place_of
from isthmus.contracts.reading import Record, first_text, needed, section, techniques, text, when, words
from isthmus.contracts.roles import Claims, CsvExport, NotAnAlert, Shape
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Indicator, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

_PRIORITIES = {
    "emergency": Severity.CRITICAL,
    "alert": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "notice": Severity.LOW,
    "informational": Severity.INFORMATIONAL,
    "info": Severity.INFORMATIONAL,
    "debug": Severity.INFORMATIONAL,
}
_INDICATORS = (
    ("ip", "fd.rip"),
    ("ip", "fd.sip"),
    ("ip", "ct.srcip"),
    ("ip", "ka.sourceips"),
    ("domain", "fd.rip.name"),
    ("domain", "fd.sip.name"),
    ("process", "proc.cmdline"),
    ("user_agent", "ct.useragent"),
    ("user_agent", "ka.useragent"),
    ("api", "ct.name"),
)
_INSIDE = ("10.", "127.", "169.254.", "192.168.", "0.", "::1", *(f"172.{second}." for second in range(16, 32)))
_PRIVILEGED = {"true": True, "false": False}


def _indicators(fields: Record) -> tuple[Indicator, ...]:
    """What the event saw. A server address may be our own end of the connection: inside addresses are left out."""
    found = []
    for kind, name in _INDICATORS:
        value = fields.get(name)
        for one in words(fields, name) if isinstance(value, list) else (field(fields, name),):
            if one and not (kind == "ip" and one.startswith(_INSIDE)):
                found.append(Indicator(kind, one))
    return tuple(dict.fromkeys(found))


def read_event(record: Record, origin: Origin) -> Claims:
    """One event. Falco has no status: it saw something happen, and what became of it is ours to say."""
    fields = section(record, "output_fields")
    rule = needed(first_text(record, "rule", "Rule"), "rule")
    place = place_of(record, fields)
    happened = when(record, "time")
    yield Finding(
        source="falco",
        source_id=f"{rule}@{place.word}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=rule,
        title=Outside(rule),
        description=Outside(text(record, "output")),
        severity=_PRIORITIES.get(text(record, "priority").lower(), Severity.UNKNOWN),
        asset=place.asset,
        times=Times(happened, happened, origin.received),
        first_seen=happened,
        last_seen=happened,
        attack=techniques(*words(record, "tags")),
        ties=place.ties,
        indicators=_indicators(fields),
        privileged=_PRIVILEGED.get(field(fields, "container.privileged").lower()),
    )


def _is_event(record: Record) -> bool:
    return ("rule" in record or "Rule" in record) and record.get("source") != "internal"


class FalcoSource:
    """Falco, as a teller of problems."""

    shapes = (Shape("event", frozenset({"priority", "time", "output_fields"}), read_event, _is_event),)
    not_alerts = (
        NotAnAlert(
            "a message of Falco about itself (metrics, dropped events), not an alert",
            frozenset({"priority", "rule", "time", "source"}),
            lambda record: record.get("source") == "internal",
        ),
    )
    csv_exports: tuple[CsvExport, ...] = ()
    export_hint = "Falco: set json_output: true and take the output file, or point Falcosidekick's webhook output here"

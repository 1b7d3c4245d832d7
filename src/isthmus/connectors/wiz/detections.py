"""Wiz Defend detections, from the API and from a Defend webhook."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.wiz.entities import entity
from isthmus.contracts.reading import (
    Record,
    first_text,
    first_when,
    flag,
    items,
    needed,
    section,
    techniques,
    text,
    value_at,
    words,
)
from isthmus.contracts.roles import Claims
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Indicator, Kind, Tie, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named


def _detection_events(record: Record) -> list[dict[str, Any]]:
    """Triggering events: a list in the webhook, `{nodes}` in the API."""
    inside = value_at(record, "triggeringEvents")
    return items(record, "triggeringEvents", "nodes") if isinstance(inside, dict) else items(record, "triggeringEvents")


def _detection_indicators(record: Record) -> tuple[Indicator, ...]:
    found = set()
    for event in _detection_events(record):
        found |= {Indicator("ip", text(event, "actorIP")), Indicator("process", text(event, "commandLine"))}
    for actor in (*items(record, "actors"), section(record, "primaryActor")):
        if text(actor, "type") == "NETWORK_ADDRESS":
            found.add(Indicator("ip", first_text(actor, "externalId", "name")))
        else:
            found.add(Indicator("access_key", text(actor, "accessKeyId")))
    return tuple(sorted((one for one in found if one.value), key=lambda one: (one.kind, one.value)))


def _detection_ties(record: Record, account: str, provider: str, main: str) -> tuple[Tie, ...]:
    actor = section(record, "primaryActor")
    ties = []
    if actor and text(actor, "type") != "NETWORK_ADDRESS":
        ties.append(Tie("actor", entity(actor, account, provider)))
    ties += [Tie("touches", entity(row, account, provider)) for row in items(record, "resources") if text(row, "id") != main]
    return tuple(ties)


def _joined_techniques(record: Record) -> tuple[str, ...]:
    """The webhook writes `TA0043-T1595`; the API puts techniques into sub-categories."""
    rows = items(record, "ruleMatch", "rule", "securitySubCategories")
    return techniques(
        *(name.replace("-", " ") for name in words(record, "mitreTechniques")), *(text(row, "title") for row in rows)
    )


def read_detection(record: Record, origin: Origin) -> Claims:
    """A Wiz Defend detection, from the API or a Defend webhook. `MATCH_ONLY` raised no threat: it is informational."""
    clouds = items(record, "cloudAccounts")
    account = first_text(clouds[0], "externalId") if clouds else ""
    provider = first_text(clouds[0], "cloudProvider", "cloudPlatform") if clouds else ""
    main = section(record, "primaryResource") or next(iter(items(record, "resources")), {})
    updated = first_when(record, "updatedAt", "endedAt", "timeframe.end", "createdAt")
    happened = first_when(record, "startedAt", "timeframe.start", "createdAt")
    title = first_text(record, "title", "ruleMatch.rule.name")
    yield Finding(
        source="wiz",
        source_id=needed(text(record, "id"), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=first_text(record, "tdrId", "ruleMatch.rule.id"),
        title=Outside(title or text(record, "description")),
        description=Outside(text(record, "description")),
        severity=severity_named(text(record, "severity")),
        asset=entity(main, account, provider),
        times=Times(happened, updated, origin.received),
        first_seen=happened,
        last_seen=updated,
        attack=_joined_techniques(record),
        ties=_detection_ties(record, account, provider, text(main, "id")),
        indicators=_detection_indicators(record),
        privileged=flag(record, "primaryActor", "hasAdminPrivileges"),
        link=first_text(record, "threatURL", "issue.url", "url"),
    )

"""Security alerts of Microsoft Defender: from the REST API, Event Hub or Logic Apps, and as rows of Sentinel."""

from __future__ import annotations

from datetime import datetime

from isthmus.connectors.defender.entities import Entities
from isthmus.connectors.defender.resources import is_resource, resource
from isthmus.connectors.defender.spelling import part, rows, said, said_when, unfolded
from isthmus.contracts.reading import Record, needed, techniques, text, words
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named, status_named


def _protected(alert: Record) -> str:
    """The Azure id an alert is filed under: the resource where it gives one, else the subscription."""
    given = [said(alert, "azureResourceId", "resourceId")]
    given += [said(row, "azureResourceId") for row in rows(alert, "resourceIdentifiers")]
    return next((own for own in given if is_resource(own)), next((own for own in given if own), ""))


def _place(alert: Record, extended: Record, entities: Entities) -> tuple[Asset, Asset | None]:
    """What the alert is about, and the cluster it is in if it is a pod.

    An alert about another cloud is filed under a connector, so the entity says more. One that is filed only under the
    subscription, or (from a Defender that knows no Azure) under nothing, is about the first of its entities that is
    a resource, a machine or a person.
    """
    filed, shown = _protected(alert), said(alert, "compromisedEntity")
    foreign = entities.foreign()
    if foreign is not None and "/securityconnectors/" in f"{filed}/".lower():
        ids = tuple(dict.fromkeys((*foreign.ids, *((filed,) if "/securityentitydata/" in filed.lower() else ()))))
        return Asset(foreign.kind, foreign.provider, foreign.account, foreign.region, foreign.name, ids), None
    own = filed if is_resource(filed) else next(entities.azure(), "")
    if own:
        kind = said(extended, "resourceType")
        asset = _named(own, kind)
        pod = entities.pod(asset) if asset.kind is AssetKind.CLUSTER else None
        return (pod, asset) if pod else (asset, None)
    found = foreign or entities.machine(shown) or next(entities.people(), None)
    return found or resource(filed, name=shown), None


def _named(own: str, kind: str) -> Asset:
    """The id's own type says more than the words a person reads (`Virtual Machine`), which serve where it is unknown."""
    asset = resource(own)
    return asset if asset.kind is not AssetKind.OTHER else resource(own, words=(kind,))


def _extended(alert: Record) -> Record:
    return part({"extendedProperties": unfolded(alert, "extendedProperties")}, "extendedProperties")


def _attack(alert: Record, extended: Record) -> tuple[str, ...]:
    """Techniques, as lists, as a list in a text, or among the extended properties."""
    given: list[str] = []
    for name in ("techniques", "Techniques", "subTechniques", "SubTechniques"):
        if name in alert:
            given += words(alert, name)
    return techniques(*given) or techniques(said(extended, "mitreTechniques"))


def _rule(alert: Record, extended: Record) -> str:
    """The alert type. Defender for Endpoint has one type for all it detects; there the detector tells them apart."""
    kind, detector = said(alert, "alertType"), said(extended, "detectorId")
    return f"{kind}/{detector}" if detector and detector != kind else kind


def _read(alert: Record, own: str, origin: Origin) -> Finding:
    entities, extended = Entities(alert), _extended(alert)
    asset, cluster = _place(alert, extended, entities)
    happened = said_when(alert, "startTimeUtc", "startTime", "timeGeneratedUtc", "timeGenerated")
    return Finding(
        source="defender",
        source_id=needed(own.lower(), "systemAlertId"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=_rule(alert, extended),
        title=Outside(said(alert, "alertDisplayName", "displayName", "alertName", "alertType")),
        description=Outside(said(alert, "description")),
        severity=severity_named(said(alert, "severity", "alertSeverity")),
        status=status_named(said(alert, "status")),
        asset=asset,
        times=Times(happened, _updated(alert), origin.received),
        first_seen=happened,
        last_seen=said_when(alert, "endTimeUtc", "endTime") or happened,
        attack=_attack(alert, extended),
        ties=entities.ties(asset, cluster),
        indicators=entities.indicators(),
        link=said(alert, "alertUri", "alertLink"),
    )


def _updated(alert: Record) -> datetime | None:
    """Of a row of Sentinel, when it was written; else when Defender was done with the alert."""
    if "VendorOriginalId" in alert:
        return said_when(alert, "timeGenerated")
    return said_when(alert, "processingEndTimeUtc", "processingEndTime", "timeGeneratedUtc", "timeGenerated", "startTimeUtc")


def read_alert(record: Record, origin: Origin) -> Claims:
    """An alert as `Microsoft.Security/locations/alerts` returns it. Its name is what the other forms call SystemAlertId."""
    alert = part(record, "properties")
    yield _read(alert, text(record, "name") or said(alert, "systemAlertId"), origin)


def read_exported(record: Record, origin: Origin) -> Claims:
    """An alert as continuous export and Logic Apps hand it over: flat."""
    yield _read(record, text(record, "SystemAlertId"), origin)


def read_sentinel(record: Record, origin: Origin) -> Claims:
    """A row of Sentinel's `SecurityAlert`. Its `SystemAlertId` is Sentinel's own; the alert's is `VendorOriginalId`.

    Each change of an alert is a new row, so the row's time is the time of the change.
    """
    yield _read(record, text(record, "VendorOriginalId") or text(record, "SystemAlertId"), origin)

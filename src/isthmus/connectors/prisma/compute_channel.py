"""Alerts of Prisma Cloud Compute's XSOAR channel (`/xsoar-alerts`): audits, incidents, discovery, compliance, vulnerabilities.

The channel flattens what it tells: names instead of ids, and, but for vulnerabilities, no severity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.connectors.prisma.compute_runtime import severity_of_category
from isthmus.connectors.prisma.compute_scan import Scan, benchmark, vulnerability
from isthmus.connectors.prisma.places import account_of, given, indicators, spoken
from isthmus.contracts.reading import Record, controls, each, first_text, flag, items, needed, text, when
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, status_named

_SERVICES = {
    "aws-ecr": AssetKind.REPOSITORY,
    "azure-acr": AssetKind.REPOSITORY,
    "gcp-gcr": AssetKind.REPOSITORY,
    "aws-lambda": AssetKind.FUNCTION,
    "azure-functions": AssetKind.FUNCTION,
    "gcp-functions": AssetKind.FUNCTION,
    "aws-eks": AssetKind.CLUSTER,
    "aws-ecs": AssetKind.CLUSTER,
    "azure-aks": AssetKind.CLUSTER,
    "gcp-gke": AssetKind.CLUSTER,
    "aws-ec2": AssetKind.INSTANCE,
    "azure-vm": AssetKind.INSTANCE,
    "gcp-vm-instance": AssetKind.INSTANCE,
}


def _named(record: Record) -> Asset:
    """The thing an alert names: container, function, task, image or host, in this order. A name is no identity."""
    said = (
        (AssetKind.CONTAINER, first_text(record, "container", "containerName")),
        (AssetKind.FUNCTION, text(record, "function")),
        (AssetKind.CONTAINER, text(record, "appID")),
        (AssetKind.IMAGE, first_text(record, "image", "imageName")),
        (AssetKind.INSTANCE, first_text(record, "host", "hostname", "fqdn")),
    )
    kind, name = next((one for one in said if one[1]), (asset_kind(text(record, "type")), ""))
    own = text(record, "imageID") if kind is AssetKind.IMAGE else ""
    return Asset(
        kind=kind,
        provider=text(record, "provider").lower(),
        account=account_of(record, "accountID"),
        region=text(record, "region"),
        name=Outside(name),
        ids=given(own, f"prisma:{text(record, 'appID')}" if text(record, "appID") and name == text(record, "appID") else ""),
    )


def _audit(record: Record, origin: Origin) -> Claims:
    """An audit or an incident. Its category decides how grave it is; one without a category stays unknown."""
    category, happened = text(record, "category"), when(record, "time")
    rule = category or first_text(record, "activityType", "type")
    yield Finding(
        source="prisma",
        source_id=needed(text(record, "_id"), "_id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.THREAT,
        rule=rule,
        title=Outside(text(record, "rule") if category == "customRule" and text(record, "rule") else spoken(rule)),
        description=Outside(first_text(record, "message", "line")),
        severity=severity_of_category(category),
        asset=_named(record),
        times=Times(happened, happened, origin.received),
        first_seen=happened,
        last_seen=happened,
        indicators=indicators([("process", text(record, "command"))]),
        link=text(record, "forensicLink"),
    )


def _discovered(record: Record, entity: Record, origin: Origin) -> Finding:
    """A resource the account has, watched by Prisma or not. Low: out of sight is not yet open."""
    service, seen = text(record, "serviceType"), when(record, "time")
    account, region = account_of(record, "accountID"), text(record, "region")
    name = first_text(entity, "name", "arn")
    own = text(entity, "arn") or "/".join(given(text(record, "registry"), needed(name, "arn")))
    return Finding(
        source="prisma",
        source_id="/".join(given("cloudDiscovery", service, account, region, own)),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION,
        rule=f"cloudDiscovery/{service}",
        title=Outside(f"{name} is not protected by Prisma Cloud"),
        severity=Severity.LOW,
        status=status_named("pass" if flag(entity, "protected") else ""),
        asset=Asset(
            kind=_SERVICES.get(service, AssetKind.OTHER),
            provider=text(record, "provider").lower(),
            account=account,
            region=region,
            name=Outside(name),
            ids=(own,),
        ),
        times=Times(seen, seen, origin.received),
        last_seen=seen,
    )


def _check(record: Record, part: Record, origin: Origin) -> Finding:
    """A failed check. The channel says no severity: medium, as most of Prisma's own checks are."""
    rule, title, seen = needed(text(part, "id"), "id"), text(part, "description"), when(record, "time")
    return Finding(
        source="prisma",
        source_id="/".join((needed(text(record, "_id"), "_id"), "check", rule)),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION,
        rule=rule,
        title=Outside(title or f"Compliance check {rule}"),
        severity=Severity.MEDIUM,
        asset=_named({**record, "type": text(part, "type") or text(record, "type")}),
        times=Times(seen, seen, origin.received),
        last_seen=seen,
        controls=controls(benchmark(title)),
    )


def _vulnerabilities(record: Record, origin: Origin) -> Claims:
    """The new vulnerabilities of an image; without a digest it is known by its reference, which a push may move."""
    asset = _named(record)
    key = asset.ids[0] if asset.ids else needed(str(asset.name) or text(record, "_id"), "imageName")
    scan = Scan(origin, asset, key, at=when(record, "time"))
    parts = _some(record, "vulnerabilities")
    yield from each(parts, "vulnerabilities", lambda part: vulnerability(scan, part))


def _some(record: Record, name: str) -> list[dict[str, object]]:
    parts = items(record, name)
    if not parts:
        raise Untrusted("lists nothing to triage", name)
    return parts


def _discovery(record: Record, origin: Origin) -> Claims:
    yield from each(_some(record, "entities"), "entities", lambda part: _discovered(record, part, origin))


def _compliance(record: Record, origin: Origin) -> Claims:
    yield from each(_some(record, "compliance"), "compliance", lambda part: _check(record, part, origin))


_READERS: Mapping[str, Callable[[Record, Origin], Claims]] = {
    "audit": _audit,
    "incident": _audit,
    "cloudDiscovery": _discovery,
    "compliance": _compliance,
    "vulnerability": _vulnerabilities,
}


def read_channel(record: Record, origin: Origin) -> Claims:
    """One alert of the channel, by its kind."""
    kind = text(record, "kind")
    if kind not in _READERS:
        raise Untrusted("a kind of alert Prisma Cloud's XSOAR channel did not have when this was written", "kind")
    yield from _READERS[kind](record, origin)


def is_channel(record: Record) -> bool:
    kind = record.get("kind")
    return isinstance(kind, str) and kind in _READERS

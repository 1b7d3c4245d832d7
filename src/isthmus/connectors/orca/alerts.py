"""Orca alerts as the alert API and the webhook write them: flat, with a `state`.

A webhook body is a template its user may edit. One that carries the whole alert is read like the API's; one without
`state` is a hint, which the same alert read through the API outranks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from isthmus.connectors.orca.scales import kind_of, severity_of
from isthmus.contracts.reading import (
    Record,
    by_name,
    controls,
    cves,
    first_text,
    flag,
    items,
    needed,
    number,
    section,
    techniques,
    text,
    value_at,
    when,
    words,
)
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Indicator, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import status_named

_ON_A_MACHINE = frozenset({AssetKind.CONTAINER, AssetKind.POD})
_CODE = "shiftleft"
_SENSITIVE = frozenset({"pii", "sensitive_data"})


def link_to(alert: str) -> str:
    """Where a person sees the alert; empty for an id that is not Orca's own."""
    return f"https://app.orcasecurity.io/alerts/{alert}" if alert.startswith("orca-") else ""


def clouds_of(provider: str, account: str) -> tuple[str, str]:
    """Provider and account; Orca calls scanned code the provider `shiftleft`, which is no cloud and has no account."""
    name = provider.lower()
    return ("", "") if name == _CODE else (name, account)


def pairs(record: Record, *path: str) -> tuple[tuple[str, Outside], ...]:
    """Tags written as `name|value`, sorted."""
    split = (given.partition("|") for given in words(record, *path))
    return by_name((name, Outside(value)) for name, _, value in split)


def unique(*given: str) -> tuple[str, ...]:
    """The non-empty ones, each once, in order."""
    return tuple(dict.fromkeys(one for one in given if one))


def cloud_name(given: str) -> str:
    """The value if it is a name a cloud gives (ARN, Azure or GCP path), else nothing."""
    return given if given.startswith(("arn:", "/subscriptions/", "//", "projects/")) else ""


def exposed(labels: tuple[str, ...], stated: bool | None) -> bool | None:
    """Orca's label or its flag; the label is only ever there when it holds."""
    return True if "internet_facing" in labels else stated


def sensitive(labels: tuple[str, ...]) -> bool | None:
    return None if _SENSITIVE.isdisjoint(labels) else True


def latest(record: Record, *paths: str) -> datetime | None:
    """The last of several moments: whichever of them moved, the source changed then."""
    found = [moment for path in paths if (moment := when(record, *path.split("."))) is not None]
    return max(found, default=None)


def named(alert: str, ids: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The ids; an asset the alert does not name at all is its own, so that two unnamed ones are not taken for one."""
    return ids if ids or name else (f"orca:alert/{alert}",)


def _asset(record: Record, alert: str) -> Asset:
    kind = asset_kind(
        text(record, "asset_type_string"),
        text(record, "asset_type"),
        text(record, "model", "type"),
        text(record, "subject_type"),
    )
    own, machine = text(record, "asset_unique_id"), text(record, "vm_id")
    model = section(record, "model", "data", text(record, "model", "type"))
    provider, account = clouds_of(text(record, "cloud_provider"), first_text(record, "cloud_vendor_id", "cloud_provider_id"))
    ids = unique(
        cloud_name(text(model, "Arn")),
        text(record, "asset_vendor_id"),
        machine if kind is AssetKind.INSTANCE else "",
        f"orca:{own}" if own else "",
    )
    return Asset(
        kind=kind,
        provider=provider,
        account=account,
        region=next(iter(words(record, "asset_regions")), "") or text(record, "model", "data", "Inventory", "Region"),
        name=Outside(text(record, "asset_name")),
        ids=named(alert, ids, text(record, "asset_name")),
        tags=pairs(record, "asset_tags_info_list") or pairs(record, "tags_info_list"),
    )


def _ties(record: Record, asset: Asset) -> tuple[Tie, ...]:
    machine, own = text(record, "vm_id"), text(record, "vm_asset_unique_id")
    image = text(record, "asset_image_id")
    ties = []
    if asset.kind in _ON_A_MACHINE and (machine or own):
        ids = unique(machine, f"orca:{own}" if own else "")
        ties.append(Tie("runs_on", Asset(AssetKind.INSTANCE, asset.provider, asset.account, asset.region, ids=ids)))
    if image:
        ties.append(Tie("uses_image", Asset(AssetKind.IMAGE, asset.provider, asset.account, asset.region, ids=(image,))))
    return tuple(ties)


def _malware(record: Record) -> tuple[Indicator, ...]:
    """Hashes of the files Orca found; `findings` is an object by sort of finding, or a list of asset properties."""
    if not isinstance(value_at(record, "findings"), dict):
        return ()
    found = {first_text(row, "sha256", "sha1", "md5") for row in items(record, "findings", "malware")}
    return tuple(Indicator("hash", one) for one in sorted(found) if one)


def _cve(row: dict[str, Any], package: str, version: str) -> Vulnerability:
    affected = next(iter(words(row, "affected_packages")), "")
    return Vulnerability(
        cve=text(row, "cve_id").upper(),
        package=package or affected,
        version=version,
        fixed_version=text(row, "patched_version"),
        cvss=number(row, "cvss_score"),
        vector=text(row, "cvss_vector"),
        exploit_exists=flag(row, "exploitable") or False,
    )


def vulnerabilities(
    rows: list[dict[str, Any]], named: tuple[str, ...], package: str, version: str
) -> tuple[Vulnerability, ...]:
    """What Orca says of each CVE, and those it only names. Advisories without a CVE id are left to the title."""
    told = [_cve(row, package, version) for row in rows if cves(text(row, "cve_id"))]
    known = {one.cve for one in told}
    told += [Vulnerability(cve, package, version) for cve in cves(*named) if cve not in known]
    return tuple(told)


def _vulnerabilities(record: Record) -> tuple[Vulnerability, ...]:
    named = words(record, "cve_list")
    if not isinstance(value_at(record, "findings"), dict):
        return vulnerabilities([], named, "", "")
    return vulnerabilities(items(record, "findings", "cve"), named, "", "")


def read_alert(record: Record, origin: Origin) -> Claims:
    """An alert of the alert API or of a webhook. Without `state` its few fields stand at the top, and it is a hint."""
    state = section(record, "state") or record
    alert = needed(text(state, "alert_id"), "state", "alert_id")
    asset = _asset(record, alert)
    inventory, about = section(record, "model", "data", "Inventory"), section(record, "data")
    labels = words(record, "asset_labels") + words(inventory, "Observations")
    created = when(state, "created_at")
    changed = latest(state, "last_updated", "status_time", "last_seen", "closed_time") or created
    yield Finding(
        source="orca",
        source_id=alert,
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind_of(text(record, "category"), asset.kind, labels=words(record, "alert_labels")),
        rule=first_text(record, "type", "type_key", "rule_id"),
        title=Outside(text(record, "type_string") or text(about, "title") or text(record, "description") or alert),
        description=Outside(text(record, "details") or text(about, "details") or text(record, "description")),
        severity=severity_of(
            text(state, "risk_level"), number(state, "orca_score"), number(state, "score"), text(state, "severity")
        ),
        status=status_named(text(state, "status")),
        status_reason=text(state, "closed_reason"),
        asset=asset,
        times=Times(created, changed, origin.received),
        first_seen=created,
        last_seen=when(state, "last_seen") or created,
        vulnerabilities=_vulnerabilities(record),
        attack=techniques(*(words(about, "mitre_techniques") or words(about, "mitre_technique"))),
        controls=controls((name, "") for name in words(record, "related_compliances")),
        ties=_ties(record, asset),
        indicators=_malware(record),
        internet=exposed(labels, flag(inventory, "IsInternetFacing")),
        sensitive=sensitive(labels),
        hint=state is record,
        link=link_to(alert),
    )


def read_wrapped(record: Record, origin: Origin) -> Claims:
    """`{"version", "data": alert}`: how the webhook sends one alert, and how the API answers for one."""
    return read_alert(section(record, "data"), origin)


def is_alert(record: Record) -> bool:
    state = record.get("state")
    return isinstance(state, dict) and "alert_id" in state


def is_thin(record: Record) -> bool:
    """A trimmed webhook: an Orca alert id and no state. The API's replies have an id too, and when they were made."""
    alert = record.get("alert_id")
    return isinstance(alert, str) and alert.startswith("orca-") and not {"state", "create_time"} & record.keys()


def is_wrapped(record: Record) -> bool:
    inside = record["data"]
    return isinstance(inside, dict) and (is_alert(inside) or is_thin(inside))

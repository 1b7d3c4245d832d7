"""Orca's serving layer: Alert objects as the query API returns them, Discovery exports (JSON and CSV), vulnerability rows.

The three write the same field names: the query API as `{"Field": {"value": ...}}`, the exports as `{"Field": ...}`.
"""

from __future__ import annotations

from typing import Any

from isthmus.connectors.orca.alerts import (
    cloud_name,
    clouds_of,
    exposed,
    latest,
    link_to,
    pairs,
    sensitive,
    unique,
    vulnerabilities,
)
from isthmus.connectors.orca.scales import kind_of, severity_of
from isthmus.contracts.reading import (
    Record,
    controls,
    first_text,
    first_when,
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
from isthmus.model.findings import Finding, Kind, Times, Vulnerability, short_hash
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, severity_named, severity_of_cvss, status_named

_CLOUDS = ("aws", "azure", "gcp")


def _values(fields: Record) -> dict[str, Any]:
    """Fields with their `{"value": ...}` taken off."""
    return {name: cell["value"] if isinstance(cell, dict) and "value" in cell else cell for name, cell in fields.items()}


def _cloud_of(native: str, arn: str) -> str:
    """The provider in front of Orca's model names (`AwsEc2Instance`), for rows that do not say it otherwise."""
    if arn.startswith("arn:"):
        return "aws"
    return next((cloud for cloud in _CLOUDS if native.lower().startswith(cloud)), "")


def _account(fields: Record) -> str:
    """An export shows the account by name only; Orca names it by its number until somebody names it."""
    inside = value_at(fields, "CloudAccount")
    return (
        first_text(fields, "CloudAccount.CloudVendorId", "CloudAccount.Name")
        if isinstance(inside, dict)
        else text(fields, "CloudAccount")
    )


def _asset(fields: Record, data: Record, inventory: Record) -> Asset:
    native, arn = text(inventory, "Type"), text(inventory, "Arn")
    kind = asset_kind(text(data, "asset_type_string"), text(data, "asset_type"), native)
    own = first_text(inventory, "AssetUniqueId", "id") or first_text(fields, "AssetUniqueId") or text(data, "asset_unique_id")
    said = (
        first_text(data, "cloud_provider")
        or text(fields, "CloudProvider")
        or _cloud_of(native or text(data, "asset_type"), arn)
    )
    place = text(data, "cloud_vendor_id") or _account(fields) or (arn.split(":")[4:5] or [""])[0]
    provider, account = clouds_of(said, place)
    return Asset(
        kind=kind,
        provider=provider,
        account=account,
        region=text(fields, "Region") or text(inventory, "Region") or next(iter(words(data, "asset_regions")), ""),
        name=Outside(text(data, "asset_name") or text(inventory, "Name")),
        ids=unique(
            cloud_name(arn),
            text(data, "asset_vendor_id"),
            text(data, "vm_id") if kind is AssetKind.INSTANCE else "",
            first_text(inventory, "InstanceId", "UiUniqueField"),
            f"orca:{own}" if own else "",
        ),
        tags=pairs(data, "asset_tags_info_list"),
    )


def _vulnerabilities(fields: Record) -> tuple[Vulnerability, ...]:
    package = section(fields, "RiskFindings", "package")
    rows = items(fields, "RiskFindings", "cves", "top_cves")
    named = words(fields, "CveIds") + words(fields, "CveId")
    return vulnerabilities(rows, named, text(package, "package_name"), text(package, "installed_version"))


def _identity(fields: Record, asset: Asset) -> str:
    """Orca's id of the alert. An export may leave that column out; then it is what the row is about: which rule on what.

    Such a row names its rule by nothing but its title, so without `RuleId` and `AlertType` the title stands for the rule:
    two rules on one asset must not become one finding.
    """
    given = text(fields, "AlertId")
    if given:
        return given
    rule = needed(first_text(fields, "RuleId", "AlertType", "Title"), "AlertId")
    what = next(iter(asset.ids), "") or needed(str(asset.name), "Inventory", "Name")
    return f"row-{short_hash(asset.account, what, text(fields, 'Source'), text(fields, 'Category'), rule, length=24)}"


def _read(fields: Record, inventory: Record, origin: Origin) -> Claims:
    data = section(fields, "AssetData")
    asset = _asset(fields, data, inventory)
    alert = _identity(fields, asset)
    labels = (
        words(data, "asset_labels")
        + words(inventory, "Observations")
        + words(inventory, "Exposure")
        + words(fields, "Exposure")
    )
    facing = flag(fields, "IsInternetFacing")
    yield Finding(
        source="orca",
        source_id=alert,
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind_of(text(fields, "Category"), asset.kind, text(fields, "AppsecScanType")),
        rule=first_text(fields, "AlertType", "RuleId"),
        title=Outside(first_text(fields, "Title", "AlertType") or alert),
        description=Outside(first_text(fields, "Details", "Description")),
        severity=severity_of(
            text(fields, "RiskLevel"), number(fields, "OrcaScore"), number(fields, "Score"), text(fields, "Severity")
        ),
        status=status_named(text(fields, "Status")),
        status_reason=text(fields, "ClosedReason"),
        asset=asset,
        times=Times(
            when(fields, "CreatedAt"), latest(fields, "LastUpdated", "StatusTime", "LastSeen", "CreatedAt"), origin.received
        ),
        first_seen=when(fields, "CreatedAt"),
        last_seen=first_when(fields, "LastSeen", "CreatedAt"),
        vulnerabilities=_vulnerabilities(fields),
        attack=techniques(*words(fields, "MitreTechniques")),
        controls=controls((name, "") for name in words(fields, "RelatedCompliances")),
        internet=exposed(labels, facing if facing is not None else flag(inventory, "IsInternetFacing")),
        sensitive=sensitive(labels),
        link=link_to(alert),
    )


def read_served(record: Record, origin: Origin) -> Claims:
    """An Alert object of the query API; the asset it stands on may be beside it as `Inventory`."""
    inventory = section(record, "Inventory")
    inside = section(inventory, "data") if "data" in inventory else {}
    return _read(_values(section(record, "data")), {**_values(inventory), **_values(inside)}, origin)


def read_row(record: Record, origin: Origin) -> Claims:
    """A row of a Discovery export in JSON."""
    return _read(_values(record), _values(section(record, "Inventory")), origin)


def read_csv_row(record: Record, origin: Origin) -> Claims:
    """A row of a Discovery export in CSV: `Inventory.Name` is a column, `Inventory` holds only how many there are."""
    given = {name: cell for name, cell in record.items() if cell != ""}
    inventory = {name.removeprefix("Inventory."): cell for name, cell in given.items() if name.startswith("Inventory.")}
    fields = {name: cell for name, cell in given.items() if "." not in name and name != "Labels"}
    fields["CloudAccount"] = text(given, "CloudAccount.Name")
    return _read(fields, inventory, origin)


def _cvss_severity(record: Record) -> Severity:
    word, score = text(record, "CvssSeverity"), number(record, "CvssScore")
    return severity_named(word) if word or score is None else severity_of_cvss(score)


def _row_cve(record: Record, cve: str, package: Record) -> Vulnerability:
    return Vulnerability(
        cve=cve,
        package=text(package, "Name"),
        version=text(package, "Version"),
        cvss=number(record, "CvssScore"),
        vector=text(record, "CvssVector"),
        epss=number(record, "EpssProbability"),
        exploited=flag(record, "CisaKev") or False,
        exploit_exists=flag(record, "HasExploit") or False,
    )


def read_vulnerability(record: Record, origin: Origin) -> Claims:
    """A VulnerabilityV2 row: one CVE of one package on one asset.

    Orca gives it no id of its own (`base_id_uuid` is the asset's), so it is the asset, the CVE and the package; a
    version is not part of it, since an upgrade that is still vulnerable is the same problem.
    """
    inventory, package = section(record, "Inventory"), section(record, "InstalledPackage")
    asset = _asset(record, {}, inventory)
    cve, name = needed(text(record, "CveId"), "CveId"), text(package, "Name")
    what = needed(next(iter(asset.ids), "") or str(asset.name), "Inventory", "AssetUniqueId")
    seen = first_when(record, "LastSeen", "Inventory.LastSeen", "FirstSeen")
    labels = words(inventory, "Observations") + words(inventory, "Exposure")
    yield Finding(
        source="orca",
        source_id=f"vulnerability-{short_hash(what, cve, name, length=24)}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.VULNERABILITY,
        rule=cve,
        title=Outside(f"{cve} in {name or 'a package'}"),
        description=Outside(first_text(record, "Description", "Summary")),
        severity=_cvss_severity(record),
        asset=asset,
        times=Times(when(record, "FirstSeen"), seen, origin.received),
        first_seen=when(record, "FirstSeen"),
        last_seen=seen,
        vulnerabilities=(_row_cve(record, cve, package),),
        internet=exposed(labels, flag(inventory, "IsInternetFacing")),
        sensitive=sensitive(labels),
        link=text(record, "SourceLink"),
    )


def is_served(record: Record) -> bool:
    inside = record["data"]
    return isinstance(inside, dict) and isinstance(inside.get("AlertId"), dict) and "value" in inside["AlertId"]


def is_row(record: Record) -> bool:
    return isinstance(record.get("Inventory"), dict) or isinstance(record.get("CloudAccount"), dict)

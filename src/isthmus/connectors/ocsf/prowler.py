"""Prowler's CSV report: the same findings as its OCSF file, in a flat row. Its columns are separated by semicolons."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.connectors.ocsf.resources import Place, asset_of, identity
from isthmus.contracts.reading import Record, controls, flag, needed, techniques, text, when
from isthmus.contracts.roles import Claims, CsvExport, Shape
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Status, severity_named, status_named


def _requirements(said: str) -> Iterator[tuple[str, str]]:
    """`CIS-1.4: 1.20 | MITRE-ATTACK: T1190, T1078` as pairs."""
    for part in said.split(" | "):
        framework, _, listed = part.partition(": ")
        yield from ((framework.strip(), one.strip()) for one in listed.split(",") if one.strip())


def _status(record: Record) -> tuple[Status, str]:
    if flag(record, "MUTED"):
        return Status.SUPPRESSED, "muted in Prowler"
    said = text(record, "STATUS").upper()
    if said == "MANUAL":
        return Status.SUPPRESSED, "the check must be made by hand"
    return status_named(said), "the check passed" if said == "PASS" else ""


def _asset(record: Record, place: Place) -> Asset:
    tags = [pair.partition("=") for pair in text(record, "RESOURCE_TAGS").split(" | ")]
    row = {
        "uid": text(record, "RESOURCE_UID"),
        "name": text(record, "RESOURCE_NAME"),
        "type": text(record, "RESOURCE_TYPE"),
        "tags": [{"name": name, "value": value} for name, _, value in tags if name],
    }
    ids = (place.account,) if place.account else ()
    return asset_of(row, place) or Asset(AssetKind.ACCOUNT, place.provider, place.account, place.region, ids=ids)


def read_row(record: Record, origin: Origin) -> Claims:
    """One check on one resource. The identity is the one of the OCSF file, so the two reports do not count twice.

    The time is the scanner's local time without a zone; it is taken as UTC.
    """
    check, resource = (
        needed(text(record, "CHECK_ID"), "CHECK_ID"),
        text(record, "RESOURCE_UID") or text(record, "RESOURCE_NAME"),
    )
    region = text(record, "REGION")
    provider = text(record, "PROVIDER").lower()
    place = Place(provider, text(record, "ACCOUNT_UID"), "" if region.startswith("namespace:") else region)
    rows, seen = list(_requirements(text(record, "COMPLIANCE"))), when(record, "TIMESTAMP")
    status, reason = _status(record)
    exposed = "internet-exposed" in text(record, "CATEGORIES") and text(record, "STATUS").upper() == "FAIL"
    uid = needed(text(record, "FINDING_UID"), "FINDING_UID")
    yield Finding(
        source="ocsf",
        source_id=identity(uid, place, resource, check),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION,
        rule=check,
        title=Outside(text(record, "CHECK_TITLE") or check),
        description=Outside(text(record, "STATUS_EXTENDED") or text(record, "DESCRIPTION")),
        severity=severity_named(text(record, "SEVERITY")),
        status=status,
        status_reason=reason,
        asset=_asset(record, place),
        times=Times(seen, seen, origin.received),
        first_seen=seen,
        last_seen=seen,
        attack=techniques(*(requirement for framework, requirement in rows if framework.startswith("MITRE"))),
        controls=controls(rows),
        internet=True if exposed else None,
    )


_COLUMNS = frozenset(
    {"FINDING_UID", "PROVIDER", "CHECK_ID", "CHECK_TITLE", "STATUS", "SEVERITY", "RESOURCE_UID", "ACCOUNT_UID"}
)

CSV_ROW = Shape("Prowler finding (CSV)", _COLUMNS, read_row)
CSV_EXPORT = CsvExport("Prowler report", _COLUMNS)

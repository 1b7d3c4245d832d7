"""Rows of the CSV that Prisma Cloud Compute and twistcli write of image scans; the headers are those of public exports."""

from __future__ import annotations

from isthmus.connectors.prisma.compute_scan import benchmark, fixed_version, rule_of_check, vulnerability_severity
from isthmus.connectors.prisma.places import given
from isthmus.contracts.reading import Record, controls, first_when, needed, number, text
from isthmus.contracts.roles import Claims, CsvExport
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import severity_named

COLUMNS = frozenset(
    {"Registry", "Repository", "Tag", "Id", "CVE ID", "Compliance ID", "Severity", "Packages", "Package Version", "Fix Status"}
)
EXPORTS = (CsvExport("Prisma Cloud Compute image scan", COLUMNS),)


def _asset(row: Record) -> Asset:
    name = "/".join(given(text(row, "Registry"), text(row, "Repository")))
    return Asset(AssetKind.IMAGE, name=Outside(":".join(given(name, text(row, "Tag")))), ids=(needed(text(row, "Id"), "Id"),))


def _vulnerability(row: Record) -> Vulnerability:
    """A vulnerability. A CSV names every binary package of a source; the JSON of the same scan names the source."""
    factors = text(row, "Risk Factors").lower()
    exploited = "exploit exists - in the wild" in factors
    return Vulnerability(
        cve=text(row, "CVE ID"),
        package=text(row, "Source Package") or text(row, "Packages"),
        version=text(row, "Package Version"),
        fixed_version=fixed_version(text(row, "Fix Status")),
        cvss=number(row, "CVSS") or None,
        exploited=exploited,
        exploit_exists=exploited or "exploit exists" in factors,
    )


def read_csv(row: Record, origin: Origin) -> Claims:
    """A row: a vulnerability where there is a CVE (the compliance id is then a constant), else a failed check."""
    asset, known = _asset(row), _vulnerability(row)
    check = "" if known.cve else rule_of_check(text(row, "Compliance ID"), text(row, "Description"))
    parts = (asset.ids[0], "check", check) if check else (asset.ids[0], known.cve, known.package, known.version)
    seen = first_when(row, "Discovered")
    yield Finding(
        source="prisma",
        source_id="/".join(given(*parts)),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION if check else Kind.VULNERABILITY,
        rule=check or known.cve,
        title=Outside(text(row, "Description") if check else f"{known.cve} in {known.package or 'a package'}"),
        description=Outside(" ".join(given(text(row, "Description"), text(row, "Cause")))),
        severity=severity_named(text(row, "Severity")) if check else vulnerability_severity(text(row, "Severity"), known.cvss),
        asset=asset,
        times=Times(seen, seen, origin.received),
        first_seen=seen,
        last_seen=seen,
        vulnerabilities=() if check else (known,),
        controls=controls(benchmark(text(row, "Description"))),
        internet=True if "reachable from the internet" in text(row, "Risk Factors").lower() else None,
    )

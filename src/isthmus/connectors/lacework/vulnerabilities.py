"""Lacework vulnerability rows, of container images and of hosts.

The evaluation's id changes with every scan, so a row is the asset, the vulnerability and the package. An image never
changes, so there the version belongs to it; a host's package may be upgraded and stay vulnerable.
"""

from __future__ import annotations

from dataclasses import replace

from isthmus.connectors.lacework.entities import machine_asset
from isthmus.contracts.reading import (
    Record,
    by_name,
    cves,
    first_text,
    first_when,
    items,
    needed,
    number,
    section,
    text,
    when,
    words,
)
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Status, severity_named, status_named

_EXPOSED = {"yes": True, "no": False}
_FIXED_BEFORE_SEEN = "fixedondiscovery"


def _score(record: Record) -> tuple[float | None, str]:
    """CVSS v3 of the vulnerability; Lacework writes 0 where it knows none."""
    metadata = section(record, "cveProps", "metadata")
    for path in (("NVD", "CVSSv3", "Score", "Vectors"), ("nvd", "cvssv3", "score", "vectors")):
        score = number(metadata, *path[:3])
        if score:
            return score, text(metadata, *path[:2], path[3])
    return None, ""


def _vulnerabilities(record: Record, version: str) -> tuple[Vulnerability, ...]:
    """The CVE, or those a distribution's advisory says it mends, or the advisory's own id."""
    given = text(record, "vulnId")
    names = cves(given) or cves(text(record, "cveProps", "description")) or (given,)
    score, vector = _score(record)
    package, fixed = text(record, "featureKey", "name"), text(record, "fixInfo", "fixed_version")
    return tuple(Vulnerability(one, package, version, fixed, score, vector) for one in names)


def _reason(record: Record) -> str:
    return first_text(next(iter(items(record, "evalCtx", "exception_props")), {}), "exception_reason", "exception_name")


def _image(record: Record) -> Asset:
    info = section(record, "evalCtx", "image_info")
    repository = "/".join(one for one in (text(info, "registry"), text(info, "repo")) if one)
    tag = next(iter(words(info, "tags")), "")
    ids = (text(info, "digest"), text(record, "imageId"))
    return Asset(
        kind=AssetKind.IMAGE,
        name=Outside(f"{repository}:{tag}" if tag else repository),
        ids=tuple(dict.fromkeys(one for one in ids if one)),
    )


def read_container(record: Record, origin: Origin) -> Claims:
    """One vulnerability of one package in one image. An exception somebody made suppresses it."""
    image, what = needed(text(record, "imageId"), "imageId"), needed(text(record, "vulnId"), "vulnId")
    package, version = text(record, "featureKey", "name"), text(record, "featureKey", "version")
    status = status_named(text(record, "status"))
    seen = first_when(record, "startTime", "evalCtx.image_info.scan_created_time")
    yield Finding(
        source="lacework",
        source_id=f"{image}/{what}/{text(record, 'featureKey', 'namespace')}/{package}/{version}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.VULNERABILITY,
        rule=what,
        title=Outside(f"{what} in {package or 'a package'}"),
        description=Outside(text(record, "cveProps", "description")),
        severity=severity_named(text(record, "severity")),
        status=status,
        status_reason=_reason(record) if status is Status.SUPPRESSED else "",
        asset=_image(record),
        times=Times(seen, seen, origin.received),
        first_seen=first_when(record, "props.first_time_seen", "startTime"),
        last_seen=seen,
        vulnerabilities=_vulnerabilities(record, version),
        link=text(record, "cveProps", "link"),
    )


def _host_status(record: Record) -> Status:
    """GOOD means the installed version is not vulnerable, whatever the row's own status says."""
    word = text(record, "status").lower()
    if text(record, "fixInfo", "eval_status").upper() == "GOOD" or word == _FIXED_BEFORE_SEEN:
        return Status.RESOLVED
    return status_named(word)


def _host_ties(tags: Record, asset: Asset) -> tuple[Tie, ...]:
    image, cluster = text(tags, "AmiId"), first_text(tags, "lw_KubernetesCluster", "eks:cluster-name")
    ties = []
    if image:
        ties.append(Tie("uses_image", Asset(AssetKind.IMAGE, asset.provider, asset.account, asset.region, ids=(image,))))
    if cluster:
        held = Asset(AssetKind.CLUSTER, asset.provider, asset.account, asset.region, Outside(cluster), (cluster,))
        ties.append(Tie("part_of", held))
    return tuple(ties)


def _host_tags(tags: Record) -> tuple[tuple[str, Outside], ...]:
    return by_name((name, Outside(str(value))) for name, value in tags.items())


def read_host(record: Record, origin: Origin) -> Claims:
    """One vulnerability of one package on one host."""
    tags, mid = section(record, "machineTags"), text(record, "mid")
    what, package = needed(text(record, "vulnId"), "vulnId"), text(record, "featureKey", "name")
    asset = machine_asset(tags, mid, text(record, "evalCtx", "hostname"))
    host = needed(text(tags, "InstanceId") or mid, "mid")
    status = _host_status(record)
    updated = first_when(record, "props.last_updated_time", "endTime", "startTime")
    first = first_when(record, "props.first_time_seen", "startTime")
    yield Finding(
        source="lacework",
        source_id=f"{host}/{what}/{text(record, 'featureKey', 'namespace')}/{package}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.VULNERABILITY,
        rule=what,
        title=Outside(f"{what} in {package or 'a package'}"),
        description=Outside(text(record, "cveProps", "description")),
        severity=severity_named(text(record, "severity")),
        status=status,
        status_reason=_reason(record) if status is Status.SUPPRESSED else "",
        asset=Asset(asset.kind, asset.provider, asset.account, asset.region, asset.name, asset.ids, _host_tags(tags)),
        times=Times(first, updated, origin.received),
        first_seen=first,
        last_seen=when(record, "endTime") or updated,
        vulnerabilities=_vulnerabilities(record, text(record, "featureKey", "version_installed")),
        ties=_host_ties(tags, asset),
        internet=_EXPOSED.get(text(tags, "lw_InternetExposure").lower()),
        link=text(record, "cveProps", "link"),
    )


def read_package(record: Record, origin: Origin) -> Claims:
    """One row of a scan of a list of packages. Lacework names no asset there, so each problem stands by itself."""
    what, package = needed(text(record, "vulnId"), "vulnId"), text(record, "osPkgInfo", "pkg")
    version = text(record, "osPkgInfo", "pkgVer")
    seen = when(record, "summary", "evalCreatedTime")
    yield Finding(
        source="lacework",
        source_id=f"package/{what}/{text(record, 'osPkgInfo', 'namespace')}/{package}/{version}",
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.VULNERABILITY,
        rule=what,
        title=Outside(f"{what} in {package or 'a package'}"),
        description=Outside(text(record, "cveProps", "description")),
        severity=severity_named(text(record, "severity")),
        status=status_named(text(record, "fixInfo", "evalStatus")),
        asset=Asset(AssetKind.OTHER),
        times=Times(seen, seen, origin.received),
        vulnerabilities=tuple(
            replace(one, fixed_version=text(record, "fixInfo", "fixedVersion")) for one in _vulnerabilities(record, version)
        ),
        link=text(record, "cveProps", "link"),
    )

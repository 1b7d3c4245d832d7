"""Prisma Cloud Compute scans: of images (twistcli, registries, deployed), hosts and containers; by API, file or CSV.

One scan holds many problems: each vulnerability and each failed compliance check is a claim of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isthmus.connectors.prisma.places import account_of, cluster_tie, given, image, instance_ids
from isthmus.contracts.reading import (
    Record,
    controls,
    each,
    first_text,
    first_when,
    needed,
    number,
    section,
    text,
    value_at,
    words,
)
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding, Indicator, Kind, Tie, Times, Vulnerability, short_hash
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, severity_named, severity_of_cvss

_CHECK_KINDS = {
    "422": Kind.THREAT,
    "426": Kind.THREAT,
    "424": Kind.SECRET,
    "425": Kind.SECRET,
    "597": Kind.SECRET,
}
"""Prisma Cloud Labs checks that are no misconfiguration: malware and miners in an image, secrets in the open."""

_MALWARE = {"image_malware", "host_malware"}
_FIXED = "fixed in "


@dataclass(frozen=True, slots=True)
class Scan:
    """What was scanned and when. `key` is what makes it the same thing at the next scan; `versions` says that the same
    package may stand in it twice, and that what it holds never changes (an image, not a host).
    """

    origin: Origin
    asset: Asset
    key: str
    ties: tuple[Tie, ...] = ()
    at: datetime | None = None
    versions: bool = True


def _parts(record: Record, name: str) -> list[Any]:
    """The list of that name, its elements unseen: a strange one costs itself and not the scan."""
    value = value_at(record, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Untrusted("expected a list", name)
    return value


def _object(part: Any) -> Record:
    if not isinstance(part, dict):
        raise Untrusted("expected an object")
    return part


def _claims(scan: Scan, vulnerable: tuple[Record, str], failed: tuple[Record, str]) -> Claims:
    """Every vulnerability and every failed check of a scan."""
    vulnerabilities, checks = _parts(*vulnerable), _parts(*failed)
    if not vulnerabilities and not checks:
        raise Untrusted("a Prisma Cloud scan that lists neither vulnerabilities nor failed checks: nothing to triage")
    yield from each(vulnerabilities, vulnerable[1], lambda part: vulnerability(scan, _object(part)))
    yield from each(checks, failed[1], lambda part: check(scan, _object(part)))


def risk_factors(part: Record) -> tuple[str, ...]:
    """Risk factors: a list, or an object whose keys they are."""
    value = value_at(part, "riskFactors")
    return tuple(value) if isinstance(value, dict) else words(part, "riskFactors")


def _exploits(part: Record, factors: Iterable[str]) -> tuple[bool, bool]:
    """(exploited, an exploit exists): known to CISA or seen in the wild; anything that names an exploit."""
    sources = [text(part, "exploit")]
    for one in _parts(part, "exploits"):
        sources += [text(_object(one), "source"), text(_object(one), "kind")]
    factor = [one.lower() for one in factors if one.lower().startswith("exploit")]
    exploited = "cisa-kev" in sources or "in-the-wild" in sources or any("in the wild" in one for one in factor)
    return exploited, exploited or any(sources) or bool(factor)


def fixed_version(status: str) -> str:
    """`fixed in 1.2, 1.3` names the versions with the fix; other words (needed, deferred, will not fix) name none."""
    return status[len(_FIXED) :] if status.lower().startswith(_FIXED) else ""


def vulnerability_severity(word: str, cvss: float | None) -> Severity:
    """The vendor's word; only where there is none, the rating of the score."""
    return severity_of_cvss(cvss) if not word and cvss else severity_named(word)


def _known(part: Record) -> Vulnerability:
    exploited, exists = _exploits(part, risk_factors(part))
    return Vulnerability(
        cve=needed(first_text(part, "cve", "id"), "id"),
        package=first_text(part, "packageName", "packages").partition(" (used in ")[0],
        version=text(part, "packageVersion"),
        fixed_version=fixed_version(text(part, "status")),
        cvss=number(part, "cvss") or None,
        vector=first_text(part, "vector", "vecStr"),
        exploited=exploited,
        exploit_exists=exists,
    )


def vulnerability(scan: Scan, part: Record) -> Finding:
    """One vulnerability of one package. Its `status` is about the fix; that it is listed means that it is open."""
    known, factors = _known(part), set(risk_factors(part))
    first = first_when(part, "discoveredDate", "discovered") or scan.at
    version = known.version if scan.versions else ""
    return Finding(
        source="prisma",
        source_id="/".join(given(scan.key, known.cve, known.package, version)),
        tenant=scan.origin.tenant,
        instance=scan.origin.instance,
        kind=Kind.VULNERABILITY,
        rule=known.cve,
        title=Outside(f"{known.cve} in {known.package or 'a package'}"),
        description=Outside(first_text(part, "description", "text")),
        severity=vulnerability_severity(text(part, "severity"), known.cvss),
        asset=scan.asset,
        times=Times(first, scan.at or first, scan.origin.received),
        first_seen=first,
        last_seen=scan.at or first,
        vulnerabilities=(known,),
        ties=scan.ties,
        internet=True if "Reachable from the internet" in factors else None,
        privileged=True if "Running as privileged container" in factors else None,
        link=text(part, "link"),
    )


def benchmark(title: str) -> Iterator[tuple[str, str]]:
    """The benchmark a check's title opens with: `(CIS_Docker_v1.5.0 - 4.6) Add ...`."""
    head, closed, _ = title.partition(")")
    framework, dash, requirement = head.removeprefix("(").partition(" - ")
    if closed and dash and head.startswith("("):
        yield framework, requirement


def rule_of_check(own: str, title: str) -> str:
    """The number of a check. Old twistcli results have none; the check's own name in Prisma's catalogue stands in."""
    return own or f"check-{short_hash(needed(title, 'title'))}"


def check(scan: Scan, part: Record) -> Finding:
    """One failed compliance check; malware and secrets found by a check are what they are."""
    title, malware = text(part, "title"), section(part, "wildfireMalware")
    rule = rule_of_check(text(part, "id"), title)
    kind = Kind.THREAT if malware or text(part, "type") in _MALWARE else _CHECK_KINDS.get(rule, Kind.MISCONFIGURATION)
    return Finding(
        source="prisma",
        source_id="/".join(given(scan.key, "check", rule, text(malware, "md5"))),
        tenant=scan.origin.tenant,
        instance=scan.origin.instance,
        kind=kind,
        rule=rule,
        title=Outside(title or f"Compliance check {rule}"),
        description=Outside(" ".join(given(first_text(part, "description", "text"), text(part, "cause")))),
        severity=severity_named(text(part, "severity")),
        asset=scan.asset,
        times=Times(scan.at, scan.at, scan.origin.received),
        first_seen=scan.at,
        last_seen=scan.at,
        controls=controls(benchmark(title)),
        ties=scan.ties,
        indicators=tuple(Indicator("hash", one) for one in given(text(malware, "md5"))),
    )


def read_twistcli(record: Record, origin: Origin) -> Claims:
    """One result of `twistcli images scan`: an image by the digest of its configuration."""
    own = needed(text(record, "id"), "id")
    asset = Asset(AssetKind.IMAGE, name=Outside(text(record, "name")), ids=given(own, text(record, "digest")))
    yield from _claims(Scan(origin, asset, own, at=when_scanned(record)), (record, "vulnerabilities"), (record, "compliances"))


def when_scanned(record: Record) -> datetime | None:
    return first_when(record, "scanTime", "firstScanTime", "time")


def _reference(record: Record) -> str:
    """`registry/repository:tag` of a scanned image."""
    tag = section(record, "repoTag")
    name = "/".join(given(text(tag, "registry"), text(tag, "repo")))
    return ":".join(given(name, text(tag, "tag")))


def _cloud_asset(record: Record, kind: AssetKind, name: str, *ids: str) -> Asset:
    return Asset(
        kind=kind,
        provider=text(record, "cloudMetadata", "provider").lower(),
        account=account_of(record, "cloudMetadata", "accountID"),
        region=text(record, "cloudMetadata", "region"),
        name=Outside(name),
        ids=given(*ids),
    )


def _cloud_ids(record: Record) -> tuple[str, ...]:
    """The ids of the machine in its cloud: an EC2 id, an Azure VM's GUID."""
    cloud = section(record, "cloudMetadata")
    provider, account = text(cloud, "provider").lower(), account_of(cloud, "accountID")
    return given(*instance_ids(text(cloud, "resourceID"), provider, account, text(cloud, "region")), text(cloud, "vmID"))


def read_image_scan(record: Record, origin: Origin) -> Claims:
    """An image as `/images` and `/registry` list it, a machine image of `/vms`, or a function of `/serverless`."""
    own, name = needed(text(record, "_id"), "_id"), _reference(record)
    digests = [one.rpartition("@")[2] for one in words(record, "repoDigests")]
    if text(record, "type") == "function":
        resource = text(record, "cloudMetadata", "resourceID")
        asset = _cloud_asset(record, AssetKind.FUNCTION, text(record, "name"), resource, f"prisma:{own}")
    elif own.startswith("sha256:"):
        asset = _cloud_asset(record, AssetKind.IMAGE, name, own, *digests)
    else:
        asset = _cloud_asset(record, AssetKind.IMAGE, name, text(record, "cloudMetadata", "vmImageID"), f"prisma:{own}")
    scan = Scan(origin, asset, own, at=when_scanned(record))
    yield from _claims(scan, (record, "vulnerabilities"), (record, "complianceIssues"))


def read_ci_scan(record: Record, origin: Origin) -> Claims:
    """A scan of an image in a pipeline: an image scan in an envelope with the verdict."""
    yield from read_image_scan(section(record, "entityInfo"), origin)


def read_host_scan(record: Record, origin: Origin) -> Claims:
    """A host as `/hosts` lists it. Compute's own id of a host is its name, which other hosts may have too, so it is
    taken as an id only where the cloud's id is missing, and together with the account.
    """
    own, ids = needed(text(record, "_id"), "_id"), _cloud_ids(record)
    account = account_of(record, "cloudMetadata", "accountID")
    key = first_text(record, "cloudMetadata.resourceID", "cloudMetadata.vmID") or "/".join(given(account, own))
    asset = _cloud_asset(record, AssetKind.INSTANCE, text(record, "hostname") or own, *(ids or (f"prisma:{key}",)))
    ties = tuple(tie for cluster in words(record, "clusters") for tie in cluster_tie(cluster))
    scan = Scan(origin, asset, key, ties, when_scanned(record), versions=False)
    yield from _claims(scan, (record, "vulnerabilities"), (record, "complianceIssues"))


def read_container_scan(record: Record, origin: Origin) -> Claims:
    """A running container as `/containers` lists it: its failed checks, the node it runs on and its image."""
    info, own = section(record, "info"), needed(text(record, "_id"), "_id")
    node = _cloud_asset(info, AssetKind.INSTANCE, text(record, "hostname"), *_cloud_ids(info))
    picture = image(text(info, "imageID"), text(info, "imageName"))
    ties = [Tie("runs_on", node)] if node.ids else []
    ties += [Tie("uses_image", picture)] if picture.ids else []
    asset = _cloud_asset(info, AssetKind.CONTAINER, text(info, "name").lstrip("/") or own, own)
    scan = Scan(origin, asset, own, (*ties, *cluster_tie(text(info, "cluster"))), when_scanned(record))
    yield from _claims(scan, (info, "vulnerabilities"), (info, "complianceIssues"))


def is_twistcli(record: Record) -> bool:
    """The API's scans have `id` and `distro` too, and `_id` besides."""
    return "_id" not in record and ("vulnerabilityDistribution" in record or "complianceDistribution" in record)


def is_host_scan(record: Record) -> bool:
    return _is_scan(record) and (record.get("type") == "host" or (not record.get("type") and not record.get("repoTag")))


def is_image_scan(record: Record) -> bool:
    return _is_scan(record) and not is_host_scan(record)


def _is_scan(record: Record) -> bool:
    return "vulnerabilityDistribution" in record or "packages" in record or "complianceIssues" in record


def is_container_scan(record: Record) -> bool:
    info = record.get("info")
    return isinstance(info, dict) and ("imageID" in info or "complianceIssues" in info)


def is_ci_scan(record: Record) -> bool:
    return isinstance(record.get("entityInfo"), dict)

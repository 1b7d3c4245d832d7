"""Recommendations of Microsoft Defender for Cloud (`assessments`), what is found below one (`subAssessments`), and their CSV.

An id here is an Azure path, and Azure does not care for case: REST and Event Hub write the same id differently, so
identity is the path in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.connectors.defender.resources import is_resource, provider_of, resource, segment
from isthmus.connectors.defender.spelling import part, rows, said, said_flag, said_number, said_when, unfolded
from isthmus.contracts.reading import Record, cves, needed, number, techniques, text, when, words
from isthmus.contracts.roles import Claims
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status, severity_named, severity_of_cvss

_ASSESSMENTS = "/providers/microsoft.security/assessments/"
_STATUSES = {"healthy": Status.RESOLVED, "notapplicable": Status.SUPPRESSED}
_EXPLOITS = ("isVerified", "isPubliclyDisclosed", "isInExploitKit", "hasPublicExploit", "isExploitVerified", "isExploitInKit")


def _severity(word: str, cvss: float | None = None) -> Severity:
    """Lists leave the severity out unless asked for it (`$expand=metadata`). Then a CVSS score stands in, and else medium,
    which Defender gives to most of its recommendations: unknown, which counts as high, would bury the rest.
    """
    if word:
        return severity_named(word)
    return Severity.MEDIUM if cvss is None else severity_of_cvss(cvss)


def _status(record: Record, properties: Record) -> Status:
    """What is no longer assessed is gone: continuous export says so with an action."""
    for name in ("securityEventDataEnrichment", "assessmentEventDataEnrichment", "subAssessmentEventDataEnrichment"):
        if said(part(record, name), "action") == "Delete":
            return Status.RESOLVED
    return _STATUSES.get(said(part(properties, "status"), "code").lower(), Status.NEW)


def _link(given: str) -> str:
    return f"https://{given}" if given and not given.startswith("http") else given


def _asset(own: str, properties: Record, extra: Record) -> Asset:
    """The assessed resource: its native id (an ARN) before the id of Defender's own entry for it."""
    details = part(properties, "resourceDetails")
    native, filed = said(details, "nativeResourceId"), said(details, "id")
    machine = said(details, "vmuuid", "sourceComputerId")
    at = own.lower().find(_ASSESSMENTS)
    scope = own[:at] if at >= 0 else ""
    ids = [one for one in (native if is_resource(native) else "", filed, f"defender:{machine}" if machine else "") if one]
    name = said(details, "resourceName", "machineName")
    person = f"{filed}/".lower().partition("/identities/")[2].strip("/")
    if person:
        return Asset(AssetKind.USER, "azure", name=Outside(name), ids=(person,))
    kinds = (said(details, "resourceType"),) if provider_of(native or filed) != "azure" or _is_entry(filed) else ()
    kinds = ("machine",) if machine else kinds
    asset = resource(*(ids or [scope]), words=kinds, name=name, account=_subscription(own, native))
    return _contained(asset, extra)


def _is_entry(own: str) -> bool:
    """Whether an id is of Defender's own entry for something inside a resource, whose type the path does not tell."""
    return "/securityentitydata/" in own.lower()


def _subscription(own: str, native: str) -> str:
    """The subscription of an Azure id; for a resource of another cloud it is only where its connector is."""
    return segment(own, "subscriptions").lower() if provider_of(native) in ("", "azure") else ""


def _digest(extra: Record) -> str:
    return said(part(extra, "artifactDetails"), "digest") or said(extra, "digest", "imageDigest")


def _contained(asset: Asset, extra: Record) -> Asset:
    """An image in a registry is its digest (the registry is not the image); one that runs is the container it runs in."""
    digest = _digest(extra)
    if digest and any("/microsoft.containerregistry/" in own.lower() for own in asset.ids):
        name = said(part(extra, "artifactDetails"), "repositoryName") or said(extra, "repositoryName")
        return Asset(AssetKind.IMAGE, asset.provider, asset.account, asset.region, Outside(name), (digest,))
    runs = digest and (said(extra, "k8sClusterId") or part(extra, "kubernetesDetails"))
    kind = AssetKind.CONTAINER if runs else asset.kind
    return Asset(kind, asset.provider, asset.account, asset.region, asset.name, asset.ids)


def _ties(asset: Asset, extra: Record) -> tuple[Tie, ...]:
    digest = _digest(extra)
    if asset.kind is not AssetKind.CONTAINER or not digest:
        return ()
    image = said(part(extra, "artifactDetails"), "repositoryName") or said(extra, "repo")
    ties = [Tie("uses_image", Asset(AssetKind.IMAGE, name=Outside(image), ids=(digest,)))]
    cluster = said(extra, "k8sClusterId") or said(part(extra, "kubernetesDetails"), "clusterResourceId")
    return (*ties, Tie("part_of", resource(cluster))) if cluster else tuple(ties)


def read_assessment(record: Record, origin: Origin) -> Claims:
    """One recommendation for one resource. One about an image that lists its CVEs is a vulnerability."""
    properties, own = part(record, "properties"), said(record, "id")
    extra, status = part(properties, "additionalData"), part(properties, "status")
    metadata, asset = part(properties, "metadata"), _asset(own, properties, extra)
    listed = cves(*(said(row, "cVE") for row in rows(extra, "cVEs")))
    rolled = bool(listed) or bool(said(extra, "cVEs", "maxCvss30Score"))
    changed = said_when(status, "statusChangeDate")
    yield Finding(
        source="defender",
        source_id=needed(own.lower(), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.VULNERABILITY if rolled else Kind.MISCONFIGURATION,
        rule=said(record, "name").lower(),
        title=Outside(said(properties, "displayName") or said(metadata, "displayName")),
        description=Outside(said(metadata, "description") or said(status, "description")),
        severity=_severity(
            said(metadata, "severity") or said(part(properties, "risk"), "level") or said(extra, "highestSeverity"),
            said_number(extra, "maxCvss30Score"),
        ),
        status=_status(record, properties),
        status_reason=said(status, "cause"),
        asset=asset,
        times=Times(said_when(status, "firstEvaluationDate") or changed, changed, origin.received),
        first_seen=said_when(status, "firstEvaluationDate"),
        last_seen=changed,
        vulnerabilities=tuple(Vulnerability(cve) for cve in listed),
        attack=techniques(*words(metadata, "techniques")),
        ties=_ties(asset, extra),
        link=_link(said(part(properties, "links"), "azurePortal", "azurePortalUri")),
    )


def _named_cves(extra: Record) -> tuple[str, ...]:
    """CVE ids of a sub-assessment, from its fields for them: an id, an object or a list of either."""
    own = said(part(extra, "vulnerabilityDetails"), "cveId")
    if own:
        return cves(own)
    given = unfolded(extra, "cve") if isinstance(extra.get("cve"), str) and "[" in extra["cve"] else extra.get("cve")
    listed = given if isinstance(given, list) else [given]
    return cves(*(said(one, "title") if isinstance(one, dict) else one for one in listed if isinstance(one, (dict, str))))


def _scores(extra: Record) -> Iterator[tuple[float | None, str]]:
    """CVSS 3 scores and vectors, where the several scanners put them. A score of version 2 is another scale."""
    for holder in (part(extra, "vulnerabilityDetails"), extra):
        scored = part(holder, "cvss")
        for version in ("3.1", "3.0"):
            found = part(scored, version)
            yield number(found, "base"), said(found, "cvssVectorString")
    if isinstance(extra.get("cve"), dict):
        cve = part(extra, "cve")
        yield (said_number(cve, "cvssScore") if said(cve, "cvssVersion") != "2" else None), said(cve, "cvssVectorString")
    yield said_number(extra, "cvssV30Score"), ""


def _vulnerabilities(extra: Record) -> tuple[Vulnerability, ...]:
    software, details = part(extra, "softwareDetails"), part(extra, "vulnerabilityDetails")
    scores = list(_scores(extra))
    assessed = (part(details, "exploitabilityAssessment"), part(extra, "cve") if isinstance(extra.get("cve"), dict) else {})
    return tuple(
        Vulnerability(
            cve=cve,
            package=said(software, "packageName") or said(extra, "softwareName"),
            version=said(software, "version") or said(extra, "softwareVersion"),
            fixed_version=said(software, "fixedVersion") or said(extra, "recommendedVersion"),
            cvss=next((score for score, _ in scores if score is not None), None),
            vector=next((vector for _, vector in scores if vector), ""),
            exploit_exists=any(said_flag(holder, name) for holder in assessed for name in _EXPLOITS),
        )
        for cve in _named_cves(extra)
    )


def _kind(found: tuple[Vulnerability, ...], asset: Asset, assessed: str) -> Kind:
    """By the CVE, by whom it is about, and else by the scanner: SQL and baseline checks find settings."""
    if found or assessed.lower().startswith("servervulnerability"):
        return Kind.VULNERABILITY
    return Kind.IDENTITY if asset.kind is AssetKind.USER else Kind.MISCONFIGURATION


def read_sub_assessment(record: Record, origin: Origin) -> Claims:
    """One thing found on one resource: a CVE in a package, a baseline rule not met, an account with too many rights."""
    properties, own = part(record, "properties"), said(record, "id")
    extra, status = part(properties, "additionalData"), part(properties, "status")
    asset, found = _asset(own, properties, extra), _vulnerabilities(extra)
    shown, seen = said(properties, "displayName"), said_when(properties, "timeGenerated")
    one = found[0] if len(found) == 1 else None
    word = said(status, "severity") or said(part(extra, "vulnerabilityDetails"), "severity")
    yield Finding(
        source="defender",
        source_id=needed(own.lower(), "id"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=_kind(found, asset, said(extra, "assessedResourceType")),
        rule=one.cve if one else said(properties, "id") or segment(own, "assessments").lower(),
        title=Outside(f"{one.cve} in {one.package or 'a package'}" if one and shown.upper() == one.cve else shown),
        description=Outside(said(properties, "description")),
        severity=_severity(word, found[0].cvss if found else None),
        status=_status(record, properties),
        status_reason=said(status, "cause"),
        asset=asset,
        times=Times(seen, seen, origin.received),
        last_seen=seen,
        vulnerabilities=found,
        ties=_ties(asset, extra),
    )


def read_row(record: Record, origin: Origin) -> Claims:
    """A row of the recommendations' CSV. Its recommendation id is the assessment's id, so both are one finding."""
    own, filed, subscription = text(record, "recommendationId"), text(record, "resourceId"), text(record, "subscriptionId")
    first, changed = when(record, "firstEvaluationDate"), when(record, "statusChangeDate")
    words_of_kind = (text(record, "resourceType"),) if not is_resource(filed) or _is_entry(filed) else ()
    yield Finding(
        source="defender",
        source_id=needed(own.lower(), "recommendationId"),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=Kind.MISCONFIGURATION,
        rule=text(record, "recommendationName").lower(),
        title=Outside(text(record, "recommendationDisplayName")),
        description=Outside(text(record, "description")),
        severity=_severity(text(record, "severity")),
        status=_STATUSES.get(text(record, "state").lower(), Status.NEW),
        status_reason=text(record, "notApplicableReason"),
        asset=_native(
            resource(filed, words=words_of_kind, name=text(record, "resourceName"), account=subscription),
            text(record, "nativeCloudAccountId"),
        ),
        times=Times(first or changed, changed or first, origin.received),
        first_seen=first,
        last_seen=when(record, "exportedTimestamp") or changed,
        link=_link(text(record, "azurePortalRecommendationLink")),
    )


def _native(asset: Asset, account: str) -> Asset:
    """A resource of a connected cloud is filed under an Azure subscription; the CSV gives its own account beside it."""
    if not account or not any("/securityconnectors/" in own.lower() for own in asset.ids):
        return asset
    provider = "aws" if account.isdigit() and len(account) == 12 else "gcp"
    return Asset(asset.kind, provider, account, asset.region, asset.name, asset.ids)

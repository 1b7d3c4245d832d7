"""AWS Security Hub findings in the AWS Security Finding Format, whichever product made them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from isthmus.connectors.securityhub.resources import asset_of, holder_of, own_ties
from isthmus.connectors.securityhub.threats import indicators, reached_from_outside, was_blocked
from isthmus.contracts.reading import Record, controls, flag, items, needed, number, section, text, when, words
from isthmus.contracts.roles import Claims, NotAnAlert, Shape
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import NOTHING, Outside
from isthmus.model.severity import Severity, Status, severity_named, status_named

_NAMESPACES = {
    "TTPs": Kind.THREAT,
    "Unusual Behaviors": Kind.THREAT,
    "Effects": Kind.THREAT,
    "Sensitive Data Identifications": Kind.DATA,
}
_CVES = "Software and Configuration Checks/Vulnerabilities"
_NORMALIZED = ((90, Severity.CRITICAL), (70, Severity.HIGH), (40, Severity.MEDIUM), (1, Severity.LOW))
_SUBJECTS = {
    "EC2": AssetKind.INSTANCE,
    "S3": AssetKind.BUCKET,
    "IAMUser": AssetKind.ACCESS_KEY,
    "RDS": AssetKind.DATABASE,
    "Lambda": AssetKind.FUNCTION,
    "Kubernetes": AssetKind.CLUSTER,
    "ECS": AssetKind.CLUSTER,
    "Runtime": AssetKind.CONTAINER,
}


def _product(record: Record) -> str:
    """The product that made the finding: `guardduty`, `inspector`, `securityhub`, a partner's name."""
    return text(record, "ProductArn").rpartition("/")[2]


def _kind(record: Record, types: tuple[str, ...], product: str) -> Kind:
    """From sections and the types taxonomy. A check against a standard is a misconfiguration, also where its type names
    an effect ('Effects/Data Exposure'); so is what Access Analyzer says, which looks at policies and never at behaviour.
    """
    if product == "guardduty":
        return Kind.THREAT
    if items(record, "Vulnerabilities") or any(name.startswith(_CVES) for name in types):
        return Kind.VULNERABILITY
    if text(record, "Compliance", "Status") or product == "access-analyzer":
        return Kind.MISCONFIGURATION
    for name in types:
        kind = _NAMESPACES.get(name.partition("/")[0])
        if kind is not None:
            return kind
    return Kind.MISCONFIGURATION


def _classifier(types: tuple[str, ...]) -> str:
    """GuardDuty's or Macie's own type at the end of a taxonomy path. Security Hub writes `Recon:EC2-Portscan` for what
    the product calls `Recon:EC2/Portscan`.
    """
    for name in types:
        steps = name.split("/")
        start = next((at for at, step in enumerate(steps) if ":" in step), None)
        if start is not None:
            own = "/".join(steps[start:])
            return own if "/" in own else own.replace("-", "/", 1)
    return ""


def _rule(record: Record, types: tuple[str, ...], kind: Kind, product: str) -> str:
    """What tells most: the product's type, the CVE, the id of the control, and only then the generator."""
    flaws = items(record, "Vulnerabilities")
    if kind is Kind.VULNERABILITY and flaws:
        return text(flaws[0], "Id")
    own = _classifier(types) if product in ("guardduty", "macie") or kind in (Kind.THREAT, Kind.DATA) else ""
    control = text(record, "Compliance", "SecurityControlId") or text(record, "ProductFields", "ControlId")
    return own or control or text(record, "GeneratorId").removeprefix("prowler-")


def _severity(record: Record) -> Severity:
    """The label (which the customer may have changed); in old findings only the number 0-100."""
    label = text(record, "Severity", "Label")
    value = number(record, "Severity", "Normalized")
    if label or value is None:
        return severity_named(label)
    for least, severity in _NORMALIZED:
        if value >= least:
            return severity
    return Severity.INFORMATIONAL if value < 1 else Severity.UNKNOWN


def _status(record: Record) -> tuple[Status, str]:
    """Archived and passed are resolved; otherwise what the people who work on it said."""
    if flag(record, "Sample"):
        return Status.SUPPRESSED, "sample finding"
    if text(record, "RecordState") == "ARCHIVED":
        return Status.RESOLVED, "archived by the product that found it"
    said = status_named(text(record, "Workflow", "Status") or text(record, "WorkflowState"))
    if said.open and text(record, "Compliance", "Status") == "PASSED":
        return Status.RESOLVED, "the check passed"
    return said, ""


def _requirement(said: str) -> tuple[str, str]:
    """`PCI DSS v3.2.1/2.2` and `NIST.800-53.r5 AC-3(15)` are both framework and requirement."""
    framework, _, requirement = said.rpartition("/") if "/" in said else said.rpartition(" ")
    return framework, requirement


def _controls(record: Record) -> Iterator[tuple[str, str]]:
    compliance, fields = section(record, "Compliance"), section(record, "ProductFields")
    yield from (_requirement(said) for said in words(compliance, "RelatedRequirements"))
    control = text(compliance, "SecurityControlId") or text(fields, "ControlId") or text(fields, "RuleId")
    for standard in items(compliance, "AssociatedStandards"):
        yield text(standard, "StandardsId").removeprefix("standards/"), control
    old = text(fields, "StandardsArn") or text(fields, "StandardsGuideArn")
    if old:
        yield old.partition(":::")[2].partition("/")[2], control


def _packages(flaw: Record) -> Iterator[Vulnerability]:
    """One vulnerability per package it was found in; one without a package where none is named."""
    scores = sorted(items(flaw, "Cvss"), key=lambda score: text(score, "Version"))
    best: Record = scores[-1] if scores else {}
    for package in items(flaw, "VulnerablePackages") or [{}]:
        version, release = text(package, "Version"), text(package, "Release")
        fixed = text(package, "FixedInVersion")
        yield Vulnerability(
            cve=needed(text(flaw, "Id"), "Vulnerabilities", "Id"),
            package=text(package, "Name"),
            version=f"{version}-{release}" if release else version,
            fixed_version="" if fixed == "NotAvailable" else fixed.removeprefix("0:"),
            cvss=number(best, "BaseScore"),
            vector=text(best, "BaseVector"),
            epss=number(flaw, "EpssScore"),
            exploit_exists=text(flaw, "ExploitAvailable") == "YES",
        )


def _vulnerabilities(record: Record) -> tuple[Vulnerability, ...]:
    found = (one for flaw in items(record, "Vulnerabilities") for one in _packages(flaw))
    return tuple(dict.fromkeys(found))


def _main(assets: list[Asset], rule: str, product: str) -> int:
    """Which resource the finding is about: the first, except that a GuardDuty type names its subject
    (`Exfiltration:S3/...` is about the bucket, whichever stands first).
    """
    if product != "guardduty":
        return 0
    subject = _SUBJECTS.get(rule.partition(":")[2].partition("/")[0])
    return next((at for at, asset in enumerate(assets) if asset.kind is subject), 0)


def _assets(record: Record, rule: str, product: str) -> tuple[Asset, list[Tie]]:
    """The asset and its ties. A key beside the subject of a threat is who did it; anything else was touched."""
    account, region = text(record, "AwsAccountId"), _region(record)
    rows = items(record, "Resources")
    assets = [asset_of(row, account, region) for row in rows]
    if not assets:
        return Asset(AssetKind.ACCOUNT, "aws", account, region, NOTHING, (account,)), []
    main = _main(assets, rule, product)
    ties = list(own_ties(rows[main], account))
    for at, other in enumerate(assets):
        if at == main or not other.ids:
            continue
        actor = product == "guardduty" and text(rows[at], "Type") == "AwsIamAccessKey"
        holder = holder_of(rows[at], account) if actor else None
        ties.append(Tie("actor" if actor else "touches", other))
        ties += [Tie("actor", holder)] if holder else []
    return assets[main], [tie for tie in ties if not set(tie.asset.ids) & set(assets[main].ids)]


def _region(record: Record) -> str:
    """Findings of before 2021 have no region of their own; the ARN of the product has."""
    parts = text(record, "ProductArn").split(":", 4)
    return text(record, "Region") or (parts[3] if len(parts) > 4 else "")


def _source_id(record: Record) -> str:
    """`Id` within its product and account: whoever imports findings chooses their `Id`, and may choose another's."""
    return f"{text(record, 'AwsAccountId')}/{text(record, 'ProductArn')}/{needed(text(record, 'Id'), 'Id')}"


def _internet(record: Record, kind: Kind) -> bool | None:
    """What Macie says of the bucket, or what was seen to arrive."""
    said = text(record, "ProductFields", "S3Bucket.effectivePermission")
    if said in ("PUBLIC", "NOT_PUBLIC"):
        return said == "PUBLIC"
    return reached_from_outside(record) if kind is Kind.THREAT else None


def _updated(record: Record) -> datetime | None:
    """The later of the product's last change and of Security Hub's own (a change of workflow moves only the second)."""
    moments = [when(record, "UpdatedAt"), when(record, "ProcessedAt")]
    return max((moment for moment in moments if moment), default=None)


def read_finding(record: Record, origin: Origin) -> Claims:
    """One ASFF finding, from GetFindings, an EventBridge event or a BatchImportFindings file."""
    product, types = _product(record), words(record, "Types")
    kind = _kind(record, types, product)
    rule = _rule(record, types, kind, product)
    status, reason = _status(record)
    asset, ties = _assets(record, rule, product)
    first, last = when(record, "FirstObservedAt"), when(record, "LastObservedAt")
    yield Finding(
        source="securityhub",
        source_id=_source_id(record),
        tenant=origin.tenant,
        instance=origin.instance,
        kind=kind,
        rule=rule,
        title=Outside(text(record, "Title")),
        description=Outside(text(record, "Description")),
        severity=_severity(record),
        status=status,
        status_reason=reason,
        asset=asset,
        times=Times(first or when(record, "CreatedAt"), _updated(record), origin.received),
        first_seen=first,
        last_seen=last,
        vulnerabilities=_vulnerabilities(record),
        controls=controls(_controls(record)),
        ties=tuple(dict.fromkeys(ties)),
        indicators=indicators(record) if kind is Kind.THREAT else (),
        internet=_internet(record, kind),
        sensitive=True if kind is Kind.DATA else None,
        blocked=was_blocked(record),
        link=text(record, "SourceUrl"),
    )


class SecurityHubSource:
    """Security Hub, as a teller of problems."""

    shapes = (
        Shape(
            "finding (ASFF)", frozenset({"Id", "ProductArn", "AwsAccountId", "Resources", "Severity", "Title"}), read_finding
        ),
    )
    not_alerts = (
        NotAnAlert(
            "a reply of Security Hub to an update, not findings", frozenset({"ProcessedFindings", "UnprocessedFindings"})
        ),
        NotAnAlert("a reply of Security Hub to an import, not findings", frozenset({"FailedCount", "SuccessCount"})),
        NotAnAlert("counts of a Security Hub insight, not findings", frozenset({"insightArn", "insightResults"})),
        NotAnAlert(
            "the definition of a Security Hub control, not a finding", frozenset({"SecurityControlArn", "UpdateStatus"})
        ),
    )
    csv_exports = ()
    export_hint = (
        "Security Hub: `aws securityhub get-findings` (JSON), or EventBridge events 'Security Hub Findings - Imported'"
    )

"""Findings, intelligence and our own knowledge of the estate become facts that can be cited.

An incident may have thousands of members; of each kind of statement the gravest few are kept, so the cost of an
incident is its members times a glance, and its facts are few enough to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time

from isthmus.model.assets import AssetKind
from isthmus.model.estate import Criticality, Environment, Estate
from isthmus.model.facts import Fact, fact
from isthmus.model.findings import Finding, Kind, Vulnerability
from isthmus.model.intel import Intel
from isthmus.model.severity import Severity

_OF_A_KIND = 3
_KEYS = {AssetKind.ACCESS_KEY, AssetKind.USER, AssetKind.SERVICE_ACCOUNT}
_LIKELY = 0.1

Statement = tuple[str, str, int]
"""(about, value, how many facts of this about and value are worth keeping)."""


def facts_of(findings: Sequence[Finding], intel: Intel, estate: Estate, now: datetime) -> tuple[Fact, ...]:
    """Everything worth citing of these members, the gravest member's word first.

    A detection of what we ordered ourselves is cited as that, and as nothing else.
    """
    kept: dict[tuple[str, str], int] = {}
    facts: dict[str, Fact] = {}
    attacked = any(one.kind is Kind.THREAT and one.severity.weight >= Severity.MEDIUM for one in findings)
    for finding in findings:
        order = _order(finding, estate, now)
        if order:
            said = fact("expected", order, f"{finding.source} saw what we ordered ourselves: {order}", "settings", None)
            facts.setdefault(said.id, said)
            continue
        for about, value, limit in _statements(finding, intel, estate, attacked and _is_quiet(finding, intel)):
            count = kept.get((about, value), 0)
            if count < limit:
                kept[about, value] = count + 1
                said = _said(about, value, finding, intel, estate)
                facts.setdefault(said.id, said)
    for said in _stopped(findings):
        facts.setdefault(said.id, said)
    return tuple(facts.values())


def _is_quiet(finding: Finding, intel: Intel) -> bool:
    """A vulnerability that nobody exploits and nobody can reach: it does not make an attack beside it graver."""
    used = any(
        one.exploited or one.cve in intel.exploited or max(one.epss or 0.0, intel.epss.get(one.cve, 0.0)) >= _LIKELY
        for one in finding.vulnerabilities
    )
    return finding.kind is Kind.VULNERABILITY and finding.internet is not True and not used


def _statements(finding: Finding, intel: Intel, estate: Estate, quiet: bool) -> Iterator[Statement]:
    if not quiet:
        yield "severity", finding.severity.word, _OF_A_KIND
    if finding.kind is Kind.THREAT:
        yield "threat", f"{finding.severity.weight} {finding.rule or finding.source_id}", 1
    if finding.kind is Kind.SECRET:
        yield "secret", "key" if finding.asset.kind in _KEYS else "other", 1
    for about in ("internet", "sensitive", "privileged"):
        said = getattr(finding, about)
        if said is not None:
            yield about, "true" if said else "false", _OF_A_KIND
    for one in finding.vulnerabilities:
        yield from () if quiet or not one.cve else _of_vulnerability(one, intel)
    yield from _of_account(finding, estate)


def _of_account(finding: Finding, estate: Estate) -> Iterator[Statement]:
    account = estate.accounts.get(finding.asset.account)
    yield "environment", account.environment if account else Environment.UNKNOWN, 1
    if not estate.crown_jewels.isdisjoint((*finding.asset.aliases, *finding.asset.ids)):
        yield "criticality", Criticality.HIGH, _OF_A_KIND
    elif account and account.criticality is not Criticality.MEDIUM:
        yield "criticality", account.criticality, 1
    owner = account.owner if account and account.owner else _tagged_owner(finding)
    if owner:
        yield "owner", owner, 1


def _stopped(findings: Iterable[Finding]) -> Iterator[Fact]:
    """That the platform stopped it counts only if it holds of every detection."""
    threats = [one for one in findings if one.kind is Kind.THREAT and one.severity.weight >= Severity.MEDIUM]
    if threats and all(one.blocked for one in threats):
        yield fact(
            "blocked", "true", "the platform says it stopped every detection", threats[0].source, threats[0].times.updated
        )


def _order(finding: Finding, estate: Estate, now: datetime) -> str:
    """Why we expect everything seen in this detection; empty when we do not, or did not any more when it happened."""
    if finding.kind is not Kind.THREAT or not estate.expected:
        return ""
    at = finding.last_seen or finding.times.happened or now
    seen = [one.value for one in finding.indicators if one.kind == "ip"]
    return next((one.why for one in estate.expected if one.covers(seen, at)), "")


def _of_vulnerability(one: Vulnerability, intel: Intel) -> Iterator[Statement]:
    epss = max(one.epss or 0.0, intel.epss.get(one.cve, 0.0))
    if one.exploited or one.cve in intel.exploited:
        yield "exploited", one.cve, 1
    elif epss >= _LIKELY:
        yield "epss", f"{epss:.2f} {one.cve}", 1
    elif one.exploit_exists:
        yield "exploit", one.cve, 1
    if one.cvss is not None:
        yield "cvss", f"{one.cvss:04.1f}", 1
    if one.fixed_version:
        yield "fix", f"{one.cve} {one.package} {one.fixed_version}", 1


def _tagged_owner(finding: Finding) -> str:
    """Who a tag says owns it: for routing and display; it decides nothing."""
    by_name = {name.lower(): str(value) for name, value in finding.asset.tags}
    return next((by_name[name][:80] for name in ("owner", "team", "service-owner", "contact") if by_name.get(name)), "")


_TEXTS = {
    "internet": {"true": "{asset} can be reached from the internet", "false": "{asset} cannot be reached from the internet"},
    "sensitive": {"true": "{asset} holds sensitive data", "false": "{asset} holds no sensitive data"},
    "privileged": {"true": "{asset} has high privileges", "false": "{asset} has no high privileges"},
}


def _said(about: str, value: str, finding: Finding, intel: Intel, estate: Estate) -> Fact:
    asset = finding.asset.id
    if about in _TEXTS:
        text = _TEXTS[about][value].format(asset=asset)
    elif about == "severity":
        text = f"{finding.source} rates '{finding.title}' {value}"
    elif about == "threat":
        text = f"{finding.source} detected '{finding.title}' on {asset}"
    elif about == "secret":
        text = f"{finding.source} found a usable secret: '{finding.title}' on {asset}"
    elif about in {"environment", "criticality", "owner"}:
        return _of_estate(about, value, finding, estate)
    else:
        return _of_intel(about, value, finding, intel)
    return fact(about, value, text, finding.source, finding.times.updated, asset)


def _of_estate(about: str, value: str, finding: Finding, estate: Estate) -> Fact:
    account = finding.asset.account or "of this asset"
    known = estate.accounts.get(finding.asset.account)
    if about == "owner":
        ours = bool(known and known.owner)
        text = f"{finding.asset.id} belongs to {value}, says {'our inventory' if ours else 'a tag'}"
        return fact(about, value, text, "settings" if ours else finding.source, None, finding.asset.id)
    if about == "environment" and value == Environment.UNKNOWN:
        text = f"nothing we own says which environment account {account} is, so it counts as production"
    else:
        text = f"account {account} is {value}" if about == "environment" else f"{finding.asset.id} is of {value} criticality"
    return fact(about, value, text, "settings", None)


def _of_intel(about: str, value: str, finding: Finding, intel: Intel) -> Fact:
    cve = next((word for word in value.split() if word.startswith("CVE-")), value)
    asset = finding.asset.id
    if about == "exploited" and cve in intel.exploited:
        row = intel.exploited[cve]
        with_ransomware = ", also in ransomware campaigns" if row.ransomware else ""
        text = f"{cve} ({row.product}) is exploited in the wild since at least {row.added}{with_ransomware}"
        return fact(about, value, text, "CISA KEV", datetime.combine(row.added, time.min, UTC), asset)
    texts = {
        "exploited": f"{finding.source} says {cve} is exploited in the wild",
        "exploit": f"{finding.source} says an exploit for {cve} is public",
        "epss": f"{cve} has an exploitation probability of {value[:4]} in the next 30 days",
        "cvss": f"CVSS base score {value.lstrip('0') or '0'} for '{finding.title}'",
        "fix": f"{finding.source} says {value.partition(' ')[2] or cve} fixes {cve}",
    }
    source = "EPSS" if about == "epss" and cve in intel.epss else finding.source
    return fact(about, value, texts[about], source, finding.times.updated, asset)

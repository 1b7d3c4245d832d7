"""Which facts an incident is judged by.

In a story everybody's word counts. In a fold of many assets each asset is judged alone and the gravest speaks for all:
otherwise the exposure of one and the severity of another would add up to a risk nobody has, and a dull finding put
beside a grave one could speak in its place.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime

from isthmus.assess.enrich import facts_of
from isthmus.assess.score import reasons_for
from isthmus.assess.ssvc import priority
from isthmus.model.assessment import Priority
from isthmus.model.estate import Estate
from isthmus.model.facts import Fact, fact
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident
from isthmus.model.intel import Intel


def gather(incident: Incident, intel: Intel, estate: Estate, now: datetime) -> tuple[Fact, ...]:
    """The facts of a story, or those of the gravest asset of a fold."""
    if incident.scope == "story":
        return facts_of(incident.findings, intel, estate, now)
    by_asset: dict[str, list[Finding]] = {}
    for finding in incident.findings:
        by_asset.setdefault(finding.asset.id, []).append(finding)
    # A backlog holds hundreds of assets of which much the same is said; one of each sort is enough to find the gravest.
    sorts: dict[frozenset[Hashable], list[Finding]] = {}
    for members in by_asset.values():
        sorts.setdefault(frozenset(_likeness(one, intel, estate) for one in members), members)
    told = [facts_of(members, intel, estate, now) for members in sorts.values()]
    if len(told) == 1:
        return told[0]
    levels = list(Priority)
    weighed = [(_score(incident, facts), -levels.index(priority(facts)), facts[0].id, facts) for facts in told]
    _, gravest_level, _, gravest = max(weighed)
    _, soonest_level, _, soonest = max(weighed, key=lambda one: one[1:3])
    if soonest_level > gravest_level:
        level, asset = levels[-soonest_level], soonest[0].asset
        text = f"by itself, {asset or 'another asset of this fold'} would be to {level.value}"
        return (*gravest, fact("fold", level.value, text, "isthmus", None, asset))
    return gravest


def _likeness(finding: Finding, intel: Intel, estate: Estate) -> Hashable:
    """Everything of a finding that its score or priority can depend on."""
    asset, threat = finding.asset, finding.kind is Kind.THREAT
    return (
        *(finding.kind, finding.severity, finding.internet, finding.sensitive, finding.privileged, finding.blocked),
        *(asset.account, asset.kind, not estate.crown_jewels.isdisjoint((*asset.aliases, *asset.ids))),
        (finding.rule or finding.source_id, finding.indicators, finding.last_seen) if threat else None,
        tuple(
            (one.cvss, one.epss or intel.epss.get(one.cve), one.exploited or one.cve in intel.exploited, one.exploit_exists)
            for one in finding.vulnerabilities
        ),
    )


def _score(incident: Incident, facts: tuple[Fact, ...]) -> int:
    return sum(reason.points for reason in reasons_for(incident, facts))

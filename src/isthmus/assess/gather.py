"""Which facts an incident is judged by.

In a story everybody's word counts. In a fold of many assets each asset is judged alone and the gravest speaks for all:
otherwise the exposure of one and the severity of another would add up to a risk nobody has, and a dull finding put
beside a grave one could speak in its place.
"""

from __future__ import annotations

from datetime import datetime

from isthmus.assess.enrich import facts_of
from isthmus.assess.score import reasons_for
from isthmus.assess.ssvc import priority
from isthmus.model.assessment import Priority
from isthmus.model.estate import Estate
from isthmus.model.facts import Fact, fact
from isthmus.model.findings import Finding
from isthmus.model.incidents import Incident
from isthmus.model.intel import Intel


def gather(incident: Incident, intel: Intel, estate: Estate, now: datetime) -> tuple[Fact, ...]:
    """The facts of a story, or those of the gravest asset of a fold."""
    if incident.scope == "story":
        return facts_of(incident.findings, intel, estate, now)
    by_asset: dict[str, list[Finding]] = {}
    for finding in incident.findings:
        by_asset.setdefault(finding.asset.id, []).append(finding)
    told = [facts_of(members, intel, estate, now) for members in by_asset.values()]
    gravest = max(told, key=lambda facts: (_score(incident, facts), facts[0].id))
    soonest = min(told, key=lambda facts: (_urgency(facts), facts[0].id))
    if _urgency(soonest) < _urgency(gravest):
        level, asset = priority(soonest), soonest[0].asset
        text = f"by itself, {asset or 'another asset of this fold'} would be to {level.value}"
        return (*gravest, fact("fold", level.value, text, "isthmus", None, asset))
    return gravest


def _score(incident: Incident, facts: tuple[Fact, ...]) -> int:
    return sum(reason.points for reason in reasons_for(incident, facts))


def _urgency(facts: tuple[Fact, ...]) -> int:
    return list(Priority).index(priority(facts))

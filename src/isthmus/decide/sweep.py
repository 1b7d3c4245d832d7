"""Requests no author thought of, asked of every bundle before it is used.

A net, not a proof: a policy may hide behind an hour or an owner nobody asks about here. What slips through still meets
the floor at every decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from isthmus.decide.asking import LADDER, Answer, Bundle, Circumstances, answers
from isthmus.decide.floor import CASES, below
from isthmus.model.assessment import Confidence, Priority, Verdict
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Untrusted
from isthmus.model.estate import Criticality, Environment
from isthmus.model.plans import Target

_MOST_TOLD = 10
_TARGET = Target("sweep:target", "target", AssetKind.INSTANCE, "aws", "210987654321", "eu-west-1", owner="team")
_GRAVEST = Circumstances(
    score=100,
    priority=Priority.ACT,
    verdict=Verdict.TRUE_POSITIVE,
    confidence=Confidence.HIGH,
    scope="story",
    confirmed=True,
    known_asset=True,
    reach=1,
    undoable=True,
    hour=12,
    weekday=2,
    verdict_by_person=False,
)
_CORNERS: tuple[dict[str, Any], ...] = (
    {},
    {"reach": 2},
    {"reach": 3},
    {"confirmed": False},
    {"undoable": False},
    {"verdict": Verdict.FALSE_POSITIVE},
    {"verdict": Verdict.BENIGN_POSITIVE, "verdict_by_person": True},
    {"verdict": Verdict.UNDETERMINED, "confidence": Confidence.LOW, "priority": Priority.ATTEND},
    {"score": 0, "priority": Priority.TRACK, "confidence": Confidence.MEDIUM, "scope": "backlog", "known_asset": False},
    {"score": 50, "priority": Priority.TRACK_STAR, "scope": "problem", "hour": 0, "weekday": 6},
    {"hour": 23, "weekday": 0, "reach": 9, "verdict_by_person": True},
)
_ALWAYS = 2
_THINGS: tuple[dict[str, Any], ...] = (
    {"environment": Environment.PRODUCTION},
    {"environment": Environment.DEVELOPMENT},
    {"environment": Environment.STAGING},
    {"environment": Environment.SANDBOX},
    {"environment": Environment.SANDBOX, "crown_jewel": True, "criticality": Criticality.HIGH},
    {
        "environment": Environment.DEVELOPMENT,
        "criticality": Criticality.LOW,
        "kind": AssetKind.OTHER,
        "owner": "",
        "region": "",
    },
)


def sweep(bundle: Bundle) -> None:
    """Raises `Untrusted` naming every policy that fails to evaluate, allows below the floor, or allows less to more people."""
    wrong: dict[str, None] = {}
    for ability, target, circumstances in requests(bundle):
        rungs = answers(bundle, ability, target, circumstances, LADDER)
        wrong |= dict.fromkeys(_wrong(bundle, ability, target, circumstances, rungs))
        if len(wrong) >= _MOST_TOLD:
            break
    if wrong:
        raise Untrusted("\n".join(wrong))


def requests(bundle: Bundle) -> Iterator[tuple[str, Target, Circumstances]]:
    """Every ability in production and development, and one of each group everywhere, in every corner of the circumstances."""
    first = {group: ability for ability, group in reversed(tuple(bundle.groups.items()))}
    for ability, group in bundle.groups.items():
        for thing in _THINGS if first[group] == ability else _THINGS[:_ALWAYS]:
            target = replace(_TARGET, provider="case" if group == CASES else "aws", **thing)
            for corner in _CORNERS:
                yield ability, target, replace(_GRAVEST, **corner)


def _wrong(
    bundle: Bundle, ability: str, target: Target, circumstances: Circumstances, rungs: tuple[Answer, ...]
) -> Iterator[str]:
    for error in (error for rung in rungs for error in rung.errors):
        yield f"{placed(bundle, tuple(one.id for one in bundle.rules if f'`{one.id}`' in error))}: {error}"
    rows = below(bundle.groups[ability], target, circumstances)
    if rungs[0].allowed and rows:
        yield f"{placed(bundle, rungs[0].policies)}: allows it unasked, below the floor {rows[0].name}: {rows[0].why}"
    for fewer, more in pairwise(rungs):
        if fewer.allowed and not more.allowed and not more.errors:
            yield f"{placed(bundle, more.policies or fewer.policies)}: allows less when more people agree"


def placed(bundle: Bundle, policies: tuple[str, ...]) -> str:
    """These policies with their files and lines, for an error."""
    named = [f"{one.place}: {one.id}" for one in bundle.rules if one.id in policies]
    return ", ".join(named) or f"the bundle {bundle.name}"

"""Priority by CISA's SSVC coordinator table, version 2.0.3."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.assess.score import threat_weight
from isthmus.model.assessment import Priority
from isthmus.model.estate import Criticality, Environment
from isthmus.model.facts import Fact, Index, about, indexed

_MEDIUM = 3
_HIGH = 4
_LEVELS = {"A": Priority.ACT, "a": Priority.ATTEND, "*": Priority.TRACK_STAR, "t": Priority.TRACK}
# Rows: exploitation, automatable, technical impact; columns: mission and well-being low, medium, high.
_TABLE = {
    ("none", "no", "partial"): "ttt",
    ("none", "no", "total"): "tt*",
    ("none", "yes", "partial"): "tta",
    ("none", "yes", "total"): "tta",
    ("poc", "no", "partial"): "tt*",
    ("poc", "no", "total"): "t*a",
    ("poc", "yes", "partial"): "tta",
    ("poc", "yes", "total"): "t*a",
    ("active", "no", "partial"): "tta",
    ("active", "no", "total"): "taA",
    ("active", "yes", "partial"): "aaA",
    ("active", "yes", "total"): "aAA",
}


def decide(exploitation: str, automatable: str, impact: str, mission: str) -> Priority:
    """The table's level for four decision points."""
    return _LEVELS[_TABLE[exploitation, automatable, impact][("low", "medium", "high").index(mission)]]


def priority(given: Sequence[Fact]) -> Priority:
    """The level these facts give. What nobody said is read the graver way where it concerns the business."""
    facts = indexed(given)
    own = decide(_exploitation(facts), _automatable(facts), _impact(facts), _mission(facts))
    told = [Priority(one.value) for one in about(facts, "fold")]
    return min([own, *told], key=list(Priority).index)


def _attacked(facts: Index, least: int) -> bool:
    return not about(facts, "blocked") and any(threat_weight(one) >= least for one in about(facts, "threat"))


def _exploitation(facts: Index) -> str:
    if _attacked(facts, _MEDIUM) or about(facts, "exploited"):
        return "active"
    return "poc" if any(about(facts, name) for name in ("epss", "exploit", "secret")) else "none"


def _automatable(facts: Index) -> str:
    return "yes" if about(facts, "internet", "true") or about(facts, "secret") else "no"


def _impact(facts: Index) -> str:
    grave = about(facts, "severity", "critical") or about(facts, "privileged", "true") or about(facts, "sensitive", "true")
    scored = any(one.value >= "09.0" for one in about(facts, "cvss"))
    return "total" if grave or scored or _attacked(facts, _HIGH) else "partial"


def _mission(facts: Index) -> str:
    if about(facts, "criticality", Criticality.HIGH):
        return "high"
    environments = {one.value for one in about(facts, "environment")}
    if not environments:
        return "low"
    if environments & {Environment.PRODUCTION, Environment.UNKNOWN}:
        low = {one.value for one in about(facts, "criticality")} == {Criticality.LOW}
        return "medium" if low else "high"
    return "medium" if Environment.STAGING in environments else "low"

"""Cedar, asked so that nothing but a clean yes is a yes.

Cedar skips a `forbid` that fails to evaluate, and then allows. So a request is built here from whole values only,
validated against our schema together with its entities, and an answer with any error in it is not an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import cedarpy

from isthmus.model.outside import printable
from isthmus.model.plans import Target

AGENT = {"type": "Agent", "id": "isthmus"}
MOST_PEOPLE = 2
LADDER = (0, 1, MOST_PEOPLE)

_LONGEST, _SHOWN = 1_024, 200
_RANGES = {"score": (0, 100), "reach": (0, 9), "hour": (0, 23), "weekday": (0, 6)}
_TRUTHS = frozenset({"confirmed", "known_asset", "undoable", "verdict_by_person"})
_LISTED = {"priority": "Priority", "verdict": "Verdict", "confidence": "Confidence", "scope": "Scope"}
_LISTED_OF_TARGET = {"environment": "Environment", "criticality": "Criticality", "kind": "Kind"}
_TEXTS_OF_TARGET = ("provider", "account", "region", "owner")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known when policy is asked, beside the target.

    `score` 0-100; `priority`, `verdict`, `confidence` and `scope` are the model's words. `confirmed`: the platform itself
    told us of it when asked back. `known_asset`: our settings name its account. `reach` 0-9 and `undoable` are the
    ability's. `hour` 0-23 UTC, `weekday` 0-6 from Monday. `verdict_by_person`: an analyst said it, not we.
    """

    score: int
    priority: str
    verdict: str
    confidence: str
    scope: str
    confirmed: bool
    known_asset: bool
    reach: int
    undoable: bool
    hour: int
    weekday: int
    verdict_by_person: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy of a bundle: its id, the file and line it begins at, and its text for people."""

    id: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Policies that were checked, ready to be asked.

    `digest` is the SHA-256, in hex, of everything they were loaded from and of the schema. `groups` is the closed list
    of abilities: each with what it touches (`identity`, `data`, `network`, `compute`) or `case`.
    """

    name: str
    digest: str
    rules: tuple[Rule, ...]
    groups: Mapping[str, str]
    policies: cedarpy.PolicySet = field(repr=False, compare=False)
    schema: cedarpy.Schema = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Cedar's answer to one request: `policies` are those that made it so. With errors it is never allowed."""

    allowed: bool
    policies: tuple[str, ...]
    errors: tuple[str, ...]


def unsound(target: Target, circumstances: Circumstances) -> str:
    """Which value is missing, of the wrong kind or out of range; empty when everything is whole."""
    for name in ("handle", *_LISTED_OF_TARGET, *_TEXTS_OF_TARGET):
        value = getattr(target, name, None)
        if not isinstance(value, str) or len(value) > _LONGEST:
            return f"target.{name}"
    jewel = getattr(target, "crown_jewel", None)
    if not target.handle or type(jewel) is not bool:
        return "target.crown_jewel" if target.handle else "target.handle"
    return next((f"circumstances.{one.name}" for one in fields(circumstances) if not _whole(one.name, circumstances)), "")


def _whole(name: str, circumstances: Circumstances) -> bool:
    value = getattr(circumstances, name, None)
    if name in _RANGES:
        least, most = _RANGES[name]
        return type(value) is int and least <= value <= most
    return type(value) is bool if name in _TRUTHS else isinstance(value, str) and len(value) <= _LONGEST


def answers(
    bundle: Bundle, ability: str, target: Target, circumstances: Circumstances, approvals: Sequence[int]
) -> tuple[Answer, ...]:
    """What the bundle says with each of these numbers of approvals, in their order."""
    context = _context(circumstances)
    requests = [
        {
            "principal": AGENT,
            "action": {"type": "Action", "id": ability},
            "resource": {"type": "Target", "id": target.handle},
            "context": {**context, "approvals": number},
        }
        for number in approvals
    ]
    try:
        results = cedarpy.is_authorized_batch(requests, bundle.policies, _entities(target), bundle.schema)
    except (TypeError, ValueError) as error:
        return tuple(Answer(False, (), (_told(str(error)),)) for _ in approvals)
    return tuple(answer(one) for one in results)


def answer(result: cedarpy.AuthzResult) -> Answer:
    """Cedar's result, read strictly: allowed means Allow, with no error at all, by at least one policy."""
    errors = tuple(_told(one) for one in result.diagnostics.errors)
    if result.decision is cedarpy.Decision.NoDecision and not errors:
        errors = ("no decision",)
    policies = tuple(sorted(result.diagnostics.reasons))
    return Answer(result.decision is cedarpy.Decision.Allow and not errors and bool(policies), policies, errors)


def _told(error: str) -> str:
    # Cedar repeats the whole request before it says what is wrong; the end is what people need.
    return printable(error[-_SHOWN:])


def _context(circumstances: Circumstances) -> dict[str, Any]:
    context = {one.name: getattr(circumstances, one.name) for one in fields(circumstances)}
    return context | {name: {"type": kind, "id": context[name]} for name, kind in _LISTED.items()}


def _entities(target: Target) -> str:
    """The only entities Cedar ever sees: ourselves and the target, with every attribute."""
    attributes: dict[str, Any] = {name: getattr(target, name) for name in (*_TEXTS_OF_TARGET, "crown_jewel")}
    attributes |= {name: {"type": kind, "id": getattr(target, name)} for name, kind in _LISTED_OF_TARGET.items()}
    resource = {"uid": {"type": "Target", "id": target.handle}, "attrs": attributes, "parents": []}
    return json.dumps([{"uid": AGENT, "attrs": {}, "parents": []}, resource])

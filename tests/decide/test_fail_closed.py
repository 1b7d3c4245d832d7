"""Whatever is missing, of the wrong kind, too large or unknown: never a yes. Asked of policies that would permit anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import cedarpy
import pytest
from tests.decide.making import CASE, EVERYTHING, ISOLATE, SURE, TARGET, also, saying

from isthmus.decide import asking
from isthmus.decide.asking import Circumstances
from isthmus.decide.policy import decide, permitted
from isthmus.model.assets import AssetKind
from isthmus.model.estate import Environment
from isthmus.model.outside import Outside
from isthmus.model.plans import Action, Ruling, Target

HUGE, LONG = 2**70, "x" * 1_025
NEVER: tuple[Any, ...] = (None, b"bytes", 1.5, float("nan"), [], {}, object(), Outside("act"), HUGE, -HUGE, LONG, "\ud800")
NO_WORD: tuple[Any, ...] = (0, True, "", "no-such-word", "production\n", "ACT", 'act" || true')
NO_TEXT: tuple[Any, ...] = (0, True)
NO_NUMBER: tuple[Any, ...] = (True, "1", "", -1, 101, 1.0)
NO_TRUTH: tuple[Any, ...] = (0, 1, "true", "")
WORDS = {"priority", "verdict", "confidence", "scope", "environment", "criticality", "kind"}
NUMBERS, TEXTS = {"score", "reach", "hour", "weekday"}, {"provider", "account", "region", "owner"}
OF_TARGET = ("environment", "criticality", "kind", "provider", "account", "region", "owner", "crown_jewel")
OF_CIRCUMSTANCES = tuple(one.name for one in fields(Circumstances))


def wrong(name: str) -> tuple[Any, ...]:
    """Values this attribute must not have."""
    if name in WORDS:
        return NEVER + NO_WORD
    return NEVER + (NO_NUMBER if name in NUMBERS else NO_TEXT if name in TEXTS else NO_TRUTH)


def cells() -> Iterator[tuple[Target, Circumstances, str]]:
    for name in OF_TARGET:
        for value in wrong(name):
            yield also(TARGET, **{name: value}), SURE, f"target.{name}={value!r}"
    for name in OF_CIRCUMSTANCES:
        for value in wrong(name):
            yield TARGET, also(SURE, **{name: value}), f"{name}={value!r}"
    for value in (*NEVER, *NO_TEXT, ""):
        yield also(TARGET, handle=value), SURE, f"handle={value!r}"
    yield also(TARGET, environment=Environment.UNKNOWN), SURE, "an environment nobody told"


def test_no_broken_value_gets_a_yes_even_from_a_policy_that_permits_everything() -> None:
    bundle = saying(EVERYTHING)
    assert decide(bundle, ISOLATE, TARGET, SURE).ruling is Ruling.AUTOMATIC
    seen = 0
    for target, circumstances, what in cells():
        seen += 1
        assert decide(bundle, ISOLATE, target, circumstances).ruling is Ruling.REFUSE, what
        for held in (0, 1, 2):
            assert permitted(bundle, ISOLATE, target, circumstances, held).ruling is Ruling.REFUSE, what
    assert seen > 300


@pytest.mark.parametrize("name", [*OF_TARGET, *OF_CIRCUMSTANCES, "handle"])
def test_a_missing_value_gets_none(name: str) -> None:
    bundle = saying(EVERYTHING)
    target, circumstances = also(TARGET), also(SURE)
    object.__delattr__(circumstances if name in OF_CIRCUMSTANCES else target, name)
    assert decide(bundle, ISOLATE, target, circumstances).ruling is Ruling.REFUSE
    assert permitted(bundle, ISOLATE, target, circumstances, 2).ruling is Ruling.REFUSE


@pytest.mark.parametrize("ability", ["aws.delete_account", "contain", "network", "", "aws.isolate_instance ", None, 7, []])
def test_what_is_not_on_the_closed_list_is_refused_without_asking(ability: Any) -> None:
    said = decide(saying(EVERYTHING), also(ISOLATE, ability=ability), TARGET, SURE)
    assert said.ruling is Ruling.REFUSE
    assert said.policies == ("isthmus:unknown-ability",)


@pytest.mark.parametrize("held", [True, -1, "2", None, 1.5, float("nan")])
def test_a_number_of_approvals_that_is_none_gets_no_yes(held: Any) -> None:
    assert permitted(saying(EVERYTHING), ISOLATE, TARGET, SURE, held).ruling is Ruling.REFUSE


def test_cases_are_for_case_systems_and_containment_is_not() -> None:
    bundle = saying(EVERYTHING)
    assert decide(bundle, Action("case.open", "INC-1", {}, 1), CASE, SURE).ruling is Ruling.AUTOMATIC
    assert decide(bundle, Action("case.open", "INC-1", {}, 1), TARGET, SURE).ruling is Ruling.REFUSE
    assert decide(bundle, ISOLATE, CASE, SURE).ruling is Ruling.REFUSE


# The same at Cedar's own level: requests built by hand, read by the one function that reads Cedar's results.


def request(**context: Any) -> dict[str, Any]:
    return {
        "principal": asking.AGENT,
        "action": {"type": "Action", "id": "aws.isolate_instance"},
        "resource": {"type": "Target", "id": TARGET.handle},
        "context": {**asking._context(SURE), "approvals": 2, **context},
    }


def entities(**attributes: Any) -> list[Any]:
    plain = json.loads(asking._entities(TARGET))
    plain[1]["attrs"] |= attributes
    return [*plain]


def said(policies: str, asked: dict[str, Any], known: list[Any]) -> asking.Answer:
    bundle = saying(policies)
    try:
        return asking.answer(cedarpy.is_authorized(asked, bundle.policies, known, bundle.schema))
    except (TypeError, ValueError) as error:
        return asking.Answer(False, (), (str(error),))


def mistyped(name: str) -> tuple[Any, ...]:
    """At this level a text may be of any length and a number of any size that fits: ranges are ours, kinds are Cedar's."""
    if name in WORDS:
        entity = tuple({"type": name.capitalize(), "id": value} for value in NEVER + NO_WORD)
        return (*entity, *NEVER, *NO_WORD, {"type": "Target", "id": TARGET.handle}, {"type": "Nothing", "id": "x"})
    if name in NUMBERS | {"approvals"}:
        return (*NEVER, True, "1", "", 1.0)
    return (*(one for one in NEVER if one is not LONG), *NO_TEXT) if name in TEXTS else NEVER + NO_TRUTH


def test_cedar_itself_refuses_every_broken_request_under_our_schema() -> None:
    assert said(EVERYTHING, request(), entities()).allowed
    seen = 0
    for name in (*OF_CIRCUMSTANCES, "approvals", *OF_TARGET):
        for value in mistyped(name):
            seen += 1
            given: dict[str, Any] = {name: value}
            on_target = name in OF_TARGET
            answer = said(EVERYTHING, request(**({} if on_target else given)), entities(**(given if on_target else {})))
            assert not answer.allowed, (name, value)
    assert seen > 200


@pytest.mark.parametrize("name", [*OF_CIRCUMSTANCES, "approvals"])
def test_cedar_refuses_a_context_with_something_missing_or_more(name: str) -> None:
    short = request()
    del short["context"][name]
    assert not said(EVERYTHING, short, entities()).allowed
    assert not said(EVERYTHING, request(**{f"{name}_too": True}), entities()).allowed


@pytest.mark.parametrize("name", OF_TARGET)
def test_cedar_refuses_a_target_with_something_missing_or_more(name: str) -> None:
    short = entities()
    del short[1]["attrs"][name]
    assert not said(EVERYTHING, request(), short).allowed
    assert not said(EVERYTHING, request(), entities(**{f"{name}_too": "x"})).allowed


def test_an_entity_nobody_knows_makes_cedar_say_yes_and_us_no() -> None:
    guarded = EVERYTHING + "forbid (principal, action, resource) when { resource.crown_jewel };"
    bundle, unknown = saying(guarded), entities()[:1]
    plain = cedarpy.is_authorized(request(), bundle.policies, unknown, bundle.schema)
    assert plain.decision is cedarpy.Decision.Allow
    assert not said(guarded, request(), unknown).allowed


def test_a_forbid_that_fails_makes_cedar_say_yes_and_us_no() -> None:
    failing = EVERYTHING + "forbid (principal, action, resource) when { context.score * 9223372036854775807 > 0 };"
    bundle = saying(failing)
    assert cedarpy.is_authorized(request(), bundle.policies, entities(), bundle.schema).decision is cedarpy.Decision.Allow
    assert decide(bundle, ISOLATE, TARGET, SURE).policies == ("isthmus:policy-error",)
    assert permitted(bundle, ISOLATE, TARGET, SURE, 2).ruling is Ruling.REFUSE


def test_a_forbid_that_fails_only_once_people_agree_refuses_before_they_are_asked() -> None:
    failing = """permit (principal, action, resource) when { context.approvals >= 1 };
        forbid (principal, action, resource) when { context.approvals * 9223372036854775807 > 9223372036854775806 };"""
    assert decide(saying(failing), ISOLATE, TARGET, SURE).ruling is Ruling.REFUSE


def test_somebody_else_than_us_is_nobody() -> None:
    for principal in ({"type": "Agent", "id": "somebody"}, {"type": "Person", "id": "isthmus"}, {"type": "Target", "id": "x"}):
        ours_only = 'permit (principal == Agent::"isthmus", action, resource);'
        assert not said(ours_only, request() | {"principal": principal}, entities()).allowed


FLOOR: list[tuple[str, Any, Any]] = [
    ("unconfirmed", {}, {"confirmed": False}),
    ("no-way-back", {}, {"undoable": False}),
    ("crown-jewel", {"crown_jewel": True}, {}),
    ("cut-off-in-production", {"environment": Environment.PRODUCTION}, {}),
    ("believed-harmless", {}, {"verdict": "benign_positive"}),
]


@pytest.mark.parametrize(("row", "thing", "seen"), FLOOR)
def test_a_policy_that_slipped_in_still_meets_the_floor(row: str, thing: Any, seen: Any) -> None:
    bundle, target, circumstances = saying(EVERYTHING), also(TARGET, **thing), also(SURE, **seen)
    asked = decide(bundle, ISOLATE, target, circumstances)
    assert (asked.ruling, asked.people) == (Ruling.ASK, 1)
    assert f"isthmus:{row}" in asked.policies
    unasked = permitted(bundle, ISOLATE, target, circumstances, 0)
    assert (unasked.ruling, unasked.policies) == (Ruling.REFUSE, (f"isthmus:{row}",))
    assert permitted(bundle, ISOLATE, target, circumstances, 1).ruling is Ruling.AUTOMATIC


def test_the_floor_is_no_matter_for_cases() -> None:
    circumstances = also(SURE, confirmed=False, undoable=False, reach=9, verdict="false_positive")
    said = decide(saying(EVERYTHING), Action("case.update", "INC-1", {}, 1), also(CASE, kind=AssetKind.OTHER), circumstances)
    assert said.ruling is Ruling.AUTOMATIC

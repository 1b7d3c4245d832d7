"""Whose word counts: each way around it is tried first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.decide.asked import (
    ANN,
    AT,
    BEN,
    MINUTES,
    PEOPLE,
    PREVIEW,
    Seal,
    asked,
    held,
    request_of,
    word,
)
from tests.decide.making import ISOLATE, TARGET, also

from isthmus.decide.approvals import approval_bytes, ask, give, plan_hash, rejected
from isthmus.model.errors import Refused
from isthmus.model.estate import Environment
from isthmus.model.people import Person, Role
from isthmus.model.plans import Approval, Decision, Intent, Outcome, Result, Ruling, Step, Target

EDITS: list[Callable[[Step], Step]] = [
    lambda step: also(step, action=also(step.action, ability="aws.stop_instance")),
    lambda step: also(step, action=also(step.action, target="i-0other")),
    lambda step: also(step, action=also(step.action, parameters={"region": "us-east-1"})),
    lambda step: also(step, action=also(step.action, rank=2)),
    lambda step: also(step, preview=also(step.preview, calls=("ec2:TerminateInstances i-0abc",))),
    lambda step: also(step, preview=also(step.preview, calls=("ec2:ModifyNetworkInterfaceAttribute eni-1 sg-empty", "more"))),
    lambda step: also(step, preview=also(step.preview, before={"groups": ["sg-2"]})),
    lambda step: also(step, preview=also(step.preview, version="other")),
    lambda step: also(step, preview=also(step.preview, ability="aws.stop_instance")),
    lambda step: also(step, preview=also(step.preview, parameters={"region": "us-east-1"})),
    lambda step: also(step, preview=also(step.preview, target=also(TARGET, handle="aws:other"))),
    lambda step: also(step, preview=also(step.preview, already=True)),
    lambda step: also(step, preview=None),
    lambda step: also(step, target=None),
    lambda step: also(step, decision=None),
    lambda step: also(step, decision=also(step.decision, bundle="another bundle")),
    lambda step: also(step, request=also(step.request, bundle="another bundle")),
    lambda step: also(step, request=also(step.request, nonce="another")),
    lambda step: also(step, request=also(step.request, approve_by=AT + timedelta(days=1))),
    lambda step: also(step, request=also(step.request, execute_by=AT + timedelta(days=1))),
    lambda step: also(step, request=None),
    lambda step: also(step, preview=also(step.preview, before={"size": 2**60})),
    lambda step: also(step, action=also(step.action, parameters={"region": "\ud800"})),
]
ATTRIBUTES: dict[str, Any] = {
    "handle": "aws:other",
    "id": "i-0other",
    "kind": "bucket",
    "provider": "gcp",
    "account": "111111111111",
    "region": "us-east-1",
    "environment": Environment.DEVELOPMENT,
    "criticality": "high",
    "owner": "others",
    "crown_jewel": True,
    "provenance": "somebody",
}


def other_target(name: str) -> Callable[[Step], Step]:
    return lambda step: also(step, target=also(TARGET, **{name: ATTRIBUTES[name]}))


EDITS += [other_target(name) for name in ATTRIBUTES]


def test_a_plan_hash_is_of_every_attribute_of_the_target() -> None:
    assert set(ATTRIBUTES) == {one.name for one in fields(Target)}


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_whatever_is_changed_after_the_word_voids_it(number: int) -> None:
    seal = Seal()
    agreed = word(asked(), ANN, seal)
    assert held(agreed, PEOPLE, seal, AT)
    edited = EDITS[number](agreed)
    assert held(edited, PEOPLE, seal, AT) == ()
    with pytest.raises(Refused, match=r"changed after people were asked|nobody was asked"):
        give(edited, BEN, request_of(agreed).plan_hash, True, "", AT, seal, tenant="default")


def test_the_same_state_seen_again_is_the_same_plan() -> None:
    seal = Seal()
    agreed = word(asked(), ANN, seal)
    again = also(agreed, preview=also(PREVIEW, at=AT + MINUTES))
    assert len(held(again, PEOPLE, seal, AT)) == 1


def test_a_changed_hash_in_request_and_word_alike_is_still_not_the_plan() -> None:
    """Whoever can write to the database can make the two agree, but not with what would be done."""
    seal = Seal()
    other = word(asked(nonce="other"), ANN, seal)
    forged = also(asked(), request=request_of(other), approvals=other.approvals)
    edited = also(forged, preview=also(PREVIEW, calls=("ec2:TerminateInstances i-0abc",)))
    assert held(edited, PEOPLE, seal, AT) == ()


@pytest.mark.parametrize(
    ("person", "told"),
    [
        (Person("requester", "default", "R", Role.APPROVER), "does not also approve"),
        (Person("robot", "default", "Bot", Role.APPROVER, human=False), "programs do not approve"),
        (Person("ann", "default", "A", Role.APPROVER, active=False), "no longer active"),
        (Person("eve", "default", "E", Role.ANALYST), "role analyst does not approve"),
        (Person("eve", "default", "E", Role.VIEWER), "role viewer does not approve"),
        (Person("eve", "default", "E", Role.ADMIN), "role admin does not approve"),
        (Person("ann", "elsewhere", "A", Role.APPROVER), "another tenant"),
    ],
)
@pytest.mark.parametrize("granted", [True, False])
def test_who_may_not_speak_is_told_why(person: Person, told: str, granted: bool) -> None:
    step = asked()
    with pytest.raises(Refused, match=told):
        give(step, person, request_of(step).plan_hash, granted, "", AT, Seal(), tenant="default")


@pytest.mark.parametrize("granted", [True, False])
def test_people_are_counted_not_keys(granted: bool) -> None:
    seal = Seal()
    once = word(asked(), ANN, seal)
    with pytest.raises(Refused, match="already spoken"):
        give(
            once, replace(ANN, name="Ann, by another key"), request_of(once).plan_hash, granted, "", AT, seal, tenant="default"
        )
    # Even if two words of one person got in by another way.
    twice = replace(once, approvals=once.approvals + word(asked(), ANN, seal, at=AT + MINUTES).approvals)
    assert len(held(twice, PEOPLE, seal, AT + MINUTES)) == 1


def test_what_was_not_asked_or_is_over_takes_no_word() -> None:
    seal, step = Seal(), asked()
    seen = request_of(step).plan_hash
    for state, told in (
        (Step(ISOLATE), "nobody was asked"),
        (replace(step, intent=Intent("token", AT)), "already been carried out"),
        (replace(step, outcome=Outcome(Result.EXPIRED, "late", AT)), "already been carried out or ended"),
        (word(step, BEN, seal, granted=False), "rejected by ben"),
    ):
        with pytest.raises(Refused, match=told):
            give(state, ANN, seen, True, "", AT, seal, tenant="default")
    with pytest.raises(Refused, match="another plan"):
        give(step, ANN, "0" * 64, True, "", AT, seal, tenant="default")
    with pytest.raises(Refused, match="another plan"):
        give(asked(nonce="other"), ANN, seen, True, "", AT, seal, tenant="default")


def test_the_deadlines_hold_to_the_microsecond() -> None:
    seal, step, least = Seal(), asked(), timedelta(microseconds=1)
    request = request_of(step)
    last = word(step, ANN, seal, at=request.approve_by)
    for late in (request.approve_by + least, request.approve_by + timedelta(hours=1)):
        with pytest.raises(Refused, match="too late: people were asked until 2026-03-02 12:30:00 UTC"):
            word(step, ANN, seal, at=late)
    with pytest.raises(Refused, match="a clock went back"):
        word(step, ANN, seal, at=AT - least)
    assert held(last, PEOPLE, seal, request.approve_by)
    assert held(last, PEOPLE, seal, request.execute_by)
    assert held(last, PEOPLE, seal, request.execute_by + least) == ()
    # A word from the future is not counted yet, and one from before the question never.
    assert held(last, PEOPLE, seal, request.approve_by - least) == ()
    early = word(also(step, request=also(request, asked_at=AT - MINUTES)), ANN, seal, at=AT - least)
    assert held(also(early, request=request), PEOPLE, seal, AT) == ()
    for silent in (AT, request.approve_by, request.approve_by + least, request.execute_by):
        assert held(step, PEOPLE, seal, silent) == ()


def test_who_has_left_no_longer_counts_and_exact_ids_decide() -> None:
    seal = Seal()
    agreed = word(word(asked(), ANN, seal), BEN, seal)
    assert [one.person for one in held(agreed, PEOPLE, seal, AT)] == ["ann", "ben"]
    for changed in (
        {},
        {"ann": replace(ANN, active=False)},
        {"ann": replace(ANN, role=Role.ADMIN)},
        {"ann": replace(ANN, role=Role.ANALYST)},
        {"ann": replace(ANN, human=False)},
        {"Ann": replace(ANN, id="Ann")},
        {"ann": replace(ANN, id="someone-else")},
    ):
        register = {"ben": BEN} | changed
        assert [one.person for one in held(agreed, register, seal, AT)] == ["ben"]


@pytest.mark.parametrize(
    "change",
    [
        {"person": "ben"},
        {"granted": True, "reason": "more"},
        {"at": AT + timedelta(microseconds=1)},
        {"signature": ""},
        {"signature": "forged"},
        {"plan_hash": "0" * 64},
    ],
)
def test_a_word_changed_after_it_was_sealed_does_not_count(change: dict[str, Any]) -> None:
    seal = Seal()
    agreed = word(asked(), ANN, seal)
    changed = replace(agreed, approvals=(replace(agreed.approvals[0], **change),))
    assert held(changed, PEOPLE, seal, AT + MINUTES) == ()


def test_the_requesters_word_does_not_count_even_well_sealed() -> None:
    """Somebody else spoke, and was then found to be the one who had asked; or it got in by another way."""
    seal, step = Seal(), asked()
    plain = Approval(request_of(step).plan_hash, "requester", True, "", AT)
    sealed = replace(plain, signature=seal(approval_bytes(plain)))
    assert held(replace(step, approvals=(sealed,)), PEOPLE, seal, AT) == ()
    agreed = word(step, ANN, seal)
    assert held(also(agreed, request=also(request_of(step), requester="ann")), PEOPLE, seal, AT) == ()


def test_a_late_word_does_not_count_even_well_sealed() -> None:
    seal, step = Seal(), asked()
    request = request_of(step)
    plain = Approval(request.plan_hash, "ann", True, "", request.approve_by + timedelta(microseconds=1))
    sealed = replace(plain, signature=seal(approval_bytes(plain)))
    assert held(replace(step, approvals=(sealed,)), PEOPLE, seal, request.execute_by) == ()


def test_a_no_turned_into_a_yes_does_not_count() -> None:
    seal = Seal()
    no = word(asked(), ANN, seal, granted=False)
    assert rejected(no) == no.approvals[0]
    assert held(replace(no, approvals=(replace(no.approvals[0], granted=True),)), PEOPLE, seal, AT) == ()


def test_one_no_ends_it_whatever_the_others_said_and_whoever_left() -> None:
    seal = Seal()
    split = word(word(asked(), BEN, seal), ANN, seal, granted=False)
    assert held(split, PEOPLE, seal, AT) == ()
    assert held(split, {"ben": BEN}, seal, AT) == ()
    assert rejected(asked()) is None
    assert rejected(Step(ISOLATE)) is None
    # A no to another plan is no word on this one.
    assert rejected(replace(asked(nonce="other"), approvals=split.approvals)) is None


def test_a_policy_swapped_between_word_and_deed_voids_it() -> None:
    seal = Seal()
    agreed = word(asked(), ANN, seal)
    assert held(agreed, PEOPLE, seal, AT, bundle=request_of(agreed).bundle)
    assert held(agreed, PEOPLE, seal, AT, bundle="the new one") == ()


def test_nothing_is_asked_without_a_question_a_plan_and_time() -> None:
    step = asked()
    yes = Decision(Ruling.ASK, ("p",), "", "bundle", 1)
    for wrong, decision, nonce, within in (
        (step, replace(yes, ruling=Ruling.AUTOMATIC), "n", MINUTES),
        (step, replace(yes, ruling=Ruling.REFUSE), "n", MINUTES),
        (step, replace(yes, people=0), "n", MINUTES),
        (replace(step, target=None), yes, "n", MINUTES),
        (replace(step, preview=None), yes, "n", MINUTES),
        (step, yes, "", MINUTES),
        (step, yes, "n", timedelta(0)),
        (step, yes, "n", -MINUTES),
    ):
        with pytest.raises(Refused):
            ask(wrong, decision, "isthmus", AT, nonce, within, MINUTES)
        with pytest.raises(Refused):
            ask(wrong, decision, "isthmus", AT, nonce, MINUTES, within if within <= timedelta(0) else timedelta(0))


def test_a_hash_is_of_the_moment_not_of_how_it_is_written() -> None:
    later = AT + MINUTES
    plain = plan_hash(ISOLATE, TARGET, PREVIEW, "bundle", AT, later, "n")
    elsewhere = AT.astimezone(timezone(timedelta(hours=5)))
    assert plan_hash(ISOLATE, TARGET, PREVIEW, "bundle", elsewhere, later, "n") == plain
    with pytest.raises(Refused, match="without a zone"):
        plan_hash(ISOLATE, TARGET, PREVIEW, "bundle", datetime(2026, 3, 2), later, "n")  # noqa: DTZ001
    with pytest.raises(Refused, match="written down exactly"):
        plan_hash(ISOLATE, TARGET, also(PREVIEW, before={"n": 2**60}), "bundle", AT, later, "n")
    assert AT.tzinfo is UTC


def test_a_reason_is_kept_as_one_visible_line() -> None:
    step, seal = asked(), Seal()
    given = give(step, ANN, request_of(step).plan_hash, True, "yes\n\x1b[31m" + "x" * 9_000, AT, seal, tenant="default")
    assert "\n" not in given.approvals[0].reason
    assert "\x1b" not in given.approvals[0].reason
    assert len(given.approvals[0].reason) <= 2_000
    assert held(given, PEOPLE, seal, AT)

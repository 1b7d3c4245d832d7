"""Why a person may not agree to a step now, in words: shown beside a form that is switched off.

This only explains. What counts is what `decide.approvals` says when the word is given, and again before anything is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from isthmus.answer.incident_view import IncidentView, StepRow
from isthmus.model.people import Person, Right

FORBIDDEN, CONFLICT = 403, 409


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What stands in the way. `status` is 403 when it is about the person, 409 when it is about the plan."""

    status: int
    sentence: str


def hindrance(step: StepRow, person: Person, now: datetime) -> Hindrance | None:
    """The first thing that stands between this person and this step; None when they may speak."""
    return next(_personal(step, person), None) or next(_of_the_plan(step, now), None)


def _personal(step: StepRow, person: Person) -> Iterator[Hindrance]:
    if not person.human:
        yield Hindrance(FORBIDDEN, "You are signed in with the key of a program. Programs do not approve, only people do.")
    if not person.may(Right.APPROVE):
        yield Hindrance(FORBIDDEN, f"Your role is {person.role.value}. Only an approver may agree to this or reject it.")
    if person.id == step.requester:
        yield Hindrance(FORBIDDEN, "Your own word led to this step, so other people have to agree to it.")
    if any(one.person == person.id for one in step.approvals):
        yield Hindrance(FORBIDDEN, "You have already spoken. People are counted, not clicks.")


def _of_the_plan(step: StepRow, now: datetime) -> Iterator[Hindrance]:
    if not step.waiting:
        yield Hindrance(CONFLICT, "This step does not wait for anybody any more.")
    if hashlib.sha256(step.plan.encode()).hexdigest() != step.plan_hash:
        yield Hindrance(CONFLICT, "The plan on this page is not the one people were asked about. It has to be asked again.")
    no = next((one for one in step.approvals if not one.granted), None)
    if no is not None:
        yield Hindrance(CONFLICT, f"It was rejected by {no.person}, which ends it.")
    if late(step, now):
        yield Hindrance(CONFLICT, "The time in which people could agree is over.")


def late(step: StepRow, now: datetime) -> bool:
    """Whether a word given now comes after the first clock."""
    return bool(step.approve_by) and now > datetime.fromisoformat(step.approve_by)


def awaits(view: IncidentView, person: Person, now: datetime) -> bool:
    """Whether something in this incident waits for this person's word."""
    return any(one.waiting and hindrance(one, person, now) is None for one in view.steps)


def agreed(step: StepRow) -> int:
    """How many people have said yes so far, each counted once."""
    return len({one.person for one in step.approvals if one.granted})

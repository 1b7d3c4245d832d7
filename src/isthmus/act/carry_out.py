"""One action on its way: resolve, decide, preview, ask, guard, intend, apply, verify, and perhaps undo.

`forward` does the next of these and returns the step further on; whoever calls it saves before calling again. So a crash
costs at most one of them, and each is safe to do again: reading changes nothing, an intent found without an outcome is
first read back, and every ability converges.

This room decides nothing. What it must ask before it may is handed in as `Questions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from isthmus.contracts.roles import Actuator, Inventory
from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.plans import (
    Action,
    Approval,
    Decision,
    Intent,
    Outcome,
    Request,
    Result,
    Ruling,
    Step,
    Target,
    Trouble,
    UndoOrder,
)

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=15)
_LOOKS = 6
_SKEW = timedelta(minutes=1)
"""How far clocks of several machines may differ. More means that one was set back: then nobody knows how long ago people
were asked, and nothing they were asked about is carried out.
"""
MOST_ATTEMPTS = 40
"""How often a containment is tried while its platform is away, about nine hours; a case is tried for ever."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Where an action is carried out: what finds its target, and what changes it. `patient` ones are tried for ever."""

    inventory: Inventory
    actuator: Actuator
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Questions:
    """What must be asked before anything is done. Each is asked of the state as it is now, never of a stored answer.

    `placed` completes a target with what our settings know of it. `permitted` asks policy again with the approvals that
    count. `counted` are those approvals, `rejected` a person's no. `guard` raises `Refused`, or `Unreachable` for what is
    only not allowed now; its second argument says whether this is an undo. An intent that was not carried out within
    `life` is not carried out any more.
    """

    placed: Callable[[Target], Target]
    decide: Callable[[Action, Target], Decision]
    request: Callable[[Step], Request]
    counted: Callable[[Step], tuple[Approval, ...]]
    rejected: Callable[[Step], Approval | None]
    permitted: Callable[[Step, int], Decision]
    guard: Callable[[Step, bool], None]
    token: Callable[[Step], str]
    lease: timedelta
    life: timedelta


async def forward(step: Step, hand: Hand, ask: Questions, now: datetime) -> Step:
    """The step one thing further on; the same step when it waits or is done."""
    if step.trouble is not None and _not_yet(step.trouble, now):
        return step
    try:
        moved = await _moved(step, hand, ask, now)
    except Refused as error:
        # What stands is ours to take back, and people must hear of it: a no to that is a no for now, mended by somebody.
        refused = step.undo is None and not _released_now(step, now) and not hand.patient
        return _ended(step, Result.REFUSED, str(error), now) if refused else troubled(step, str(error), now, True)
    except (Unreachable, Untrusted) as error:
        return troubled(step, str(error), now, hand.patient)
    return replace(moved, trouble=None) if moved is not step and moved.trouble == step.trouble else moved


async def _moved(step: Step, hand: Hand, ask: Questions, now: datetime) -> Step:
    if step.undo is not None:
        return step if step.undone is not None else await _taken_back(step, hand, ask, now)
    if step.outcome is not None:
        return _released(step, now)
    if step.target is None:
        return replace(step, target=ask.placed(await hand.inventory.resolve(step.action)))
    if step.decision is None:
        return replace(step, decision=ask.decide(step.action, step.target))
    return await _decided(step, step.target, step.decision, hand, ask, now)


async def _decided(step: Step, target: Target, decision: Decision, hand: Hand, ask: Questions, now: datetime) -> Step:
    if decision.ruling is Ruling.SPARE:
        return step
    if decision.ruling is Ruling.REFUSE:
        return _ended(step, Result.REFUSED, f"policy: {decision.reason}", now)
    if step.preview is None:
        return await _previewed(step, target, hand, now)
    if step.intent is None:
        return await _agreed(step, hand, ask, now)
    return await _carried_out(step, hand, ask, now)


async def _previewed(step: Step, target: Target, hand: Hand, now: datetime) -> Step:
    preview = await hand.actuator.preview(step.action, target, now)
    seen = replace(step, preview=preview)
    return _ended(seen, Result.ALREADY, "nothing to change: it stands so already", now) if preview.already else seen


async def _agreed(step: Step, hand: Hand, ask: Questions, now: datetime) -> Step:
    """Everybody who must be asked has been, and the answer is yes: then, and only then, an intent."""
    if step.decision is None or step.decision.ruling is not Ruling.AUTOMATIC:
        if step.request is None:
            return replace(step, request=ask.request(step))
        no = ask.rejected(step)
        if no is not None:
            return _ended(step, Result.REFUSED, f"rejected by {no.person}: {no.reason}", now)
        if now < step.request.asked_at - _SKEW:
            return _ended(step, Result.EXPIRED, "asked at a time that has not come yet: a clock was set back", now)
        if now > step.request.execute_by:
            return _ended(step, Result.EXPIRED, "the time to carry it out has run out", now)
        if len(ask.counted(step)) < step.request.people:
            late = now > step.request.approve_by
            return _ended(step, Result.EXPIRED, "not enough people agreed in time", now) if late else step
    return await _intended(step, hand, ask, now)


async def _intended(step: Step, hand: Hand, ask: Questions, now: datetime) -> Step:
    target = ask.placed(await hand.inventory.resolve(step.action))
    fresh = await hand.actuator.preview(step.action, target, now)
    if step.preview is None or replace(fresh, at=step.preview.at) != step.preview or target != step.target:
        return _ended(step, Result.VOID, "the target is no longer as it was when this was decided", now)
    counted = ask.counted(step) if step.request is not None else ()
    said = ask.permitted(step, len(counted))
    if said.ruling is not Ruling.AUTOMATIC:
        return _ended(step, Result.VOID, f"policy no longer allows it: {said.reason}", now)
    ask.guard(step, False)
    return replace(step, intent=Intent(ask.token(step), now, tuple(one.person for one in counted)))


async def _carried_out(step: Step, hand: Hand, ask: Questions, now: datetime) -> Step:
    """The intent is on record. Whether the call was made before a crash is seen by reading, not remembered."""
    assert step.preview is not None and step.intent is not None  # noqa: S101 - `_decided` comes here only with both
    stands = await hand.actuator.verify(step.preview, now)
    if stands.result is Result.DONE:
        return _done(step, replace(stands, detail=f"found in place: {stands.detail}"), ask, now)
    stale = _stale(step, step.intent, ask, now)
    if stale and not hand.patient:
        return _ended(step, Result.VOID, stale, now)
    ask.guard(step, False)
    made = await hand.actuator.apply(step.preview, step.intent.token, now)
    tries = 0 if step.trouble is None else step.trouble.attempts
    if made.result is Result.FAILED and tries < _LOOKS:
        # It may stand though reading it back did not show it yet: looked at again before anything is said.
        return troubled(step, f"not seen yet: {made.detail}", now, True)
    return _done(step, made, ask, now)


def _stale(step: Step, intent: Intent, ask: Questions, now: datetime) -> str:
    """Why an intent that was not carried out is not carried out any more; empty when it may be."""
    if now < intent.at - _SKEW:
        return "intended at a time that has not come yet: a clock was set back"
    if now > intent.at + ask.life or (step.request is not None and now > step.request.execute_by):
        return "intended, but not carried out in time"
    counted = ask.counted(step) if step.request is not None else ()
    said = ask.permitted(step, len(counted))
    return "" if said.ruling is Ruling.AUTOMATIC else f"policy no longer allows it: {said.reason}"


def _done(step: Step, outcome: Outcome, ask: Questions, now: datetime) -> Step:
    lease = now + ask.lease if outcome.result is Result.DONE and not step.action.ability.startswith("case.") else None
    return replace(step, outcome=outcome, lease_until=lease)


def _released_now(step: Step, now: datetime) -> bool:
    return step.in_place and step.lease_until is not None and now >= step.lease_until


def _released(step: Step, now: datetime) -> Step:
    """A containment is a lease: when it has run out, it takes itself back."""
    if _released_now(step, now):
        return replace(step, undo=UndoOrder("isthmus", "the lease ran out and nobody renewed it", now))
    return step


async def _taken_back(step: Step, hand: Hand, ask: Questions, now: datetime) -> Step:
    if step.preview is None or not step.may_stand:
        return replace(step, undone=Outcome(Result.REFUSED, "nothing of ours is in place", now))
    ask.guard(step, True)
    return replace(step, undone=await hand.actuator.undo(step.preview, now))


def _ended(step: Step, result: Result, detail: str, now: datetime) -> Step:
    """The step with its last word, on the undo when that was under way."""
    outcome = Outcome(result, detail, now)
    if step.undo is not None:
        return replace(step, undone=outcome, trouble=None)
    return replace(step, outcome=outcome, trouble=None)


def _not_yet(trouble: Trouble, now: datetime) -> bool:
    """Whether it is too early to try again. A time further ahead than any wait was set by a clock that went back since."""
    return now < trouble.again <= now + _LONGEST_WAIT


def troubled(step: Step, text: str, now: datetime, patient: bool) -> Step:
    """The step waiting to be tried again; the wait doubles. One that is not patient is given up in the end."""
    before = step.trouble
    if before is not None and _not_yet(before, now):
        return step
    attempts = 1 if before is None else before.attempts + 1
    if attempts > MOST_ATTEMPTS and not patient:
        return _ended(step, Result.FAILED, f"given up after {MOST_ATTEMPTS} attempts: {text}", now)
    wait = min(_FIRST_WAIT * 2 ** min(attempts - 1, 20), _LONGEST_WAIT)
    return replace(step, trouble=Trouble(text, before.since if before else now, now + wait, attempts))

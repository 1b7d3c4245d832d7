"""Where an incident stands, in one word, and why: every alert ends in one of these, or is on its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from isthmus.model.assessment import Priority, Verdict
from isthmus.model.findings import seen_as
from isthmus.model.incidents import Incident, Word, WordKind
from isthmus.model.plans import Result, Step


class State(StrEnum):
    NEW = "new"
    """Not yet assessed."""
    APPROVAL = "waiting_for_approval"
    WORKING = "working"
    """Something is under way, or waits for a platform that is away."""
    ATTENTION = "needs_attention"
    CONTAINED = "contained"
    NOTED = "noted"
    """Assessed; nothing has to be done today."""
    SUPPRESSED = "suppressed"
    ACCEPTED = "risk_accepted"
    CLOSED = "closed"
    RESOLVED = "resolved"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Disposition:
    """The state and, for people, why."""

    state: State
    why: str


_SILENCE = {WordKind.SUPPRESS: State.SUPPRESSED, WordKind.ACCEPT_RISK: State.ACCEPTED}
_BENIGN = {Verdict.FALSE_POSITIVE.value, Verdict.BENIGN_POSITIVE.value}


def silence(incident: Incident, now: datetime) -> Word | None:
    """The word that keeps this incident quiet now. It reaches only what the person had before them, and ends by itself."""
    last = incident.spoken(*_SILENCE, WordKind.REOPEN, WordKind.VERDICT)
    if last is None or last.kind not in _SILENCE or last.until is None or now >= last.until:
        return None
    return last if _covered(incident, last) else None


def verdict_word(incident: Incident) -> Word | None:
    """A person's verdict that still holds: nothing has joined the incident since, and nobody reopened it."""
    last = incident.spoken(WordKind.VERDICT, WordKind.REOPEN)
    if last is None or last.kind is not WordKind.VERDICT or not _covered(incident, last):
        return None
    return last


def _covered(incident: Incident, word: Word) -> bool:
    known = incident.size <= max(word.number, len(word.covers))
    return known and all(seen_as(one.finding) in word.covers for one in incident.members)


def disposition(incident: Incident, now: datetime, merged_into: str = "") -> Disposition:
    """Where it stands at this moment."""
    if merged_into:
        return Disposition(State.MERGED, f"part of {merged_into}")
    if not any(one.finding.status.open for one in incident.members):
        return Disposition(State.RESOLVED, "every finding is resolved or dismissed at its source")
    quiet = silence(incident, now)
    if quiet is not None:
        until = f"{quiet.until:%Y-%m-%d %H:%M} UTC" if quiet.until else ""
        return Disposition(_SILENCE[quiet.kind], f"by {quiet.person} until {until}: {quiet.text}")
    if incident.current.assessment is None:
        return Disposition(State.NEW, incident.current.opened_because)
    return _of_steps(incident)


def _of_steps(incident: Incident) -> Disposition:
    """By what is being done, the most pressing first."""
    assessment, spoken = incident.current.assessment, verdict_word(incident)
    assert assessment is not None  # noqa: S101 - `disposition` saw to it
    doing = next(_doing(incident.steps), None)
    if doing is not None:
        return doing
    if spoken is not None and spoken.value in _BENIGN:
        return Disposition(State.CLOSED, f"{spoken.value.replace('_', ' ')} by {spoken.person}: {spoken.text}")
    held = [one for one in incident.steps if one.in_place and not one.action.ability.startswith("case.")]
    if held:
        return Disposition(State.CONTAINED, "; ".join(f"{one.action.ability} on {one.action.target}" for one in held))
    if assessment.verdict is Verdict.BENIGN_POSITIVE:
        return Disposition(State.CLOSED, "activity that was ordered, by our own settings")
    if assessment.priority in {Priority.ACT, Priority.ATTEND}:
        return Disposition(State.ATTENTION, f"priority {assessment.priority.value}, nothing contained{_refusals(incident)}")
    return Disposition(State.NOTED, f"priority {assessment.priority.value}: nothing has to be done today")


def _doing(steps: tuple[Step, ...]) -> Iterator[Disposition]:
    for one in steps:
        if one.waiting:
            assert one.request is not None  # noqa: S101 - that is what waiting means
            yield Disposition(
                State.APPROVAL, f"{one.action.ability} on {one.action.target} waits for {one.request.people} to agree"
            )
    for one in steps:
        if one.trouble is not None and one.undo is not None:
            yield Disposition(State.ATTENTION, f"{one.action.ability} could not be taken back yet: {one.trouble.text}")
        elif one.trouble is not None:
            yield Disposition(State.WORKING, f"{one.action.ability} is tried again: {one.trouble.text}")
        elif not one.settled:
            yield Disposition(State.WORKING, f"{one.action.ability} on {one.action.target}")


def _refusals(incident: Incident) -> str:
    said = [
        one.outcome.detail for one in incident.steps if one.outcome and one.outcome.result not in {Result.DONE, Result.ALREADY}
    ]
    return f" ({said[0]})" if said else ""


def wakes_at(incident: Incident, now: datetime) -> datetime | None:
    """When it wants to go on by itself; None when it waits for people or is done."""
    times = [moment for one in incident.steps for moment in _times(one) if moment is not None]
    quiet = silence(incident, now)
    if quiet is not None and quiet.until is not None:
        times.append(quiet.until)
    return min(times, default=None)


def _times(step: Step) -> Iterator[datetime | None]:
    if step.trouble is not None:
        yield step.trouble.again
    elif step.waiting and step.request is not None:
        yield step.request.approve_by
    elif step.in_place and step.undo is None:
        yield step.lease_until

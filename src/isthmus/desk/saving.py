"""The one way an incident is saved: the row, the effects and the entry of the ledger in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from isthmus.answer.report import title_of
from isthmus.contracts.tracing import here, noted, span
from isthmus.model.assessment import Priority
from isthmus.model.disposition import disposition, wakes_at
from isthmus.model.findings import Kind
from isthmus.model.incidents import Incident, Round, WordKind
from isthmus.model.plans import Step
from isthmus.model.severity import Severity
from isthmus.record import effects, incidents, ledger
from isthmus.record.codec import encode
from isthmus.record.incidents import MOST_URGENT, Claim, Listed, Stored
from isthmus.record.keys import Keys
from isthmus.record.ledger import Entry
from isthmus.record.store import text_of

OURSELVES = "isthmus"
Change = tuple[str, Mapping[str, Any]]
"""An event and the body of its entry."""
_URGENCY = {Priority.ACT: 3, Priority.ATTEND: 2, Priority.TRACK_STAR: 1, Priority.TRACK: 0}


def save(
    connection: Connection,
    keys: Keys,
    stored: Stored,
    now: datetime,
    event: str,
    body: Mapping[str, Any],
    actor: str = OURSELVES,
    wake: datetime | None = None,
) -> Stored:
    """Save over the revision it was read at, with one entry that says what changed. `wake` is when it goes on."""
    return _saved(connection, keys, stored, now, [(event, body)], actor, wake, None)


def save_steps(
    connection: Connection, keys: Keys, stored: Stored, now: datetime, changes: Sequence[Change], claim: Claim
) -> Stored:
    """What a worker did with the incident it carries on, with an entry for each change; it goes on at once."""
    return _saved(connection, keys, stored, now, changes, OURSELVES, now, claim)


def _saved(
    connection: Connection,
    keys: Keys,
    stored: Stored,
    now: datetime,
    changes: Sequence[Change],
    actor: str,
    wake: datetime | None,
    claim: Claim | None,
) -> Stored:
    saved = incidents.save(connection, keys, stored, listed(stored, now, wake), claim)
    effects.note(connection, stored.incident)
    incident = stored.incident
    bodies = [(event, {**body, **_begun(incident, event), "revision": saved.revision}) for event, body in changes]
    entries = [Entry(incident.tenant, actor, event, incident.id, body, now) for event, body in bodies]
    ledger.extend(connection, entries)
    if claim is None:
        _traced(incident, changes)
    return saved


def _traced(incident: Incident, changes: Sequence[Change]) -> None:
    """In the trace of the incident: what was said of it from elsewhere, and in which trace that was."""
    with span("incident.changed", (incident.tenant, incident.id), here(), tenant=incident.tenant, incident=incident.id):
        for event, _ in changes:
            noted(event)


def _begun(incident: Incident, event: str) -> dict[str, str]:
    """With the first entry of an incident: when the first alert of it was received, which all times are measured from."""
    received = [one.finding.times.received for one in incident.members if one.finding.times.received is not None]
    return {"received": text_of(min(received))} if event == "incident.opened" and received and not incident.words else {}


def set_aside(connection: Connection, tenant: str, incident: str, because: str, now: datetime) -> None:
    """Stop using an incident that somebody else changed in the database, with an entry that says so."""
    incidents.park(connection, tenant, incident)
    event, body = "incident.tampered", {"because": because}
    ledger.append(connection, tenant=tenant, actor=OURSELVES, event=event, subject=incident, body=body, at=now)


def listed(stored: Stored, now: datetime, wake: datetime | None) -> Listed:
    """What the queue shows of it."""
    incident = stored.incident
    assessment = next((one.assessment for one in reversed(incident.rounds) if one.assessment is not None), None)
    assigned = incident.spoken(WordKind.ASSIGN)
    times = [one for one in (wake, wakes_at(incident, now)) if one is not None]
    return Listed(
        state=disposition(incident, now, stored.merged_into).state.value,
        priority=assessment.priority.value if assessment else "",
        score=assessment.score if assessment else 0,
        title=title_of(incident)[:500] if incident.members else "",
        assignee=assigned.value if assigned else "",
        urgency=_URGENCY[assessment.priority] if assessment else _first_look(incident),
        changed_at=now,
        wake_at=None if over(stored) else min(times, default=None),
    )


def _first_look(incident: Incident) -> int:
    """How soon an incident that nobody assessed yet is looked at; it decides nothing else."""
    found = [one.finding for one in incident.members]
    if any(one.kind is Kind.THREAT and one.severity.weight >= Severity.HIGH for one in found):
        return MOST_URGENT
    worst = max((one.severity.weight for one in found), default=0)
    return 2 if worst >= Severity.CRITICAL else 1 if worst >= Severity.HIGH else 0


def over(stored: Stored) -> bool:
    """Whether it is part of another incident and nothing of its own is under way or in place."""
    return bool(stored.merged_into) and all(one.settled and not one.may_stand for one in stored.incident.steps)


def change(before: Incident, after: Incident) -> Change:
    """What `advance` did. Large things go in by their digest."""
    old, new = before.current, after.current
    number = len(after.rounds)
    if old.steps is not None and new.steps is not None and old.steps != new.steps:
        position = next((n for n, one in enumerate(new.steps) if n >= len(old.steps) or one != old.steps[n]), 0)
        earlier = old.steps[position] if position < len(old.steps) else None
        name = _field(earlier, new.steps[position])
        return f"step.{name}", {"round": number, "step": position, **_step(new.steps[position])}
    name = next((one.name for one in fields(Round) if getattr(old, one.name) != getattr(new, one.name)), "nothing")
    return f"round.{name}", {"round": number, "digest": hashlib.sha256(encode(getattr(new, name, None))).hexdigest()}


def _field(old: Step | None, new: Step) -> str:
    """The field of a step that is new; what says most comes last."""
    if old is None:
        return "added"
    names = ("trouble", "target", "decision", "preview", "request", "approvals", "intent", "outcome", "undo", "undone")
    return [name for name in names if getattr(old, name) != getattr(new, name)][-1]


def _step(step: Step) -> dict[str, Any]:
    """A step for the record: who may, who said yes, what was done. States before and parameters by digest."""
    return {
        "ability": step.action.ability,
        "target": step.target.handle if step.target else step.action.target,
        "ruling": step.decision.ruling.value if step.decision else "",
        "policies": list(step.decision.policies) if step.decision else [],
        "bundle": step.decision.bundle if step.decision else "",
        "version": step.preview.version if step.preview else "",
        "plan_hash": step.request.plan_hash if step.request else "",
        "approvals": [[one.person, one.granted, one.plan_hash, one.signature] for one in step.approvals],
        "token": step.intent.token if step.intent else "",
        "result": step.outcome.result.value if step.outcome else "",
        "undone": step.undone.result.value if step.undone else "",
        "digest": hashlib.sha256(encode(step)).hexdigest(),
    }

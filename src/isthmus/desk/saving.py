"""The one way an incident is saved: the row, the effects and the entry of the ledger in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from isthmus.answer.report import title_of
from isthmus.model.disposition import disposition, wakes_at
from isthmus.model.incidents import Incident, Round, WordKind
from isthmus.model.plans import Step
from isthmus.record import effects, incidents, ledger
from isthmus.record.codec import encode
from isthmus.record.incidents import Listed, Stored
from isthmus.record.keys import Keys

OURSELVES = "isthmus"


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
    saved = incidents.save(connection, keys, stored, listed(stored, now, wake))
    effects.note(connection, stored.incident)
    whole = {**body, "revision": saved.revision}
    incident = stored.incident
    ledger.append(connection, tenant=incident.tenant, actor=actor, event=event, subject=incident.id, body=whole, at=now)
    return saved


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
        changed_at=now,
        wake_at=None if over(stored) else min(times, default=None),
    )


def over(stored: Stored) -> bool:
    """Whether it is part of another incident and nothing of its own is under way or in place."""
    return bool(stored.merged_into) and all(one.settled and not one.may_stand for one in stored.incident.steps)


def change(before: Incident, after: Incident) -> tuple[str, dict[str, Any]]:
    """What `advance` did, as the event and the body of an entry. Large things go in by their digest."""
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

"""An incident on record as people and programs see it: `/v1/incidents/{id}`, the page, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import msgspec

from isthmus.answer.document import FactRow, IncidentRow
from isthmus.answer.report import fact_rows, incident_row, moment, title_of
from isthmus.model.disposition import disposition
from isthmus.model.incidents import Incident, Round, Word
from isthmus.model.plans import Outcome, Step

SCHEMA_VERSION = "1.0"


class QueueRow(msgspec.Struct, frozen=True):
    """An incident in the queue. Times are ISO 8601 UTC; `priority` is empty until it is assessed."""

    id: str
    title: str
    state: str
    priority: str
    score: int
    assignee: str
    opened_at: str
    changed_at: str
    merged_into: str


class ApprovalRow(msgspec.Struct, frozen=True):
    person: str
    granted: bool
    reason: str
    at: str


class OutcomeRow(msgspec.Struct, frozen=True):
    result: str
    detail: str
    at: str
    link: str


class StepRow(msgspec.Struct, frozen=True):
    """One action and how far it is. `plan` is the canonical JSON that `plan_hash` is the SHA-256 of: exactly that is
    approved, nothing else. `before` is the state undo restores; `in_place` is never true of a case, which people close.
    """

    ability: str
    target: str
    parameters: dict[str, str]
    handle: str
    environment: str
    provenance: str
    ruling: str
    reason: str
    policies: tuple[str, ...]
    calls: tuple[str, ...]
    before: str
    people: int
    requester: str
    plan_hash: str
    plan: str
    approve_by: str
    execute_by: str
    approvals: tuple[ApprovalRow, ...]
    outcome: OutcomeRow | None
    in_place: bool
    waiting: bool
    lease_until: str
    undo: str
    undone: OutcomeRow | None
    trouble: str


class WordRow(msgspec.Struct, frozen=True):
    kind: str
    person: str
    at: str
    value: str
    text: str
    until: str


class RoundRow(msgspec.Struct, frozen=True):
    """One pass of the line: why it was opened, and what it concluded so far."""

    opened_because: str
    opened_at: str
    requester: str
    score: int | None
    priority: str
    verdict: str


class IncidentView(msgspec.Struct, frozen=True):
    """Everything about one incident. `report` is null until it has been assessed once; it has the shape of the triage
    document's incidents. `size` is how many findings it has; of more than can be shown, `findings` are the gravest.
    """

    schema_version: str
    id: str
    tenant: str
    revision: int
    title: str
    state: str
    why: str
    merged_into: str
    assignee: str
    report: IncidentRow | None
    facts: tuple[FactRow, ...]
    findings: tuple[str, ...]
    size: int
    steps: tuple[StepRow, ...]
    rounds: tuple[RoundRow, ...]
    words: tuple[WordRow, ...]


PlanText = Callable[[Step], str]


def view(incident: Incident, revision: int, merged_into: str, now: datetime, plan_text: PlanText) -> IncidentView:
    """The incident as it stands now. `plan_text` is the canonical plan of a step that people are asked about."""
    stands = disposition(incident, now, merged_into)
    whole = _assessed(incident)
    assigned = [one.value for one in incident.words if one.kind.value == "assign"]
    return IncidentView(
        schema_version=SCHEMA_VERSION,
        id=incident.id,
        tenant=incident.tenant,
        revision=revision,
        title=title_of(incident) if incident.members else "",
        state=stands.state.value,
        why=stands.why,
        merged_into=merged_into,
        assignee=assigned[-1] if assigned else "",
        report=incident_row(whole) if whole else None,
        facts=fact_rows([whole]) if whole else (),
        findings=tuple(one.finding.key for one in incident.members),
        size=incident.size,
        steps=tuple(step_row(one, plan_text) for one in incident.steps),
        rounds=tuple(_round(one) for one in incident.rounds),
        words=tuple(_word(one) for one in incident.words),
    )


def _assessed(incident: Incident) -> Incident | None:
    """The incident up to its last whole round: what is known while the next one is being filled."""
    for number in range(len(incident.rounds), 0, -1):
        if incident.rounds[number - 1].plan is not None and incident.members:
            return replace(incident, rounds=incident.rounds[:number])
    return None


def step_row(step: Step, plan_text: PlanText) -> StepRow:
    """One step, flat."""
    target, decision, preview, request = step.target, step.decision, step.preview, step.request
    return StepRow(
        ability=step.action.ability,
        target=step.action.target,
        parameters=dict(step.action.parameters),
        handle=target.handle if target else "",
        environment=target.environment.value if target else "",
        provenance=target.provenance if target else "",
        ruling=decision.ruling.value if decision else "",
        reason=decision.reason if decision else "",
        policies=decision.policies if decision else (),
        calls=preview.calls if preview else (),
        before=json.dumps(preview.before, indent=2, sort_keys=True, ensure_ascii=False) if preview else "",
        people=request.people if request else 0,
        requester=request.requester if request else "",
        plan_hash=request.plan_hash if request else "",
        plan=plan_text(step) if request else "",
        approve_by=_at(request.approve_by if request else None),
        execute_by=_at(request.execute_by if request else None),
        approvals=tuple(ApprovalRow(one.person, one.granted, one.reason, _at(one.at)) for one in step.approvals),
        outcome=_outcome(step.outcome),
        in_place=step.in_place and not step.action.ability.startswith("case."),
        waiting=step.waiting,
        lease_until=_at(step.lease_until),
        undo=f"ordered by {step.undo.by}: {step.undo.reason}" if step.undo else "",
        undone=_outcome(step.undone),
        trouble=f"{step.trouble.text} (attempt {step.trouble.attempts})" if step.trouble else "",
    )


def _at(at: datetime | None) -> str:
    return moment(at) or ""


def _outcome(outcome: Outcome | None) -> OutcomeRow | None:
    return None if outcome is None else OutcomeRow(outcome.result.value, outcome.detail, _at(outcome.at), outcome.link)


def _word(word: Word) -> WordRow:
    return WordRow(word.kind.value, word.person, _at(word.at), word.value, word.text, _at(word.until))


def _round(one: Round) -> RoundRow:
    said = one.assessment
    return RoundRow(
        opened_because=one.opened_because,
        opened_at=_at(one.opened_at),
        requester=one.requester,
        score=said.score if said else None,
        priority=said.priority.value if said else "",
        verdict=said.verdict.value if said else "",
    )


def waiting(rows: Iterable[StepRow]) -> list[StepRow]:
    """Those that wait for people."""
    return [one for one in rows if one.waiting]

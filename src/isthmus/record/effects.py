"""What we did outside, counted for the guard: written in the transaction of the incident that did it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from isthmus.model.incidents import Incident
from isthmus.model.plans import Result, Step
from isthmus.record.schema import EFFECTS
from isthmus.record.store import text_of

CASE = "case"
INTENDED, IN_PLACE, FAILED, UNDONE = "intended", "in_place", "failed", "undone"

STANDING = (INTENDED, IN_PLACE)
_LAST = select(func.coalesce(func.max(EFFECTS.c.number), 0)).scalar_subquery()
"""One writer at a time: the numbers are the order in which intents were committed, whatever anybody's clock said."""


def note(connection: Connection, incident: Incident) -> None:
    """Bring the table up to what the steps of the incident say."""
    steps = [step for round_ in incident.rounds for step in round_.steps or ()]
    for step in steps:
        if step.intent is not None and step.target is not None:
            _written(connection, incident, step)


def _written(connection: Connection, incident: Incident, step: Step) -> None:
    assert step.intent is not None and step.target is not None  # noqa: S101 - `note` saw to it
    state = _state(step)
    changed = update(EFFECTS).where(EFFECTS.c.token == step.intent.token).values(state=state)
    if connection.execute(changed).rowcount == 0:
        target = step.target
        connection.execute(
            insert(EFFECTS).values(
                token=step.intent.token,
                tenant=incident.tenant,
                incident=incident.id,
                ability=step.action.ability,
                handle=target.handle,
                account=target.account,
                kind=CASE if step.action.ability.startswith("case.") else target.kind.value,
                connector=target.provider,
                state=state,
                at=text_of(step.intent.at),
                number=_LAST + 1,
            )
        )


def _state(step: Step) -> str:
    if step.outcome is None:
        return INTENDED
    if step.outcome.result is not Result.DONE:
        return FAILED
    return IN_PLACE if step.in_place else UNDONE


def count(connection: Connection, tenant: str, but: str, cases: bool, since: datetime | None = None, **wanted: str) -> int:
    """How many effects of a tenant, cases or all else, but the one of this token, since a moment, with these values.

    What was intended and not heard of again counts as in place. What was intended later than the one of this token and
    is not carried out yet does not count: of several at the same time the first have their turn.
    """
    own = select(EFFECTS.c.number).where(EFFECTS.c.token == but).scalar_subquery()
    earlier = or_(EFFECTS.c.state != INTENDED, own.is_(None), EFFECTS.c.number < own)
    sort = EFFECTS.c.kind == CASE if cases else EFFECTS.c.kind != CASE
    filters: list[ColumnElement[bool]] = [EFFECTS.c.tenant == tenant, EFFECTS.c.token != but, sort, earlier]
    if since is not None:
        filters.append(EFFECTS.c.at > text_of(since))
    for name, value in wanted.items():
        filters.append(EFFECTS.c.state.in_(STANDING) if (name, value) == ("state", IN_PLACE) else EFFECTS.c[name] == value)
    return connection.execute(select(func.count()).select_from(EFFECTS).where(*filters)).scalar() or 0

"""What can be read. Everybody with a key may, but for the check of the whole record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from isthmus.doors.api.answers import (
    Approvals,
    Asked,
    Counts,
    Entries,
    InstanceCounts,
    Me,
    Pull,
    Pulls,
    Queue,
    RecordVerified,
    answer,
)
from isthmus.doors.api.asking import Ask
from isthmus.doors.api.bodies import QueueQuery, RecordQuery
from isthmus.doors.api.history import entries_about
from isthmus.doors.errors import Told
from isthmus.model.people import Right, Role

routes = APIRouter()
_MOST = 500
_Row = TypeVar("_Row", bound=msgspec.Struct)


@routes.get("/me")
def me(ask: Ask) -> Response:
    """Whose key this is, and what they may do."""
    one = ask.person
    return answer(Me(one.id, one.tenant, one.name, one.role.value, one.human, tuple(r.value for r in Right if one.may(r))))


@routes.get("/incidents")
def queue(ask: Ask, query: Annotated[QueueQuery, Query()]) -> Response:
    """The queue, gravest first. Merged incidents come only when their state is asked for."""
    wanted = {"state": query.state, "priority": query.priority, "assignee": query.assignee}
    given = {name: str(value) for name, value in wanted.items() if value is not None}
    # One row more than asked for says whether there is another page.
    rows = ask.desk.queue(ask.person, given, min(query.limit + 1, _MOST), query.offset)
    more = len(rows) > query.limit
    if query.limit == _MOST and len(rows) == _MOST:
        more = bool(ask.desk.queue(ask.person, given, 1, query.offset + _MOST))
    return answer(Queue(tuple(rows[: query.limit]), query.limit, query.offset, more))


@routes.get("/incidents/{name}")
def incident(ask: Ask, name: str) -> Response:
    """Everything about one incident."""
    return answer(ask.incident(name))


@routes.get("/incidents/{name}/record")
def record(ask: Ask, name: str, query: Annotated[RecordQuery, Query()]) -> Response:
    """What was done with an incident, by whom: its entries in the record, newest first."""
    seen = ask.incident(name)
    rows = entries_about(ask.desk.store, ask.person.tenant, seen.id, query.limit + 1, query.before)
    return answer(Entries(tuple(rows[: query.limit]), len(rows) > query.limit))


@routes.get("/approvals")
def approvals(ask: Ask) -> Response:
    """Every step that waits for people, with the plan they are asked about."""
    asked = [
        Asked(one.id, one.title, one.state, step)
        for one in ask.desk.waiting(ask.person, ask.now)
        for step in one.steps
        if step.waiting
    ]
    return answer(Approvals(tuple(asked)))


@routes.get("/counts")
def counts(ask: Ask) -> Response:
    """What came in, by instance, and how many incidents are in each state."""
    instances = tuple(_row(InstanceCounts, one) for one in ask.desk.counts(ask.person))
    return answer(Counts(instances, ask.desk.by_state(ask.person)))


@routes.get("/pulls")
def pulls(ask: Ask) -> Response:
    """How far each stream was pulled, and what is wrong with it."""
    return answer(Pulls(tuple(_row(Pull, one) for one in ask.desk.pulls(ask.person))))


@routes.get("/record/verify")
def verify(ask: Ask) -> Response:
    """Check the whole record, from the first entry on. For approvers and admins; on a long record it takes a while."""
    if ask.person.role not in {Role.APPROVER, Role.ADMIN}:
        raise Told(403, "may_not", f"{ask.person.id} ({ask.person.role.value}): this is for approvers and admins")
    found = ask.desk.verify_record()
    problems = tuple(found.problems)
    return answer(RecordVerified(not problems, found.size, found.root.hex(), found.covered, found.forgotten, problems))


def _row(kind: type[_Row], columns: Mapping[str, Any]) -> _Row:
    return kind(**{name: columns[name] for name in kind.__struct_fields__})

"""What callers send. Unknown fields are refused: a misspelt one must not be taken for none."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from isthmus.model.assessment import Verdict
from isthmus.model.disposition import State

Text = Annotated[str, Field(max_length=2_000)]
Needed = Annotated[str, Field(min_length=1, max_length=2_000)]
PlanHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="The `plan_hash` of the step as it was read.")]
IncidentId = Annotated[str, Field(min_length=1, max_length=64)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QueueQuery(_Body):
    """Exact filters, and the page. What somebody else changed in the database is `tampered`, and rests."""

    state: State | Literal["tampered"] | None = None
    priority: Annotated[str, Field(max_length=16)] | None = None
    assignee: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class RecordQuery(_Body):
    """A page of the record, newest first: entries before this index."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    before: Annotated[int, Field(ge=0, le=1 << 62)] | None = None


class Agreement(_Body):
    """A yes to exactly one plan hash."""

    plan_hash: PlanHash
    reason: Text = ""


class Rejection(_Body):
    """A no to exactly one plan hash, and why."""

    plan_hash: PlanHash
    reason: Needed


class _Placed(_Body):
    ability: Annotated[str, Field(min_length=1, max_length=64)]
    target: Annotated[str, Field(min_length=1, max_length=2_048)]


class Undoing(_Placed):
    """A containment to take back, by ability and target as the step names them."""

    reason: Needed


class Renewal(_Placed):
    """A containment that should stand until then: a time with a zone, at most a year ahead."""

    until: AwareDatetime


class VerdictBody(_Body):
    """What it really was, and why."""

    verdict: Verdict
    reason: Needed


class Assignment(_Body):
    """Whose it is: a person's id; empty takes it from everybody."""

    to: Annotated[str, Field(max_length=64)]


class Comment(_Body):
    """Something worth keeping."""

    text: Needed


class Silence(_Body):
    """Quiet until then: a time with a zone, at most a year ahead."""

    reason: Needed
    until: AwareDatetime


class Reason(_Body):
    """Why."""

    reason: Needed


class Splitting(_Body):
    """The findings that are another story, by their keys, and why."""

    findings: Annotated[list[Annotated[str, Field(max_length=700)]], Field(min_length=1, max_length=1_000)]
    reason: Needed


class Merging(_Body):
    """The incident that is part of this one, and why."""

    other: IncidentId
    reason: Needed

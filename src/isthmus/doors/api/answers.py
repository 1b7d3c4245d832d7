"""What the API answers, and how each answer is written down."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from isthmus.answer.incident_view import IncidentView, QueueRow, StepRow


class Me(msgspec.Struct, frozen=True):
    """Who asks. `may` are the rights: read, speak, approve, run."""

    id: str
    tenant: str
    name: str
    role: str
    human: bool
    may: tuple[str, ...]


class Queue(msgspec.Struct, frozen=True):
    """A page of the queue, gravest first. `more` says whether there is another page."""

    incidents: tuple[QueueRow, ...]
    limit: int
    offset: int
    more: bool


class Asked(msgspec.Struct, frozen=True):
    """A step that waits for people, and the incident it is of."""

    incident: str
    title: str
    state: str
    step: StepRow


class Approvals(msgspec.Struct, frozen=True):
    """Everything that waits for people."""

    approvals: tuple[Asked, ...]


class InstanceCounts(msgspec.Struct, frozen=True):
    """What came in through one instance: seen = stored + duplicate + rejected."""

    source: str
    instance: str
    deliveries: int
    repeated: int
    seen: int
    stored: int
    duplicate: int
    rejected: int


class Counts(msgspec.Struct, frozen=True):
    """What came in by instance, and how many incidents are in each state."""

    instances: tuple[InstanceCounts, ...]
    states: dict[str, int]


class Pull(msgspec.Struct, frozen=True):
    """How far one stream was pulled, and what is wrong with it; empty for nothing."""

    source: str
    instance: str
    stream: str
    at: str
    trouble: str


class Pulls(msgspec.Struct, frozen=True):
    """Every stream that is pulled."""

    pulls: tuple[Pull, ...]


class RecordVerified(msgspec.Struct, frozen=True):
    """What checking the whole record found. `root` is hex; `covered` entries stand below a signed checkpoint that holds;
    `forgotten` bodies were deleted; `problems` is empty when all is as it was written.
    """

    holds: bool
    size: int
    root: str
    covered: int
    forgotten: int
    problems: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """One line of the record. `body` is null once it was forgotten."""

    index: int
    at: str
    actor: str
    event: str
    body: Any


class Entries(msgspec.Struct, frozen=True):
    """The record of one incident, newest first. `more` says whether there are older ones."""

    entries: tuple[Entry, ...]
    more: bool


class Said(msgspec.Struct, frozen=True):
    """The word was taken and is on record. `other` is the incident a split made."""

    incident: str
    said: str
    at: str
    other: str = ""


class ErrorBody(msgspec.Struct, frozen=True):
    """`code` is for programs, `message` for people; `request_id` is what the log calls this request."""

    code: str
    message: str
    request_id: str


class Error(msgspec.Struct, frozen=True):
    """Every answer that is no."""

    error: ErrorBody


READ: dict[str, type[msgspec.Struct]] = {
    "me": Me,
    "queue": Queue,
    "incident": IncidentView,
    "approvals": Approvals,
    "counts": Counts,
    "pulls": Pulls,
    "verify": RecordVerified,
    "record": Entries,
}
"""What each reading route answers, by its name; every writing one answers `Said`."""


def answer(value: msgspec.Struct) -> Response:
    """200, as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")

"""What we would do, who decided, who agreed, what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import rfc8785

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Action:
    """One step: an ability from the closed list, the id of its target, bounded parameters. `rank` 1 is the first choice."""

    ability: str
    target: str
    parameters: Mapping[str, str]
    rank: int


@dataclass(frozen=True, slots=True)
class Remedy:
    """The lasting fix, fitted to the resource. `form` is `terraform`, `cli`, `policy` or `text`."""

    title: str
    form: str
    body: str
    target: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Containment steps, the smallest first, and the lasting fixes."""

    actions: tuple[Action, ...]
    remedies: tuple[Remedy, ...] = ()
    schema_version: int = SCHEMA_VERSION


def canonical(plan: Plan) -> bytes:
    """The plan's stored form: RFC 8785 JSON of everything that would be executed."""
    steps = [{"ability": a.ability, "parameters": dict(a.parameters), "rank": a.rank, "target": a.target} for a in plan.actions]
    whole: Any = {"actions": steps, "schema_version": plan.schema_version}
    return rfc8785.dumps(whole)


def digest(plan: Plan) -> str:
    """SHA-256 of the canonical bytes, in hex: what an approval is given for."""
    return hashlib.sha256(canonical(plan)).hexdigest()


class Ruling(StrEnum):
    AUTOMATIC = "automatic"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of one action, naming the policy. `people` and `roles` matter only for `ask`."""

    action: Action
    ruling: Ruling
    policy: str
    people: int = 0
    roles: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A named person's word on exactly one digest."""

    digest: str
    person: str
    granted: bool
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would change, with the state before: the exact calls, and what undo would restore."""

    action: Action
    calls: tuple[str, ...]
    before: Mapping[str, str]
    at: datetime


class Result(StrEnum):
    DONE = "done"
    ALREADY = "already"
    FAILED = "failed"
    UNDONE = "undone"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did change, and what reading it back showed."""

    action: Action
    result: Result
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: a commitment to what happened, never the outside text itself."""

    number: int
    tenant: str
    actor: str
    event: str
    commitment: str
    at: datetime

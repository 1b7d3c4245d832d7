"""What we would do, on what, who decided, who agreed, what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import rfc8785

from isthmus.model.assets import AssetKind
from isthmus.model.estate import Criticality, Environment

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
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical(plan)).hexdigest()


@dataclass(frozen=True, slots=True)
class Target:
    """What our own inventory and settings say of the thing an action is for: all that policy may know of it.

    `handle` is minted by the inventory that found it (`aws:210987654321/eu-west-1/instance/i-0abc`); `id` is its native
    id. `environment` is never unknown here: what nobody told us counts as production. `provenance` says who said so.
    """

    handle: str
    id: str
    kind: AssetKind
    provider: str
    account: str
    region: str = ""
    environment: Environment = Environment.PRODUCTION
    criticality: Criticality = Criticality.MEDIUM
    owner: str = ""
    crown_jewel: bool = False
    provenance: str = ""


class Ruling(StrEnum):
    AUTOMATIC = "automatic"
    ASK = "ask"
    REFUSE = "refuse"
    SPARE = "spare"
    """Not decided: a smaller step on the same target comes first."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of one action. `policies` are the ids of those that made it so, `people` matters only for `ask`.

    `bundle` is the SHA-256 of the policy bundle asked; `reason` is for people.
    """

    ruling: Ruling
    policies: tuple[str, ...]
    reason: str
    bundle: str
    people: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would change, with the state before: the exact calls, and what undo would restore.

    `before` is JSON-able and whole: undo needs nothing else. `version` is `version_of(before)`: another value later
    means that somebody else changed the target. `already` means there is nothing left to change.
    """

    ability: str
    target: Target
    parameters: Mapping[str, str]
    calls: tuple[str, ...]
    before: Mapping[str, Any]
    version: str
    at: datetime
    already: bool = False


def version_of(state: Mapping[str, Any]) -> str:
    """SHA-256 of a state's RFC 8785 JSON, in hex."""
    return hashlib.sha256(rfc8785.dumps(dict(state))).hexdigest()


@dataclass(frozen=True, slots=True)
class Approval:
    """A named person's word on exactly one plan hash, sealed by this installation's key when it was given."""

    plan_hash: str
    person: str
    granted: bool
    reason: str
    at: datetime
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """People are asked. `plan_hash` covers action, target, observed version, undo, policy bundle, deadlines and nonce.

    `approve_by` and `execute_by` are the two clocks: a word after the first does not count, nothing is done after the
    second. `requester` is the person whose word led here, or `isthmus`; `requesters` is everybody who ever said something
    of the incident that leads to plans. Their word does not count.
    """

    plan_hash: str
    people: int
    requester: str
    asked_at: datetime
    approve_by: datetime
    execute_by: datetime
    nonce: str
    bundle: str
    requesters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Intent:
    """Committed before the call. `token` is the same for the same step of the same incident, whoever carries it out."""

    token: str
    at: datetime
    approvals: tuple[str, ...] = ()


class Result(StrEnum):
    DONE = "done"
    ALREADY = "already"
    REFUSED = "refused"
    """Policy, guard, platform or a person said no; `detail` says who."""
    EXPIRED = "expired"
    VOID = "void"
    """The target, the plan or the policy was no longer what had been agreed to."""
    FAILED = "failed"
    UNDONE = "undone"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action, and what reading it back showed.

    `link` is where people can look; `version` is what of ours stands there, where that has versions (a case).
    """

    result: Result
    detail: str
    at: datetime
    link: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class UndoOrder:
    """Somebody wants it taken back: a person, or the lease that ran out."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a step waits though nobody has to be asked: a platform is away. Tried again at `again`."""

    text: str
    since: datetime
    again: datetime
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One action on its way through decision, approval and effect. `None` is 'not yet'; nothing is ever blanked,
    but `trouble`, which is about now.

    `lease_until` is when a containment takes itself back unless a person renews it.
    """

    action: Action
    target: Target | None = None
    decision: Decision | None = None
    preview: Preview | None = None
    request: Request | None = None
    approvals: tuple[Approval, ...] = ()
    intent: Intent | None = None
    outcome: Outcome | None = None
    lease_until: datetime | None = None
    undo: UndoOrder | None = None
    undone: Outcome | None = None
    trouble: Trouble | None = None

    @property
    def in_place(self) -> bool:
        """Whether our effect stands: made by us and not taken back."""
        made = self.outcome is not None and self.outcome.result is Result.DONE and self.intent is not None
        return made and (self.undone is None or self.undone.result not in {Result.UNDONE, Result.ALREADY})

    @property
    def may_stand(self) -> bool:
        """Whether something of ours may be in place: made, or called for and never seen."""
        unseen = self.outcome is not None and self.outcome.result in {Result.FAILED, Result.UNPROVEN}
        return self.in_place or (unseen and self.intent is not None and self.undone is None)

    @property
    def waiting(self) -> bool:
        """Whether people are asked and have not yet answered enough."""
        return self.request is not None and self.outcome is None and self.intent is None

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        spared = self.decision is not None and self.decision.ruling is Ruling.SPARE
        if self.undo is not None:
            return self.undone is not None
        return spared or self.outcome is not None

"""Findings that belong to one story, and the rounds of thinking about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from isthmus.model.assessment import Assessment
from isthmus.model.facts import Fact
from isthmus.model.findings import Finding, short_hash
from isthmus.model.plans import Plan, Step

SCHEMA_VERSION = 1
MOST_MEMBERS = 200
STORY = "story"


@dataclass(frozen=True, slots=True)
class Member:
    """A finding folded into an incident, and why."""

    finding: Finding
    because: str


@dataclass(frozen=True, slots=True)
class Round:
    """One pass of the line. `None` is 'not yet'; `()` is 'looked, found nothing'. Nothing is ever blanked.

    `requester` is the person whose word asked for it, or `isthmus`: whoever asks does not also approve.
    """

    opened_because: str
    opened_at: datetime
    requester: str = "isthmus"
    facts: tuple[Fact, ...] | None = None
    assessment: Assessment | None = None
    plan: Plan | None = None
    steps: tuple[Step, ...] | None = None


class WordKind(StrEnum):
    """What an analyst can say of an incident."""

    VERDICT = "verdict"
    ASSIGN = "assign"
    COMMENT = "comment"
    SUPPRESS = "suppress"
    ACCEPT_RISK = "accept_risk"
    SPLIT = "split"
    MERGE = "merge"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word on an incident. `value` is the verdict, the assignee, or the other incident's id.

    `until` ends a suppression or an accepted risk; `covers` are the findings as the person had them before them
    (`findings.seen_as`) and `number` how many there were in all: a verdict or a silence never reaches further.
    """

    kind: WordKind
    person: str
    at: datetime
    value: str = ""
    text: str = ""
    until: datetime | None = None
    covers: frozenset[str] = frozenset()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """A story: its members in a stable order, the one it is named after first, and its rounds.

    `scope` is what it is about: `story` (assets under one attack or one grave risk), `problem` (one problem on many
    assets of one account) or `backlog` (what is quiet, by account). A story has every finding in `members`; the others,
    which grow without bound, have the gravest `MOST_MEMBERS`, and `number` counts all.
    """

    id: str
    tenant: str
    scope: str
    members: tuple[Member, ...]
    rounds: tuple[Round, ...] = ()
    words: tuple[Word, ...] = ()
    schema_version: int = SCHEMA_VERSION
    number: int = 0

    @property
    def size(self) -> int:
        """How many findings it has, shown or not."""
        return max(self.number, len(self.members))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(member.finding for member in self.members)

    @property
    def current(self) -> Round:
        return self.rounds[-1]

    def with_round(self, current: Round) -> Incident:
        """The same incident with its last round filled further."""
        return replace(self, rounds=(*self.rounds[:-1], current))

    def with_step(self, position: int, step: Step) -> Incident:
        """The same incident with one of its `steps` further on, in the round they stand in."""
        number = next(number for number in range(len(self.rounds) - 1, -1, -1) if self.rounds[number].steps is not None)
        steps = list(self.rounds[number].steps or ())
        steps[position] = step
        changed = replace(self.rounds[number], steps=tuple(steps))
        return replace(self, rounds=(*self.rounds[:number], changed, *self.rounds[number + 1 :]))

    def reopened(self, because: str, at: datetime, requester: str = "isthmus") -> Incident:
        """A new round on top of the old ones."""
        return replace(self, rounds=(*self.rounds, Round(because, at, requester)))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the last round that has any."""
        return next((one.steps for one in reversed(self.rounds) if one.steps is not None), ())

    def spoken(self, *kinds: WordKind) -> Word | None:
        """The last word of these kinds."""
        return next((one for one in reversed(self.words) if one.kind in kinds), None)


@dataclass(frozen=True, slots=True)
class Held:
    """An incident on record: its name, the keys of its findings, since when, and where it went if it was merged.

    `whole` is false where it has more findings than these, which stay where they are.
    """

    id: str
    keys: frozenset[str]
    opened_at: str
    merged_into: str = ""
    scope: str = STORY
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Pins:
    """Analysts' words: `together` are pairs of keys of findings that belong to one incident, `apart` are keys set into
    an incident of their own, by its name.
    """

    together: tuple[tuple[str, str], ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict)


def incident_id(keys: list[str]) -> str:
    """A name that depends only on which findings are in it, not on the order they came."""
    return f"INC-{short_hash(min(keys), length=16)}"

"""The line. Read this first.

    delivery ─ take ─▶ findings ─ incidents ─▶ incident ─ advance ─▶ facts ─▶ assessment ─▶ plan ─▶ …

`take` and `incidents` are pure; `advance` fills the first empty field of an incident's last round and is saved after
every step, so a crash costs one step and waiting costs nothing. Deciding and acting are steps of the same kind that
come with their rooms; today an incident is done when it has a plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from isthmus.assess.gather import gather
from isthmus.assess.triage import assess
from isthmus.contracts.roles import Source
from isthmus.intake.correlate import correlate
from isthmus.intake.deduplicate import Reducer
from isthmus.intake.normalise import normalise
from isthmus.intake.parse import Parsed, records
from isthmus.intake.recognise import Recogniser
from isthmus.intake.suppress import suppress
from isthmus.model.assessment import Priority
from isthmus.model.deliveries import Counts, Origin, Rejection
from isthmus.model.errors import Untrusted
from isthmus.model.estate import NOTHING_KNOWN, Estate
from isthmus.model.findings import Finding
from isthmus.model.incidents import Incident, Round
from isthmus.model.intel import NO_INTEL, Intel
from isthmus.model.outside import printable
from isthmus.model.plans import Plan
from isthmus.model.triage import Triage
from isthmus.plan.containment import containment
from isthmus.plan.remedies import remedies

_KEPT, _REASON, _LONGEST_PLACE = 10_000, 60, 2_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the line is made of, handed in once by `assembly`."""

    sources: tuple[Source, ...]
    intel: Intel = NO_INTEL
    estate: Estate = NOTHING_KNOWN


class Intake:
    """Takes deliveries one after the other; what it holds grows with distinct findings, not with bytes."""

    def __init__(self, parts: Parts) -> None:
        self._recogniser = Recogniser(parts.sources)
        self._exports = [export for source in parts.sources for export in source.csv_exports]
        self._reducer = Reducer()
        self._rejected: list[Rejection] = []
        self._further: Counter[tuple[str, str]] = Counter()
        self._refused = 0
        self.seen = 0

    def take(self, name: str, stream: BinaryIO, origin: Origin) -> None:
        """Every claim of one delivery: kept, counted as a repeat, or rejected with its place."""
        for claim in self._claims(stream, origin):
            self.seen += 1
            if isinstance(claim, Finding):
                self._reducer.add(normalise(claim))
            else:
                self._refuse(name, claim.place, claim.reason)

    def reject(self, name: str, reason: str) -> None:
        """A delivery that could not even be opened counts as one claim seen and rejected."""
        self.seen += 1
        self._refuse(name, "", reason)

    def _refuse(self, name: str, place: str, reason: str) -> None:
        """Each rejection is counted; the first of them are kept with their place, the others by file and reason."""
        # Keys of a record are outside text too: a place or a reason may name one.
        place, reason = printable(place[:_LONGEST_PLACE]), printable(reason[:_LONGEST_PLACE])
        self._refused += 1
        if len(self._rejected) < _KEPT:
            self._rejected.append(Rejection(name, place, reason))
        else:
            self._further[name, reason[:_REASON]] += 1

    @property
    def rejected(self) -> list[Rejection]:
        """What was rejected; beyond the first ten thousand one row for each file and reason, with their number."""
        return [*self._rejected, *(Rejection(name, f"{count} more", reason) for (name, reason), count in self._further.items())]

    def _claims(self, stream: BinaryIO, origin: Origin) -> Iterator[Finding | Untrusted]:
        for one in records(stream, self._exports):
            if isinstance(one, Parsed):
                yield from self._recogniser.claims(one, origin)
            else:
                yield one

    def findings(self) -> list[Finding]:
        return self._reducer.findings()

    def counts(self) -> Counts:
        """Raises when conservation does not hold."""
        return Counts(self.seen, len(self._reducer), self._reducer.repeats, self._refused)


async def advance(incident: Incident, parts: Parts, now: datetime) -> Incident:
    """Fill the first empty field of the last round. An unchanged incident is done, or waiting."""
    current = incident.current
    if current.facts is None:
        return incident.with_round(replace(current, facts=gather(incident, parts.intel, parts.estate, now)))
    if current.assessment is None:
        return incident.with_round(replace(current, assessment=assess(incident, current.facts)))
    if current.plan is None:
        plan = Plan(actions=containment(incident, current.facts), remedies=remedies(incident))
        return incident.with_round(replace(current, plan=plan))
    return incident


async def settled(incident: Incident, parts: Parts, now: datetime) -> Incident:
    """The incident advanced until nothing more can be filled."""
    after = await advance(incident, parts, now)
    while after is not incident:
        incident, after = after, await advance(after, parts, now)
    return incident


async def triage(
    intake: Intake, parts: Parts, now: datetime, progress: Callable[[Iterable[Incident]], Iterable[Incident]] = iter
) -> Triage:
    """Everything taken in, as ranked and explained incidents."""
    counts = intake.counts()
    kept, suppressed = suppress(intake.findings())
    found = correlate(kept, lambda cve: cve in parts.intel.exploited)
    opened = [replace(one, rounds=(Round("new findings", now),)) for one in found]
    done = [await settled(one, parts, now) for one in progress(opened)]
    return Triage(counts, tuple(intake.rejected), tuple(suppressed), tuple(sorted(done, key=rank)))


def rank(incident: Incident) -> tuple[int, int, str]:
    """Gravest first: by score, at the same score by priority, then by id; the same order every time."""
    assessment = incident.current.assessment
    if assessment is None:
        return 0, len(Priority), incident.id
    return -assessment.score, list(Priority).index(assessment.priority), incident.id

"""The line. Read this first.

    delivery ─ take ─▶ findings ─ correlate ─▶ incident ─ advance ─▶ facts ─▶ assessment ─▶ plan ─▶ steps ─▶ effects

`take` is pure; `advance` does the next thing an incident needs, first to last, and is saved after each, so a crash
costs one of them and waiting costs nothing. Without `Authority` (as in `isthmus triage`) an incident is done when it
has a plan; with it each action of the plan becomes a step that policy, people and the guard let through or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from isthmus.act.carry_out import forward
from isthmus.assess.gather import gather
from isthmus.assess.triage import assess, judged
from isthmus.contracts.roles import Source
from isthmus.intake.correlate import correlate
from isthmus.intake.deduplicate import Reducer
from isthmus.intake.normalise import normalise
from isthmus.intake.parse import Parsed, records
from isthmus.intake.recognise import Recogniser
from isthmus.intake.suppress import suppress
from isthmus.model.assessment import Priority, Verdict
from isthmus.model.deliveries import Counts, Origin, Rejection
from isthmus.model.disposition import silence, verdict_word
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.estate import NOTHING_KNOWN, Estate
from isthmus.model.findings import Finding
from isthmus.model.incidents import Incident, Round
from isthmus.model.intel import NO_INTEL, Intel
from isthmus.model.outside import printable
from isthmus.model.plans import Plan
from isthmus.model.triage import Triage
from isthmus.plan.containment import containment
from isthmus.plan.remedies import remedies
from isthmus.steps import Authority, questions, steps_of, unable, with_larger, with_news

_KEPT, _REASON, _LONGEST_PLACE = 10_000, 60, 2_000
NOTHING_TO_CONTAIN = frozenset({Verdict.FALSE_POSITIVE, Verdict.BENIGN_POSITIVE})


@dataclass(frozen=True, slots=True)
class Parts:
    """What the line is made of, handed in once by `assembly`."""

    sources: tuple[Source, ...]
    intel: Intel = NO_INTEL
    estate: Estate = NOTHING_KNOWN
    authority: Authority | None = None


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
    """The next thing this incident needs. An unchanged incident is done, or waiting."""
    current = incident.current
    if current.facts is None:
        return incident.with_round(replace(current, facts=gather(incident, parts.intel, parts.estate, now)))
    if current.assessment is None:
        assessment = judged(assess(incident, current.facts), verdict_word(incident))
        return incident.with_round(replace(current, assessment=assessment))
    if current.plan is None:
        quiet = silence(incident, now) is not None or current.assessment.verdict in NOTHING_TO_CONTAIN
        plan = Plan(actions=containment(incident, current.facts, quiet), remedies=remedies(incident))
        return incident.with_round(replace(current, plan=plan))
    if parts.authority is None:
        return incident
    if current.steps is None:
        return incident.with_round(replace(current, steps=steps_of(incident, parts.authority, now)))
    return await _carried_on(incident, parts, parts.authority, now)


async def _carried_on(incident: Incident, parts: Parts, authority: Authority, now: datetime) -> Incident:
    """The first step that can go on, one thing further; a step that waits holds up no other."""
    ask = questions(incident, parts.intel, parts.estate, authority, now)
    for position, step in enumerate(incident.current.steps or ()):
        try:
            hand = authority.hand(step.action, incident)
        except Refused as error:
            moved = unable(step, str(error), now)
        else:
            moved = await forward(step, hand, ask, now)
        if moved is not step:
            return incident.with_step(position, moved)
    larger = with_larger(incident)
    return larger if larger is not incident else with_news(incident, authority)


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

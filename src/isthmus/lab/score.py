"""A triage compared with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

from isthmus.answer.document import IncidentRow, TriageDocument
from isthmus.lab.truth import Key, Truth, TruthClaim, TruthStory
from isthmus.model.findings import Kind

FIRST = 10
"""How far down a list somebody looks before lunch."""

_STORIES = ("attack", "near_miss")


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a story landed. `rank` is the place of the incident that holds most of it (None: none holds any),
    `held` the share of its claims in that incident, `by_severity` the place of its first claim in a severity sort,
    `by_threats` that in one of threats only.
    """

    story: TruthStory
    rank: int | None
    held: float
    by_severity: int | None
    by_threats: int | None


@dataclass(frozen=True, slots=True)
class Score:
    """`precision` and `recall` are over pairs of claims; `fold` is claims per incident; `kept` the share of the attacks'
    claims that are in some incident. `queue` leaves incidents out that are a backlog: a shelf is no statement that two
    claims are one story. Ratios without a denominator are 1.
    """

    attacks: tuple[Landing, ...]
    near_misses: tuple[Landing, ...]
    precision: float
    precision_queue: float
    recall: float
    fold: float
    kept: float
    claims: int
    incidents: int

    @property
    def found(self) -> int:
        """Attacks whose incident is among the first ten."""
        return sum(one.rank is not None and one.rank <= FIRST for one in self.attacks)

    @property
    def found_by_severity(self) -> int:
        """Attacks with any claim at all among the first ten of a severity sort."""
        return sum(one.by_severity is not None and one.by_severity <= FIRST for one in self.attacks)

    @property
    def found_by_threats(self) -> int:
        """Attacks with any claim at all among the first ten of a severity sort of threats only."""
        return sum(one.by_threats is not None and one.by_threats <= FIRST for one in self.attacks)

    @property
    def best_near_miss(self) -> int | None:
        """The best place any near-miss took."""
        return min((one.rank for one in self.near_misses if one.rank is not None), default=None)


def score(document: TriageDocument, truth: Truth) -> Score:
    """Context claims count neither way; pairs of noise with noise are nobody's business."""
    known = truth.by_key()
    held = [_held(one, known) for one in document.incidents]
    queue = [counts for one, counts in zip(document.incidents, held, strict=True) if one.scope != "backlog"]
    sizes = Counter(one.story for one in truth.claims if one.role in _STORIES)
    together = sum(_together(counts) for counts in held)
    order = severity_sort(truth.claims)
    threats = [one for one in order if one.kind == Kind.THREAT]
    landings = {one.id: _landing(one, held, sizes[one.id], (order, threats)) for one in truth.stories}
    attacks = tuple(landings[one.id] for one in truth.of_role("attack"))
    kept = sum(counts[one.story.id] for counts in held for one in attacks)
    return Score(
        attacks=attacks,
        near_misses=tuple(landings[one.id] for one in truth.of_role("near_miss")),
        precision=_ratio(together, sum(_merged(counts) for counts in held)),
        precision_queue=_ratio(sum(_together(counts) for counts in queue), sum(_merged(counts) for counts in queue)),
        recall=_ratio(together, sum(comb(size, 2) for size in sizes.values())),
        fold=_ratio(document.counts.seen, len(document.incidents)),
        kept=_ratio(kept, sum(sizes[one.story.id] for one in attacks)),
        claims=document.counts.seen,
        incidents=len(document.incidents),
    )


def severity_sort(claims: Iterable[TruthClaim]) -> Sequence[TruthClaim]:
    """What people do today: every open claim, the most severe first, among equals the newest first."""
    newest = sorted((one for one in claims if one.open), key=_newest, reverse=True)
    return sorted(newest, key=_gravest)


def _newest(one: TruthClaim) -> tuple[str, Key]:
    return one.updated, one.key


def _gravest(one: TruthClaim) -> int:
    return -one.severity


def _held(incident: IncidentRow, known: Mapping[Key, TruthClaim]) -> Counter[str]:
    """How many claims of each story an incident holds; noise, and what the truth does not know, is under ''."""
    counts: Counter[str] = Counter()
    for finding in incident.findings:
        claim = known.get((finding.source, finding.source_id))
        role = claim.role if claim else "noise"
        if role != "context":
            counts[claim.story if claim and role in _STORIES else ""] += 1
    return counts


def _together(counts: Counter[str]) -> int:
    """Pairs in one incident that really are one story."""
    return sum(comb(number, 2) for story, number in counts.items() if story)


def _merged(counts: Counter[str]) -> int:
    """Pairs in one incident of which at least one claim belongs to a story."""
    return comb(counts.total(), 2) - comb(counts[""], 2)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _landing(
    story: TruthStory, held: list[Counter[str]], size: int, orders: tuple[Sequence[TruthClaim], Sequence[TruthClaim]]
) -> Landing:
    most = max((counts[story.id] for counts in held), default=0)
    rank = next((place for place, counts in enumerate(held, 1) if most and counts[story.id] == most), None)
    return Landing(story, rank, _ratio(most, size), *(_first(story, order) for order in orders))


def _first(story: TruthStory, order: Sequence[TruthClaim]) -> int | None:
    """The place of the first claim that is really the story's."""
    return next((place for place, one in enumerate(order, 1) if one.story == story.id and one.role in _STORIES), None)

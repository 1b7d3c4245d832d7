"""The triage as one self-contained page: no script, nothing fetched, every text escaped.

What the page shows is bounded, so that a browser can open any triage; it says what it leaves out. The JSON has all.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from markupsafe import Markup

from isthmus.answer.document import FactRow, IncidentRow, ReasonRow, TriageDocument
from isthmus.answer.picture import attack_path_svg, timeline, waterfall
from isthmus.answer.templates import rendered

MOST_OF_A_KIND = 50
MOST_SECTIONS = 150
MOST_ROWS = 1_000
MOST_REJECTED = 500
MOST_FACTS = 2_000
_PRIORITIES = ("act", "attend", "track*", "track")
_OURS = re.compile(r"(INC|F)-[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class ShownIncident:
    """An incident with its place on the page. `bar` is its score in sixtieths."""

    rank: int
    row: IncidentRow
    anchor: str
    bar: int
    sources: tuple[str, ...]
    labels: dict[str, str]
    has_section: bool


@dataclass(frozen=True, slots=True)
class ShownFact:
    """A fact with the number it is cited by and the incidents that cite it."""

    number: int
    row: FactRow
    anchor: str
    cited_by: tuple[ShownIncident, ...]


def page(document: TriageDocument) -> str:
    """The whole document as HTML for people. It encodes to UTF-8 whatever text is in it."""
    rows = tuple(_incident(rank, one) for rank, one in enumerate(document.incidents[:MOST_ROWS], 1))
    style, style_hash = _style()
    times = timeline(document.incidents[:MOST_ROWS])
    return rendered(
        "page.html",
        document=document,
        rows=rows,
        facts=_facts(document.facts, [one for one in rows if one.has_section]),
        by_priority=_by_priority(document.incidents),
        times=rendered("timeline.svg", picture=times) if times else "",
        attack_path_svg=attack_path_svg,
        picture_of_score=_picture_of_score,
        style=style,
        style_hash=style_hash,
        most=MOST_OF_A_KIND,
        rows_most=MOST_ROWS,
        sections_most=MOST_SECTIONS,
        rejected_most=MOST_REJECTED,
    )


@cache
def _style() -> tuple[Markup, str]:
    """The one style sheet and its hash: the browser takes no other, so text that gets out of its place has no effect."""
    style = rendered("page.css")
    return style, f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}"


def _incident(rank: int, row: IncidentRow) -> ShownIncident:
    return ShownIncident(
        rank=rank,
        row=row,
        anchor=_anchor(row.id, f"incident-{rank}"),
        bar=round(min(100, max(0, row.score)) * 0.6),
        sources=tuple(sorted({one.source for one in row.findings})),
        labels={one.id: one.label for one in row.attack_path.nodes} if row.attack_path else {},
        has_section=rank <= MOST_SECTIONS,
    )


def _anchor(id_: str, otherwise: str) -> str:
    """Our own ids are stable anchors; anything else is no name for a place on a page."""
    return id_ if _OURS.fullmatch(id_) else otherwise


def _picture_of_score(reasons: Sequence[ReasonRow]) -> Markup:
    return rendered("waterfall.svg", picture=waterfall(reasons))


def _by_priority(incidents: Iterable[IncidentRow]) -> list[tuple[str, int]]:
    """How many of each priority, gravest first."""
    counted = Counter(one.priority for one in incidents)
    return [(word, counted[word]) for word in dict.fromkeys((*_PRIORITIES, *counted)) if counted[word]]


def _facts(facts: Sequence[FactRow], incidents: Sequence[ShownIncident]) -> dict[str, ShownFact]:
    """The facts to show, by id: all of them, or, of very many, those that are cited on this page."""
    cited: dict[str, list[ShownIncident]] = {}
    for one in incidents:
        for id_ in dict.fromkeys(_cited(one.row)):
            cited.setdefault(id_, []).append(one)
    kept = facts if len(facts) <= MOST_FACTS else [one for one in facts if one.id in cited]
    shown = enumerate({one.id: one for one in kept}.values(), 1)
    return {
        row.id: ShownFact(number, row, _anchor(row.id, f"fact-{number}"), tuple(cited.get(row.id, ()))) for number, row in shown
    }


def _cited(row: IncidentRow) -> Iterator[str]:
    yield from (*row.cites.summary, *row.cites.impact, *row.cites.root_cause)
    for reason in row.score_reasons:
        yield from reason.cites

"""What each page shows, gathered from the desk; templates draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from isthmus.answer.incident_view import IncidentView, QueueRow, StepRow
from isthmus.answer.page import ShownFact
from isthmus.answer.picture import attack_path_svg, waterfall
from isthmus.answer.templates import rendered as drawn
from isthmus.desk.desk import Desk
from isthmus.doors.console.checking import RecordCheck
from isthmus.doors.console.deciding import Hindrance, agreed, awaits, hindrance
from isthmus.doors.console.session import Declined
from isthmus.model.assessment import Priority, Verdict
from isthmus.model.disposition import State
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.people import Person, Right
from isthmus.plan.containment import ABILITIES

PAGE_ROWS = 50
MOST_ASKED, MOST_ON_TOP = 100, 10
MOST = 50
MOST_TO_SPLIT, MOST_FACTS = 200, 500
_A_WEEK = timedelta(days=7)
_TITLES = {one.name: one.title for one in ABILITIES}
_PARKED = "tampered"
"""The state `record.incidents.park` writes; no disposition, since nothing is believed of such a row."""
STATES = (*(one.value for one in State), _PARKED)
PRIORITIES = tuple(one.value for one in Priority)


@dataclass(frozen=True, slots=True)
class Page:
    """A template and what fills it."""

    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step with what a person needs beside it. `hindrance` is why this person may not speak, None when they may."""

    number: int
    row: StepRow
    title: str
    hindrance: Hindrance | None
    agreed: int

    @property
    def anchor(self) -> str:
        return f"step-{self.number}"

    @property
    def undoable(self) -> bool:
        """Whether it stands and nobody has ordered it back. A case is closed by people, not taken back."""
        being_undone = bool(self.row.undo) and self.row.undone is None
        return self.row.in_place and not being_undone and not self.row.ability.startswith("case.")


@dataclass(frozen=True, slots=True)
class Asked:
    """An incident that waits for people; `trouble` instead of a view when it cannot be shown."""

    row: QueueRow
    steps: tuple[ShownStep, ...]
    mine: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of an incident's story: a round that was opened, or a word."""

    at: str
    who: str
    what: str
    text: str
    aside: str


def queue(desk: Desk, person: Person, query: Mapping[str, str], now: datetime) -> Page:
    """The queue as this query wants it: `state`, `priority`, `assignee`, `mine`, `page` from 1."""
    wanted = {name: query.get(name, "").strip() for name in ("state", "priority", "assignee")}
    if query.get("mine"):
        wanted["assignee"] = person.id
    chosen = {name: value for name, value in wanted.items() if value}
    number = _number(query.get("page", ""))
    rows = desk.queue(person, chosen, PAGE_ROWS + 1, (number - 1) * PAGE_ROWS)
    counts = desk.by_state(person)
    return Page(
        "queue.html",
        {
            **{"rows": rows[:PAGE_ROWS], "wanted": wanted, "mine": bool(query.get("mine")), "filtered": bool(chosen)},
            **{"number": number, "asked": asked(desk, person, now, MOST_ON_TOP) if _asking(counts) else ()},
            **{"waiting": _asking(counts), "counts": [(one, counts[one]) for one in STATES if counts.get(one)]},
            **{"states": STATES, "priorities": PRIORITIES, "now": now},
            "earlier": _address(chosen, number - 1) if number > 1 else "",
            "later": _address(chosen, number + 1) if len(rows) > PAGE_ROWS else "",
        },
    )


def approvals(desk: Desk, person: Person, query: Mapping[str, str], now: datetime) -> Page:
    """Everything that waits for people, what waits for this person first."""
    del query
    waiting = _asking(desk.by_state(person))
    found = asked(desk, person, now, MOST_ASKED)
    return Page("approvals.html", {"asked": found, "waiting": waiting, "now": now})


def asked(desk: Desk, person: Person, now: datetime, most: int) -> tuple[Asked, ...]:
    """Incidents that wait for an approval, the person's own first; one that cannot be shown hides no other."""
    rows = desk.queue(person, {"state": State.APPROVAL.value}, MOST_ASKED)
    found = sorted((_asked(desk, person, row, now) for row in rows), key=lambda one: not one.mine)
    return tuple(found[:most])


def _asked(desk: Desk, person: Person, row: QueueRow, now: datetime) -> Asked:
    try:
        view = desk.incident(person, row.id, now)
    except (Untrusted, Refused) as error:
        return Asked(row, (), False, str(error))
    waiting = tuple(one for one in steps(view, person, now) if one.row.waiting)
    return Asked(row, waiting, awaits(view, person, now))


def incident(desk: Desk, person: Person, name: str, now: datetime) -> Page:
    """One incident with everything that can be said of it. Raises as `loaded`."""
    view = loaded(desk, person, name, now)
    report = view.report
    shown = steps(view, person, now)
    until = f"{now + _A_WEEK:%Y-%m-%dT%H:%M}"
    return Page(
        "incident.html",
        {
            **{"view": view, "report": report, "steps": shown, "asked": [one for one in shown if one.row.waiting]},
            **{"facts": _facts(view), "moments": moments(view), "now": now, "until": until, "most": MOST},
            **{"labels": _labels(view), "split_most": MOST_TO_SPLIT, "verdicts": [one.value for one in Verdict]},
            **{"may_speak": person.may(Right.SPEAK), "may_approve": person.may(Right.APPROVE)},
            "path": attack_path_svg(report.attack_path) if report and report.attack_path else "",
            "score": drawn("waterfall.svg", picture=waterfall(report.score_reasons)) if report else "",
            "members": list(zip(view.findings, report.findings, strict=False)) if report else [],
        },
    )


def loaded(desk: Desk, person: Person, name: str, now: datetime) -> IncidentView:
    """The incident of this name. Raises `Declined`: 404 when there is none, 500 when its row is not as we wrote it."""
    try:
        return desk.incident(person, name, now)
    except Refused as error:
        raise Declined(404, str(error)) from None
    except Untrusted as error:
        raise Declined(500, str(error)) from None


def status(record: RecordCheck, desk: Desk, person: Person, query: Mapping[str, str], now: datetime) -> Page:
    """What came in and is it all accounted for, what is pulled, and is the record whole. `check` verifies it anew."""
    counts = desk.counts(person)
    names = "deliveries", "repeated", "seen", "stored", "duplicate", "rejected"
    totals = {name: sum(one[name] for one in counts) for name in names}
    checked = record.latest(now, again=bool(query.get("check")))
    values = {"counts": counts, "totals": totals, "pulls": desk.pulls(person), "checked": checked, "now": now}
    return Page("status.html", values)


def steps(view: IncidentView, person: Person, now: datetime) -> list[ShownStep]:
    """Every step with its place, and why this person may not speak on it."""
    return [
        ShownStep(number, row, _TITLES.get(row.ability, ""), hindrance(row, person, now), agreed(row))
        for number, row in enumerate(view.steps, 1)
    ]


def moments(view: IncidentView) -> list[Moment]:
    """Rounds and words in the order of time; a word stands before the round it opened."""
    found = []
    for word in view.words:
        aside = f"until {word.until[:16].replace('T', ' ')} UTC" if word.until else ""
        what = " ".join(one for one in (word.kind.replace("_", " "), word.value.replace("_", " ")) if one)
        found.append(Moment(word.at, word.person, what, word.text, aside))
    for number, one in enumerate(view.rounds, 1):
        aside = "" if one.score is None else f"score {one.score}, {one.priority}, {one.verdict.replace('_', ' ')}"
        found.append(Moment(one.opened_at, one.requester, f"round {number}", one.opened_because, aside))
    return sorted(found, key=lambda one: one.at)


def _facts(view: IncidentView) -> dict[str, ShownFact]:
    """Facts by id, numbered as they are cited."""
    return {row.id: ShownFact(number, row, f"fact-{number}", ()) for number, row in enumerate(view.facts[:MOST_FACTS], 1)}


def _labels(view: IncidentView) -> dict[str, str]:
    path = view.report.attack_path if view.report else None
    return {one.id: one.label for one in path.nodes} if path else {}


def _asking(counts: Mapping[str, int]) -> int:
    return counts.get(State.APPROVAL.value, 0)


def _number(text: str) -> int:
    """The number of a page; what is none is the first."""
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def _address(chosen: Mapping[str, str], number: int) -> str:
    return "/?" + urlencode({**chosen, "page": number})

"""An incident as the case somebody else's system gets: plain text, ours or visibly quoted, nothing to run or to click."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import rfc8785

from isthmus.answer.report import incident_row, title_of
from isthmus.model.assessment import Assessment
from isthmus.model.cases import Case
from isthmus.model.disposition import verdict_word
from isthmus.model.errors import IsthmusError
from isthmus.model.incidents import Incident
from isthmus.model.outside import printable
from isthmus.model.plans import Ruling, Step

_LONGEST, _MOST = 300, 25


def case_of(incident: Incident, url: str) -> Case:
    """The case as the incident reads now; `url` is where people find it with us, empty when we have no page.

    What only the case itself changes (its own steps) is not in it, so that writing it does not make it outdated.
    """
    assessment = incident.current.assessment
    if assessment is None or incident.current.plan is None:
        raise IsthmusError("a case is made of an assessed incident with a plan")
    row = incident_row(incident)
    case = Case(
        key=f"{incident.tenant}/{incident.id}",
        version="",
        title=_line(title_of(incident)),
        priority=assessment.priority.value,
        score=assessment.score,
        severity=incident.findings[0].severity.word,
        verdict=assessment.verdict.value,
        confidence=assessment.confidence.value,
        summary=row.summary[:4_000],
        impact=row.impact[:4_000],
        root_cause=row.root_cause[:4_000],
        owner="" if row.owner == "unknown" else row.owner,
        assets=tuple(_line(f"{one.kind} {one.id}") for one in row.assets[:_MOST]),
        steps=tuple(_line(_told(one)) for one in incident.steps if not one.action.ability.startswith("case.")),
        remedies=tuple(_line(f"{one.title} ({one.form}, {one.target})") for one in row.remediation[:_MOST]),
        links=tuple(dict.fromkeys(one for one in (url, row.link) if one)),
        note=_note(incident, assessment),
    )
    return replace(case, version=hashlib.sha256(rfc8785.dumps(_plain(case))).hexdigest()[:16])


def _plain(case: Case) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(case).items()}


def _line(text: str) -> str:
    return printable(text)[:_LONGEST]


def _told(step: Step) -> str:
    """One step and how it stands, as a line of a checklist."""
    name = f"{step.action.ability} on {step.action.target}"
    if step.undone is not None:
        return f"{name}: {step.undone.result.value}: {step.undone.detail}"
    if step.outcome is not None:
        return f"{name}: {step.outcome.result.value}: {step.outcome.detail}"
    if step.decision is not None and step.decision.ruling is Ruling.SPARE:
        return f"{name}: held back: {step.decision.reason}"
    if step.request is not None:
        return f"{name}: waits for {step.request.people} to agree until {step.request.approve_by:%Y-%m-%d %H:%M} UTC"
    return f"{name}: under way"


def _counted(incident: Incident) -> str:
    """How many findings, and how many of them are shown when not all are."""
    shown = f", the gravest {len(incident.members)} shown" if incident.size > len(incident.members) else ""
    return f"{incident.size:,} findings{shown}"


def _note(incident: Incident, assessment: Assessment) -> str:
    """What is new, for the journal of the case."""
    return "\n".join(_news(incident, assessment))[:8_000]


def _news(incident: Incident, assessment: Assessment) -> Iterator[str]:
    yield f"{incident.current.opened_because} (round {len(incident.rounds)}, {_counted(incident)})"
    yield f"Score {assessment.score}, priority {assessment.priority.value}, {assessment.verdict.value.replace('_', ' ')}"
    word = verdict_word(incident)
    if word is not None:
        yield f"Verdict by {word.person}: {word.value.replace('_', ' ')}"
    yield from (_told(one) for one in incident.steps if one.outcome is not None and not one.action.ability.startswith("case."))

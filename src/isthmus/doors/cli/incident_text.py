"""The queue and one incident as text for a terminal of 80 columns. Everything in them may be somebody else's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console

from isthmus.answer.document import IncidentRow
from isthmus.answer.incident_view import IncidentView, OutcomeRow, StepRow
from isthmus.doors.api.answers import Queue
from isthmus.doors.cli.screen import columns, shown

_WIDE, _FINDINGS = 120, 20


def queue(page: Queue, console: Console) -> None:
    """A page of the queue, one line an incident where there is room."""
    if not page.incidents:
        console.print("Nothing here." if page.offset else "No incident like that.")
        return
    wide = console.width >= _WIDE
    more = ("Assignee", "Changed") if wide else ()
    table = columns("Incident", "Score", "Priority", "State", "What", *more, fixed=("Incident", "Score", "Priority", "Changed"))
    for one in page.incidents:
        rest = (shown(one.assignee, 64) or "-", shown(one.changed_at, 32)) if wide else ()
        state = shown(one.state.replace("_", " "), 32)
        table.add_row(shown(one.id, 64), str(one.score), shown(one.priority, 16) or "-", state, shown(one.title, 200), *rest)
    console.print(table)
    if page.more:
        console.print(f"More: --offset {page.offset + page.limit}.")


def whole(one: IncidentView, console: Console) -> None:
    """Everything about an incident, in the order people ask for it."""
    console.print(shown(one.title) or "(not yet read)", style="bold")
    console.print(f"{shown(one.id, 64)}  {shown(one.state.replace('_', ' '), 32)}: {shown(one.why)}")
    console.print(f"Assigned to {shown(one.assignee, 64) or 'nobody'}.")
    if one.report is not None:
        _report(one.report, console)
    _section("Findings", _findings(one), console)
    steps = [line for number, step in enumerate(one.steps, start=1) for line in step_lines(one.id, number, step)]
    _section("Steps", steps, console)
    _section("Said", _words(one), console)
    rounds = [f"{shown(each.opened_at)}  {shown(each.opened_because)} ({shown(each.requester)})" for each in one.rounds]
    _section("Rounds", rounds, console)


def _report(report: IncidentRow, console: Console) -> None:
    verdict = shown(report.verdict.replace("_", " "))
    console.print(f"\n{report.score} {shown(report.priority)}; {verdict}, confidence {shown(report.confidence)}", style="bold")
    for text in (report.summary, f"Cause: {report.root_cause}", f"Impact: {report.impact}"):
        console.print(shown(text))
    console.print(f"Owner {shown(report.owner) or 'unknown'}, environment {shown(report.environment)}.")
    for reason in report.score_reasons:
        console.print(f"  {reason.points:+4d}  {shown(reason.text)}", style="dim")


def _findings(one: IncidentView) -> Iterator[str]:
    """Titles where they are known yet, and the keys `split` takes."""
    rows = one.report.findings if one.report is not None else ()
    for row in rows[:_FINDINGS]:
        yield f"{shown(row.severity)}: {shown(row.title)}  [{shown(row.source)}] {shown(row.asset)}"
    for key in one.findings[:_FINDINGS]:
        yield f"  {shown(key)}"
    if one.size > len(one.findings):
        yield f"{one.size:,} findings, of which the gravest {len(one.findings)} can be shown: --json"
    elif len(one.findings) > _FINDINGS:
        yield f"and {len(one.findings) - _FINDINGS} more: --json"


def step_lines(name: str, number: int, step: StepRow) -> Iterator[str]:
    """One step, how far it is, and the command that moves it on."""
    place = f" ({shown(step.environment)}; {shown(step.provenance)})" if step.environment else ""
    yield f"{number}. {shown(step.ability)} on {shown(step.handle or step.target)}{place}"
    if step.ruling:
        by = f" [{', '.join(shown(one) for one in step.policies)}]" if step.policies else ""
        yield f"   policy: {shown(step.ruling)}; {shown(step.reason)}{by}"
    for word in step.approvals:
        yield f"   {shown(word.person)} said {'yes' if word.granted else 'no'} at {shown(word.at)} {shown(word.reason)}"
    if step.waiting:
        yield f"   waits for {step.people} until {shown(step.approve_by)} (asked for by {shown(step.requester)})"
        yield f"   isthmus incidents approve {shown(name)} --plan-hash {shown(step.plan_hash)}"
    yield from _outcomes(name, step)


def _outcomes(name: str, step: StepRow) -> Iterator[str]:
    if step.outcome is not None:
        yield f"   {_outcome(step.outcome)}"
    if step.in_place:
        yield f"   in place; takes itself back at {shown(step.lease_until)} unless renewed"
        which = f"--ability {shown(step.ability)} --target {shown(step.target)}"
        yield f"   isthmus incidents undo {shown(name)} {which} --reason WHY"
    if step.undo:
        yield f"   undo {shown(step.undo)}"
    if step.undone is not None:
        yield f"   {_outcome(step.undone)}"
    if step.trouble:
        yield f"   trouble: {shown(step.trouble)}"


def _outcome(outcome: OutcomeRow) -> str:
    link = f" {shown(outcome.link)}" if outcome.link else ""
    return f"{shown(outcome.result)} at {shown(outcome.at)}: {shown(outcome.detail)}{link}"


def _words(one: IncidentView) -> Iterator[str]:
    for word in one.words:
        until = f" until {shown(word.until)}" if word.until else ""
        value = f" {shown(word.value)}" if word.value else ""
        kind = shown(word.kind.replace("_", " "))
        yield f"{shown(word.at)}  {shown(word.person)}: {kind}{value}{until}. {shown(word.text)}".rstrip()


def _section(title: str, lines: Iterable[str], console: Console) -> None:
    told = list(lines)
    if told:
        console.print(f"\n{title}", style="bold")
        for line in told:
            console.print(line, soft_wrap=True)

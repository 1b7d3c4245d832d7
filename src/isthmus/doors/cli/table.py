"""The triage as a table people like to read: colour in a terminal, plain when piped."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus.answer.document import IncidentRow, TriageDocument

_SHOWN = 15
_REJECTIONS = 10
_WIDE = 120
_VERBS = {"act": "act on", "attend": "attend to", "track*": "track closely", "track": "track"}
_PRIORITY = {"act": "bold red", "attend": "yellow", "track*": "cyan", "track": "dim"}


def show(document: TriageDocument, console: Console, everything: bool = False) -> None:
    """Counts, incidents, what was left out and what was rejected."""
    _counts(document, console)
    incidents = document.incidents if everything else document.incidents[:_SHOWN]
    if incidents:
        console.print(_incidents(incidents, console.width >= _WIDE))
    if len(incidents) < len(document.incidents):
        console.print(f"{len(document.incidents) - len(incidents)} more: --all, --format json or html.")
    if incidents:
        console.print("Ranked by score. Priority is CISA's SSVC: act now, attend soon, track* closely, track.", style="dim")
    _since(document, console)
    for one in incidents[:3]:
        _explained(one, console)
    _rejected(document, console, everything)


def _counts(document: TriageDocument, console: Console) -> None:
    counts = document.counts
    console.print(
        f"{counted(counts.seen, 'claim')} seen = {counts.stored} stored + {counted(counts.duplicate, 'repeat')} "
        f"+ {counts.rejected} rejected; "
        f"{len(document.suppressed)} closed or dismissed at the source; {_priorities(document)}",
        style="bold",
    )
    for one in document.intel:
        if one.stale:
            console.print(
                f"{one.name} is of {one.of}, {one.age_days} days old: `isthmus intel refresh` brings today's.",
                style="yellow",
                markup=False,
            )


def _priorities(document: TriageDocument) -> str:
    """How many incidents there are of each priority, gravest first."""
    found = Counter(one.priority for one in document.incidents)
    said = [f"{found[name]} to {verb}" for name, verb in _VERBS.items() if found[name]]
    return f"{counted(len(document.incidents), 'incident')}: {', '.join(said)}" if said else "no incidents"


def counted(number: int, noun: str) -> str:
    """`1 claim`, `2 claims`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _incidents(incidents: tuple[IncidentRow, ...], wide: bool) -> Table:
    """One line an incident where there is room; in a narrow terminal only what ranks it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right")
    table.add_column("Score", justify="right")
    table.add_column("Priority")
    table.add_column("Incident", ratio=3, overflow="fold")
    table.add_column("Findings", justify="right")
    table.add_column("Verdict", overflow="fold", max_width=16)
    if wide:
        table.add_column("Sources", overflow="fold", max_width=22)
        table.add_column("First step", ratio=2, overflow="fold")
    for number, one in enumerate(incidents, start=1):
        style = _PRIORITY[one.priority]
        row: list[str | Text] = [str(number), Text(str(one.score), style=style), Text(one.priority, style=style), _titled(one)]
        row += [str(len(one.findings)), f"{one.verdict.replace('_', ' ')}, {one.confidence}"]
        if wide:
            row.append(", ".join(sorted({finding.source for finding in one.findings})))
            row.append(Text(f"{one.actions[0].ability} {one.actions[0].target}" if one.actions else ""))
        table.add_row(*row)
    return table


def _titled(one: IncidentRow) -> Text:
    title = Text(one.title)
    if one.since in {"new", "grown"}:
        title.append(f" ({one.since})", style="green")
    return title


def _explained(one: IncidentRow, console: Console) -> None:
    console.print()
    console.print(Text.assemble((f"{one.score} ", _PRIORITY[one.priority]), (one.title, "bold"), (f"  {one.id}", "dim")))
    console.print(Text(f"  {one.summary}"), soft_wrap=False)
    console.print(Text(f"  Cause: {one.root_cause}"))
    for reason in one.score_reasons:
        console.print(Text(f"  {reason.points:+4d}  {reason.text}", style="dim"))
    for action in one.actions[:4]:
        console.print(Text(f"  {action.rank}. {action.ability} {action.target}"))


def _since(document: TriageDocument, console: Console) -> None:
    """What is new, where a state file was given."""
    found = Counter(one.since for one in document.incidents if one.since)
    if found:
        console.print("Since last time: " + ", ".join(f"{found[state]} {state}" for state in ("new", "grown", "unchanged")))


def _rejected(document: TriageDocument, console: Console, everything: bool) -> None:
    """What was not taken: what could not be read first, then what is known to be no alert; the same reasons together."""
    if not document.rejected:
        return
    reasons: dict[str, list[str]] = {}
    for one in document.rejected:
        reasons.setdefault(one.reason, []).append(f"{one.file} {one.position}".strip())
    ordered = sorted(reasons, key=lambda reason: "not an alert" in reason)
    shown = ordered if everything else ordered[:_REJECTIONS]
    console.print()
    console.print("Rejected:", style="bold")
    for reason in shown:
        first, *more = reasons[reason]
        also = f" and {len(more)} more" if more else ""
        console.print(Text(f"  {first}{also}: {reason}"), soft_wrap=True)
    if len(shown) < len(ordered):
        console.print(f"  and {counted(len(ordered) - len(shown), 'other reason')}: --all or --format json.")

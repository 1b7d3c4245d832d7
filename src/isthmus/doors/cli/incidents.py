"""`isthmus incidents`: read the queue and say words on incidents, through the API and as whoever the key is of."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from isthmus.answer.incident_view import IncidentView
from isthmus.doors.api.answers import Queue
from isthmus.doors.cli import clock, deciding, incident_text
from isthmus.doors.cli.client import Api, asking, decoded, incident_path
from isthmus.doors.cli.screen import CodedGroup, screen, shown
from isthmus.model.assessment import Priority, Verdict
from isthmus.model.disposition import State
from isthmus.model.errors import Refused, Untrusted

app = typer.Typer(cls=CodedGroup, help="Incidents of a running `isthmus serve`.", no_args_is_help=True)

_Incident = Annotated[str, typer.Argument(metavar="ID", help="The incident.")]
_Reason = Annotated[str, typer.Option(help="Why, for the record.")]
_Json = Annotated[bool, typer.Option("--json", help="As the API answers it.")]
_Until = Annotated[str, typer.Option(metavar="WHEN", help="Such as 8h, 3d, 2026-12-31, or a time with a zone.")]
_PlanHash = Annotated[str, typer.Option(metavar="HASH", help="Exactly this plan; for scripts, without asking again.")]
_Ability = Annotated[str, typer.Option(help="Which, where several are in place.")]
_Target = Annotated[str, typer.Option(help="On what, where several are in place.")]

_SPAN = re.compile(r"([1-9][0-9]{0,3})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command("list")
@asking
def list_all(
    api: Api,
    state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Only of this priority.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only somebody's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Rows at once.")] = 25,
    offset: Annotated[int, typer.Option(min=0, help="Rows to pass over.")] = 0,
    json: _Json = False,
) -> None:
    """The queue, gravest first."""
    wanted = {"state": state.value if state else None, "priority": priority.value if priority else None, "assignee": assignee}
    body = api.get("/v1/incidents", limit=limit, offset=offset, **wanted)
    if json:
        return _raw(body)
    return incident_text.queue(decoded(body, Queue), screen())


@app.command("show")
@asking
def show(api: Api, incident: _Incident, json: _Json = False) -> None:
    """Everything about one incident: what it is and why, what is done, asked for, and was said."""
    body = api.get(incident_path(incident))
    if json:
        return _raw(body)
    return incident_text.whole(decoded(body, IncidentView), screen())


def _raw(body: bytes) -> None:
    """ASCII only: what was written to be obeyed by a terminal is not."""
    try:
        sys.stdout.write(json.dumps(json.loads(body), indent=2) + "\n")
    except (ValueError, RecursionError):
        raise Untrusted("answered something that is not JSON", "server") from None


@app.command("approve")
@asking
def approve(
    api: Api,
    incident: _Incident,
    plan_hash: _PlanHash = "",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Agree to exactly what is shown: the plan that waits, after you said yes to it."""
    step = deciding.asked(api, incident, plan_hash, screen())
    if not plan_hash and not typer.confirm("Agree to exactly this plan?"):
        raise Refused("nothing was agreed to")
    _done(api, incident, "approve", plan_hash=step.plan_hash, reason=reason)


@app.command("reject")
@asking
def reject(api: Api, incident: _Incident, reason: _Reason, plan_hash: _PlanHash = "") -> None:
    """Say no to the plan that waits. One no is enough."""
    step = deciding.asked(api, incident, plan_hash, screen())
    _done(api, incident, "reject", plan_hash=step.plan_hash, reason=reason)


@app.command("undo")
@asking
def undo(api: Api, incident: _Incident, reason: _Reason, ability: _Ability = "", target: _Target = "") -> None:
    """Take a containment back: what was there before is restored."""
    step = deciding.placed(api, incident, ability, target, screen())
    _done(api, incident, "undo", ability=step.ability, target=step.target, reason=reason)


@app.command("renew")
@asking
def renew(api: Api, incident: _Incident, until: _Until, ability: _Ability = "", target: _Target = "") -> None:
    """Let a containment stand until then."""
    step = deciding.placed(api, incident, ability, target, screen())
    _done(api, incident, "renew", ability=step.ability, target=step.target, until=_when(until))


@app.command("verdict")
@asking
def verdict(
    api: Api, incident: _Incident, what: Annotated[Verdict, typer.Argument(help="What it really was.")], reason: _Reason
) -> None:
    """Say what it really was."""
    _done(api, incident, "verdict", verdict=what.value, reason=reason)


@app.command("assign")
@asking
def assign(
    api: Api, incident: _Incident, to: Annotated[str, typer.Argument(metavar="[PERSON]", help="Nobody: leave it out.")] = ""
) -> None:
    """Say whose it is."""
    _done(api, incident, "assign", to=to)


@app.command("comment")
@asking
def comment(api: Api, incident: _Incident, text: Annotated[str, typer.Argument(metavar="TEXT")]) -> None:
    """Say something worth keeping."""
    _done(api, incident, "comment", text=text)


@app.command("suppress")
@asking
def suppress(api: Api, incident: _Incident, until: _Until, reason: _Reason) -> None:
    """Keep it quiet until then, as long as nothing joins it."""
    _done(api, incident, "suppress", until=_when(until), reason=reason)


@app.command("accept-risk")
@asking
def accept_risk(api: Api, incident: _Incident, until: _Until, reason: _Reason) -> None:
    """Live with it until then."""
    _done(api, incident, "accept-risk", until=_when(until), reason=reason)


@app.command("reopen")
@asking
def reopen(api: Api, incident: _Incident, reason: _Reason) -> None:
    """Think again: ends a verdict, a suppression or an accepted risk."""
    _done(api, incident, "reopen", reason=reason)


@app.command("split")
@asking
def split(
    api: Api,
    incident: _Incident,
    findings: Annotated[list[str], typer.Argument(metavar="FINDING...", help="Keys of findings, as `show` gives them.")],
    reason: _Reason,
) -> None:
    """Make another incident of some of its findings."""
    _done(api, incident, "split", findings=findings, reason=reason)


@app.command("merge")
@asking
def merge(
    api: Api,
    incident: _Incident,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The incident that is part of this one.")],
    reason: _Reason,
) -> None:
    """Make the other incident part of this one."""
    _done(api, incident, "merge", other=other, reason=reason)


def _done(api: Api, incident: str, verb: str, **words: object) -> None:
    said = api.say(incident, verb, **words)
    other = f" ({shown(said.other, 64)})" if said.other else ""
    screen().print(f"{shown(said.incident, 64)}: {shown(said.said, 64)}{other}, on record at {shown(said.at, 32)}.")


def _when(text: str) -> str:
    """A span from now, a day to its end, or a time with a zone; as the API takes it. Raises `Untrusted`."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        return (clock.now() + timedelta(**{_UNITS[span[2]]: int(span[1])})).isoformat(timespec="seconds")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and len(text) == len("2026-12-31"):
        moment = moment.replace(hour=23, minute=59, second=59, tzinfo=UTC)
    if moment is None or moment.tzinfo is None:
        raise Untrusted("must be like 8h, 3d, 2026-12-31 or 2026-12-31T18:00Z", f"--until {shown(text, 40)}")
    return moment.isoformat()

"""Which step of an incident is meant, and exactly what somebody agrees to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from rich.console import Console

from isthmus.answer.incident_view import IncidentView, StepRow, waiting
from isthmus.doors.cli.client import Api, decoded, incident_path
from isthmus.doors.cli.incident_text import step_lines
from isthmus.doors.cli.screen import shown
from isthmus.model.errors import Refused, Untrusted


def asked(api: Api, name: str, plan_hash: str, console: Console) -> StepRow:
    """The one step that waits for people, or the one of this plan hash; shown, and its hash made again from what is shown.

    Raises `Refused` when none waits or a plan is not what its hash says, `Untrusted` when several do and none was named.
    """
    found = waiting(decoded(api.get(incident_path(name)), IncidentView).steps)
    if not found:
        raise Refused(f"nothing in {name} waits for people")
    chosen = [one for one in found if not plan_hash or one.plan_hash == plan_hash]
    if not chosen:
        raise Refused(f"nothing in {name} waits with that plan hash; it may have changed since you looked")
    if len(chosen) > 1:
        _listed(name, chosen, console)
        raise Untrusted(f"{len(chosen)} steps of {name} wait; say which", "--plan-hash")
    _shown(chosen[0], console)
    return chosen[0]


def placed(api: Api, name: str, ability: str, target: str, console: Console) -> StepRow:
    """The one containment in place, or the one of this ability and target. Raises as `asked` does."""
    steps = decoded(api.get(incident_path(name)), IncidentView).steps
    found = [one for one in steps if one.in_place and ability in {"", one.ability} and target in {"", one.target}]
    if not found:
        raise Refused(f"nothing of ours{' like that' if ability or target else ''} is in place for {name}")
    if len(found) > 1:
        _listed(name, found, console)
        raise Untrusted(f"{len(found)} containments are in place for {name}; say which", "--ability, --target")
    return found[0]


def _listed(name: str, steps: Sequence[StepRow], console: Console) -> None:
    for number, one in enumerate(steps, start=1):
        for line in step_lines(name, number, one):
            console.print(line, soft_wrap=True)


def _shown(step: StepRow, console: Console) -> None:
    if hashlib.sha256(step.plan.encode()).hexdigest() != step.plan_hash:
        raise Refused("the server shows a plan that is not the one its hash is of; nothing was agreed to")
    console.print(f"{shown(step.ability)} on {shown(step.handle)} ({shown(step.environment)})", style="bold", soft_wrap=True)
    console.print(f"{shown(step.reason)}; {step.people} needed, {_yes(step)} so far; until {shown(step.approve_by)}")
    for call in step.calls:
        console.print(f"  {shown(call)}", soft_wrap=True)
    # Escaped, so that every character of what is agreed to can be seen.
    console.print(json.dumps(json.loads(step.plan), indent=2), soft_wrap=True)
    console.print(f"sha256 {step.plan_hash}", soft_wrap=True)


def _yes(step: StepRow) -> int:
    return sum(one.granted for one in step.approvals)

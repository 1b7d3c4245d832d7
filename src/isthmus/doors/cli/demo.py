"""`isthmus demo`: the product against a simulated company, from the first webhook to the containment taken back.

Nothing here decides or acts: it starts the simulated platforms, starts the service on its embedded defaults with the
lab's policy, tells it the day, and asks it through its own API what came of it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from isthmus import assembly
from isthmus.doors.cli import lab as lab_command
from isthmus.doors.serving import Running, quiet_logs, running
from isthmus.lab.day import Day
from isthmus.lab.world import World
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.people import Person, Role
from isthmus.record import grants, people
from isthmus.record.store import open_store
from isthmus.settings import Loaded
from isthmus.settings import read as read_settings

_PEOPLE = (
    Person("rosa", "default", "Rosa Lindqvist", Role.ADMIN),
    Person("ada", "default", "Ada Okafor", Role.APPROVER),
    Person("ben", "default", "Ben Haddad", Role.ANALYST),
)
_PATIENCE, _FIRST_CASES = 300.0, 5
_MARK = "made-by-isthmus-demo"


def demo(
    seed: Annotated[int, typer.Option(help="Another seed is another company on another day.")] = 20,
    size: Annotated[lab_command.Size, typer.Option(help="How big the company is.")] = lab_command.Size.SMALL,
    out: Annotated[Path, typer.Option(help="Where settings, database and certificates go. Emptied first.")] = Path("out/demo"),
    once: Annotated[bool, typer.Option("--once", help="Exit when the story is told; else stay up and say where.")] = False,
) -> None:
    """A simulated company's day through the whole line: alerts in, one containment done, one waiting, all of it on record."""
    quiet_logs()
    console = Console(highlight=False, soft_wrap=True)
    _fresh(out)
    day = Day(seed, size.value)
    console.print("A simulated company: AWS on moto, and Wiz, Prisma, Orca, Lacework and ServiceNow over TLS.", style="bold")
    with console.status("starting them"), World(day, out / "world") as world:
        loaded = read_settings(world.settings(out / "data"))
        began, start = time.monotonic(), day.end

        def clock() -> datetime:
            return start + timedelta(seconds=time.monotonic() - began)

        keys = _registered(loaded, clock, console)
        with running(loaded, clock) as service:
            story = _Story(world, service, keys, console, clock)
            console.print(f"\nIsthmus answers at {service.url}; {len(world.instances)} instances are connected.")
            with story:
                story.told()
            if not once:
                _stay(service, keys, console)


def _fresh(out: Path) -> None:
    """An empty folder for the demo; another's folder is not emptied."""
    if out.exists() and any(out.iterdir()) and not (out / _MARK).exists() and not (out / "truth.json").exists():
        raise Untrusted("has files in it that no demo wrote; choose another folder with --out", str(out))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).touch()


def _registered(loaded: Loaded, clock: Callable[[], datetime], console: Console) -> dict[str, str]:
    """The people, their keys, and the policy put into force by one of them; all of it on record before anything runs."""
    bundle, now = assembly.check(loaded, clock).bundle, clock()
    store = open_store(assembly.data_folder(loaded))
    with store.writing() as connection:
        for one in _PEOPLE:
            people.put(connection, store.keys, one, now, "operator")
        keys = {one.id: people.new_key(connection, store.keys, one, None, now, "operator") for one in _PEOPLE}
        reason = "the lab's pack, for this demo: automatic in development only, people are asked in production"
        grants.give(connection, store.keys, bundle.digest, _PEOPLE[0], reason, now)
    store.close()
    console.print(f"\nPolicy pack {bundle.name!r}, sha256 {bundle.digest[:16]}… ({len(bundle.rules)} policies):", style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    for rule in bundle.rules:
        table.add_row(
            rule.id, " ".join(line.strip("/ ") for line in rule.text.splitlines() if line.startswith("//")) or rule.place
        )
    console.print(table)
    console.print(f"Put into force on record by {_PEOPLE[0].id} (admin): {reason}.")
    return keys


class _Story:
    """The demo's story, told by asking the service."""

    def __init__(
        self, world: World, service: Running, keys: dict[str, str], console: Console, clock: Callable[[], datetime]
    ) -> None:
        self._world, self._service, self._console, self._clock = world, service, console, clock
        self._http = {
            person: httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {key}"}, timeout=30, trust_env=False)
            for person, key in keys.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._http.values():
            one.close()

    def told(self) -> None:
        """Replay the day, show what came of it, and take the containment back."""
        before = {home.id: self._world.cloud.state(home.id) for home in self._world.accounts}
        self._replay()
        self._queue()
        done = self._automatic()
        self._waiting()
        self._cases()
        self._undone(done, before)
        self._record()

    def _ask(self, path: str, who: str = "ben", **said: Any) -> Any:
        answer = self._http[who].post(path, json=said) if said else self._http[who].get(path)
        if answer.is_error:
            raise IsthmusError(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def _replay(self) -> None:
        """Webhooks and pulls, as fast as they are taken; then until nothing is left to do."""
        told = self._world.replay()
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console, transient=False) as progress:
            task = progress.add_task("the day's alerts", total=len(told))
            with httpx.Client(base_url=self._service.url, timeout=30, trust_env=False) as platform:
                for happens in told:
                    webhook = happens()
                    if webhook is not None:
                        answer = platform.post(webhook.path, content=webhook.body, headers=dict(webhook.headers))
                        if answer.status_code != 202:
                            raise IsthmusError(f"a webhook was answered {answer.status_code}: {answer.text[:200]}")
                    progress.advance(task)
            task = progress.add_task("incidents assessed", total=None)
            self._settled(progress, task)

    def _settled(self, progress: Progress, task: Any) -> None:
        """Until every platform has been pulled, nothing waits to be read, and no incident is under way."""
        deadline, quiet, told = time.monotonic() + _PATIENCE, 0, self._clock()
        while quiet < 3:
            if time.monotonic() > deadline:
                raise IsthmusError("the day was not done within five minutes")
            time.sleep(0.5)
            pulled = all(datetime.fromisoformat(one["at"]) > told for one in self._ask("/v1/pulls")["pulls"] if one["at"])
            busy = not pulled or self._service.house.work.busy(self._clock())
            states = self._ask("/v1/counts")["states"]
            total = sum(states.values())
            progress.update(task, completed=total - states.get("new", 0) - states.get("working", 0), total=total)
            quiet = 0 if busy or not total else quiet + 1

    def _queue(self) -> None:
        counts = self._ask("/v1/counts")
        states = counts["states"]
        seen = {name: sum(one[name] for one in counts["instances"]) for name in ("seen", "stored", "duplicate", "rejected")}
        told = f"{seen['seen']} claims = {seen['stored']} stored + {seen['duplicate']} repeated + {seen['rejected']} rejected"
        wanted = sum(number for state, number in states.items() if state not in {"noted", "closed", "merged", "resolved"})
        self._console.print(
            f"\n{told}; folded to {sum(states.values())} incidents, {wanted} of which want somebody.", style="bold"
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("Score", "Priority", "State", "Incident"):
            table.add_column(name, overflow="fold")
        for one in self._ask("/v1/incidents?limit=12")["incidents"]:
            table.add_row(str(one["score"]), one["priority"], one["state"].replace("_", " "), one["title"][:90])
        self._console.print(table)
        self._truth()

    def _truth(self) -> None:
        """Where each attack of the day stands in the queue; only the lab knows, the service never saw it."""
        ranked = [one["id"] for one in self._ask("/v1/incidents?limit=100")["incidents"] if not one["merged_into"]]
        reports = [self._ask(f"/v1/incidents/{name}")["report"] or {"findings": []} for name in ranked]
        held = [{(one["source"], one["source_id"].split("/")[0]) for one in report["findings"]} for report in reports]
        told: list[tuple[int, str]] = []
        self._console.print("\nWhat really happened, and where it stands in the queue:", style="bold")
        for story in self._world.day.truth.of_role("attack"):
            keys = {one.key for one in self._world.day.truth.claims if one.story == story.id and one.role == "attack"}
            places = [number for number, seen in enumerate(held, 1) if seen & keys]
            told.append((places[0] if places else len(held) + 1, story.what))
        for place, what in sorted(told):
            rank = f"rank {place}" if place <= len(held) else "not told by these platforms"
            self._console.print(f"  {rank}: {what}", markup=False)

    def _steps(self, state: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        rows = self._ask(f"/v1/incidents?state={state}")["incidents"]
        found = [self._ask(f"/v1/incidents/{one['id']}") for one in rows]
        return [(one, step) for one in found for step in one["steps"] if not step["ability"].startswith("case.")]

    def _automatic(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The containment that was done by policy alone."""
        done = [(one, step) for one, step in self._steps("contained") if step["in_place"] and step["ruling"] == "automatic"]
        if not done:
            raise IsthmusError("the demo found no automatic containment")
        self._console.print("\nDone automatically:", style="bold")
        for one, step in done:
            self._console.print(
                f"  {step['ability']} on {step['handle']} ({step['environment']}; {step['reason']})", markup=False
            )
            for call in step["calls"]:
                self._console.print(f"    {call}", markup=False)
            self._console.print(f"    read back: {step['outcome']['detail']}", markup=False)
            self._console.print(f"    for {one['id']}; takes itself back at {step['lease_until']} unless renewed", markup=False)
        return done[0]

    def _waiting(self) -> None:
        waiting = [(one, step) for one, step in self._steps("waiting_for_approval") if step["waiting"]]
        if not waiting:
            raise IsthmusError("the demo found nothing that waits for approval")
        self._console.print("\nWaiting for people:", style="bold")
        for one, step in waiting:
            self._console.print(
                f"  {step['ability']} on {step['handle']} ({step['environment']}): {step['reason']}; needs {step['people']}",
                markup=False,
            )
            self._console.print(f"    approve: isthmus incidents approve {one['id']}   (as ada, by {step['approve_by']})")

    def _cases(self) -> None:
        rows = self._world.simulated["servicenow"].rows("sn_si_incident")
        self._console.print(f"\nCases in ServiceNow: {len(rows)}", style="bold")
        for row in rows[:_FIRST_CASES]:
            self._console.print(f"  {row['number']}  {row['short_description'][:90]}  [{row['correlation_id']}]", markup=False)
        if len(rows) > _FIRST_CASES:
            self._console.print(f"  and {len(rows) - _FIRST_CASES} more")

    def _undone(self, done: tuple[dict[str, Any], dict[str, Any]], before: dict[str, Any]) -> None:
        incident, step = done
        reason = "the demo puts everything back"
        path = f"/v1/incidents/{incident['id']}"
        self._ask(f"{path}/undo", ability=step["ability"], target=step["target"], reason=reason)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            now = next(
                one for one in self._ask(path)["steps"] if one["handle"] == step["handle"] and one["ability"] == step["ability"]
            )
            if now["undone"]:
                break
            time.sleep(0.3)
        after = {home.id: self._world.cloud.state(home.id) for home in self._world.accounts}
        if not now["undone"] or now["undone"]["result"] != "undone" or after != before:
            raise IsthmusError(f"the containment was not taken back whole: {now['undone']}")
        self._console.print("\nTaken back:", style="bold")
        self._console.print(f"  {step['ability']} on {step['handle']}: {now['undone']['detail']}", markup=False)
        self._console.print(f"  the state of all {len(before)} AWS accounts is equal to what it was before")

    def _record(self) -> None:
        said = self._ask("/v1/record/verify", who="rosa")
        if said["problems"]:
            raise IsthmusError(f"the record does not hold: {said['problems'][:3]}")
        self._console.print(
            f"\nThe record holds: {said['size']} entries, root {said['root'][:16]}…, every one checked.", style="bold"
        )


def _stay(service: Running, keys: dict[str, str], console: Console) -> None:
    console.print(f"\nStill up at {service.url}. Sign in there with one of these keys, or use them for `isthmus incidents`:")
    for one in _PEOPLE:
        console.print(f"  {one.id:6} {one.role.value:9} {keys[one.id]}", markup=False)
    console.print(f"  export ISTHMUS_SERVER={service.url}", markup=False)
    console.print(f"  export ISTHMUS_KEY={keys['ada']}", markup=False)
    console.print("Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("\nended")

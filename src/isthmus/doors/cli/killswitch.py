"""`isthmus kill-switch`: stops, kept as plain files, so that they work when nothing else does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from isthmus import assembly
from isthmus.act.guard import switch
from isthmus.doors.cli import given
from isthmus.doors.cli.given import Config
from isthmus.doors.cli.screen import CodedGroup, columns, screen, shown, warn
from isthmus.model.errors import Refused, Untrusted
from isthmus.plan.containment import ABILITIES
from isthmus.settings import Loaded

app = typer.Typer(cls=CodedGroup, help="Stop effects at once; nothing has to be restarted.", no_args_is_help=True)

_NAME = re.compile(r"(?:all|effects|(?:tenant|connector|ability)-[a-z0-9][a-z0-9._-]{0,127})", re.ASCII)
_FORMS = "all, effects, tenant-ID, connector-ID or ability-ID"
_Name = Annotated[str, typer.Argument(metavar="NAME", help=f"{_FORMS}. effects lets undo through, the others stop it too.")]


@app.command("status")
def status(config: Config = None) -> None:
    """Which stops are on, and why."""
    _tell(_folder(given.settings(config)))


@app.command("on")
def on(
    name: _Name,
    reason: Annotated[str, typer.Option(help="Shown to whoever is stopped.")],
    config: Config = None,
) -> None:
    """Stop: from the next effect on nothing of this happens any more."""
    name, loaded = name.casefold(), given.settings(config)
    if not _NAME.fullmatch(name):
        raise Untrusted(f"a stop is one of {_FORMS}", shown(name, 64))
    why = shown(reason, 300).strip()
    if not why:
        raise Untrusted("is needed", "--reason")
    folder = _folder(loaded)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / name).write_text(f"{why}\n", encoding="utf-8")
    if not _known(name, loaded):
        warn(f"{name} is on, but nothing of that name is known here: is it spelled right?")
    _tell(folder)


@app.command("off")
def off(name: _Name, config: Config = None) -> None:
    """Let it happen again. A file in the switch's folder that is no switch is taken away by its name too."""
    folder = _folder(given.settings(config))
    there = [path for path in _listed(folder) if path.name.casefold() == name.casefold()]
    if not there:
        raise Refused(f"{shown(name, 64)} is not on")
    for path in there:
        path.unlink()
    _tell(folder)


def _folder(loaded: Loaded) -> Path:
    return assembly.data_folder(loaded) / "kill"


def _listed(folder: Path) -> list[Path]:
    """Only what is listed is ever taken away: a name with a path in it matches nothing."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _known(name: str, loaded: Loaded) -> bool:
    kind, _, own = name.partition("-")
    instances = loaded.settings.instances.values()
    return {
        "tenant": own in {"default", *(one.tenant for one in instances)},
        "connector": own in {"case", *(one.name for one in assembly.catalogue())},
        "ability": own in {"case.update", *(one.name for one in ABILITIES)},
    }.get(kind, True)


def _tell(folder: Path) -> None:
    console = screen()
    if not folder.exists():
        console.print(f"{folder} is not there yet; `isthmus serve` makes it. Until then everything counts as stopped.")
        return
    stops = switch.read(folder).on
    if not stops:
        console.print("Nothing is stopped.")
        return
    table = columns("Stopped", "Reason")
    for name, reason in sorted(stops.items()):
        table.add_row(name, reason)
    console.print(table)

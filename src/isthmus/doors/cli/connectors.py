"""`isthmus connectors`: which vendors are understood, what each plays and needs, and whether a connected one answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import PydanticUndefined
from rich.console import Console

from isthmus import assembly
from isthmus.assembly import catalogue, connector
from isthmus.contracts.checks import PROMISES
from isthmus.contracts.connector import Connector
from isthmus.contracts.wire import ConnectorConfig
from isthmus.doors.cli import clock, given, speaking
from isthmus.doors.cli.given import Config
from isthmus.doors.cli.roles import declared
from isthmus.doors.cli.screen import AWAY, NO, CodedGroup, columns, screen
from isthmus.doors.cli.speaking import Heard
from isthmus.doors.serving import quiet_logs
from isthmus.model.errors import Refused, Untrusted

app = typer.Typer(cls=CodedGroup, help="Vendors we understand.", no_args_is_help=True)

_WIDE, _WORD = 120, 36
_Vendor = Annotated[str, typer.Argument(metavar="NAME", help="A vendor of `isthmus connectors list`.")]


@app.command("list")
def list_all() -> None:
    """Every vendor, the roles it plays, and what that was checked against. In a wide terminal also the shapes it is read in."""
    console = screen()
    wide = console.width >= _WIDE
    table = columns("Name", "Vendor", "Roles", *(("Shapes",) if wide else ()), "Proved by", fixed=("Name",))
    for one in catalogue():
        shapes = (", ".join(shape.name for shape in one.source.shapes),) if wide else ()
        table.add_row(one.name, one.title, ", ".join(declared(one)), *shapes, one.proved_by)
    console.print(table)


@app.command("describe")
def describe(name: _Vendor) -> None:
    """One vendor: what is read, its settings, what to enter on its side, and what it cannot do."""
    one, console = connector(name), screen()
    console.print(f"{one.title} ({one.name})", style="bold")
    console.print(f"Roles: {', '.join(declared(one))}")
    if one.source.shapes:
        console.print(f"Export to take: {one.source.export_hint}")
        console.print("Read: " + ", ".join(shape.name for shape in one.source.shapes))
        console.print("CSV: " + (", ".join(export.title for export in one.source.csv_exports) or "none"))
        console.print("No alert: " + "; ".join(sorted({denied.reason for denied in one.source.not_alerts})))
    console.print(f"Proved by: {one.proved_by}")
    _settings(one.config, console)
    if one.webhook is not None:
        console.print("\nWebhook", style="bold")
        console.print(f"Address: /in/INSTANCE{'/SECRET' if one.webhook.in_path else ''}. {one.webhook.note}")
    if one.cannot:
        console.print("\nCannot", style="bold")
        for what, why in one.cannot.items():
            console.print(f"  {what}: {why}")


def _settings(config: type[ConnectorConfig] | None, console: Console) -> None:
    if config is None:
        console.print("\nIt is read from exports only; there is nothing to connect.")
        return
    console.print("\nSettings (under instances.NAME.config)", style="bold")
    console.print(" ".join((config.__doc__ or "").split()))
    table = columns("Key", "Default", "Meaning")
    for key, field in config.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else "none" if default in (None, "", ()) else _short(default)
        table.add_row(key, shown, field.description or "")
    console.print(table)


def _short(default: Any) -> str:
    if isinstance(default, tuple):
        return ", ".join(str(one) for one in default)
    return json.dumps(default) if isinstance(default, dict | bool) else str(default)


@app.command("permissions")
def permissions(
    name: _Vendor,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="ABILITY", help="Print the smallest policy for this ability, as JSON.")
    ] = None,
    account: Annotated[str, typer.Option(help="The account that policy is for.")] = "",
) -> None:
    """What an instance must be allowed on the platform, why, and for which of our abilities."""
    one = connector(name)
    if policy:
        return _policy(one, policy, account)
    if not one.permissions:
        raise Refused(f"{one.title} is read from exports only; it needs no permissions")
    table = columns("Permission", "Why, and for which abilities")
    table.columns[0].min_width = min(_WORD, max(len(word) for each in one.permissions for word in each.name.split()))
    for each in one.permissions:
        table.add_row(each.name, f"{each.why} ({', '.join(each.abilities) or 'reading'})")
    return screen().print(table)


def _policy(one: Connector, abilities: list[str], account: str) -> None:
    # Asked for by name as long as vendors without one do not declare that they have none.
    document = getattr(one, "policy_document", None)
    if document is None:
        raise Refused(f"{one.title} takes no policy that could be written down here; see `isthmus connectors permissions`")
    if not account:
        raise Untrusted("is needed: the policy names the account's own resources", "--account")
    sys.stdout.write(json.dumps(document(abilities, account), indent=2) + "\n")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A vendor; or, of the settings, an instance.")],
    config: Config = None,
) -> None:
    """A vendor: run every promise of the conformance suite over it.

    With --config, an instance of these settings: speak to its platform, reading only, and say what works. Exit code 1
    when it says no to what it should allow, 4 when it cannot be reached.
    """
    if config is None and any(one.name == name for one in catalogue()):
        return _promises(connector(name))
    return _spoken(name, config)


def _promises(one: Connector) -> None:
    for promise in PROMISES:
        promise(one)
        screen().print(f"kept: {promise.__name__.replace('_', ' ')}")


def _spoken(name: str, config: Path | None) -> None:
    quiet_logs()
    loaded = given.settings(config)
    if name not in loaded.settings.instances:
        names = ", ".join(loaded.settings.instances) or "none"
        raise Untrusted(f"no such instance in the settings; there are {names}", name)
    heard = speaking.spoken(assembly.check(given.only(loaded, name), clock.now))
    table = columns("Asked for", "Answer", "In its words", fixed=("Answer",))
    for one in heard:
        table.add_row(one.what, one.answer, one.said)
    screen().print(table)
    _judged(heard)


def _judged(heard: list[Heard]) -> None:
    answers = {one.answer for one in heard}
    if speaking.REFUSED in answers:
        raise typer.Exit(NO)
    if speaking.AWAY in answers:
        raise typer.Exit(AWAY)

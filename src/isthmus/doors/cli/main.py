"""The `isthmus` command."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from isthmus import __version__
from isthmus.doors.cli import (
    certificates,
    config,
    connectors,
    demo,
    incidents,
    intel,
    killswitch,
    lab,
    people,
    policy,
    record,
    retention,
    serve,
    triage,
    verify,
    witness,
)
from isthmus.doors.cli.screen import CodedCommand
from isthmus.model.errors import IsthmusError

app = typer.Typer(
    name="isthmus",
    help="From cloud alerts to ranked, explained incidents with typed containment steps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("triage")(triage.triage)
app.command("demo")(demo.demo)
app.command("serve", cls=CodedCommand)(serve.serve)
app.command("verify", cls=CodedCommand)(verify.verify)
app.command("certificates", cls=CodedCommand)(certificates.certificates)
app.add_typer(incidents.app, name="incidents")
app.add_typer(people.app, name="people")
app.add_typer(people.keys, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(killswitch.app, name="kill-switch")
app.add_typer(record.app, name="record")
app.add_typer(witness.app, name="witness")
app.add_typer(retention.app, name="retention")
app.add_typer(config.app, name="config")
app.add_typer(connectors.app, name="connectors")
app.add_typer(intel.app, name="intel")
app.add_typer(lab.app, name="lab")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"isthmus {__version__}")  # noqa: T201 - the answer
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Say which version this is."),
) -> None:
    """From cloud alerts to ranked, explained incidents with typed containment steps."""


def main() -> None:
    """Run the command; what went wrong is one clear message, and the exit code says so."""
    try:
        app()
    except IsthmusError as error:
        Console(stderr=True, highlight=False).print(f"isthmus: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)

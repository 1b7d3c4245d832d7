"""`isthmus retention`: delete what has outlived its time, or everything of a tenant; the record stays whole."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.desk.retention import Retention
from isthmus.doors.cli import clock, given
from isthmus.doors.cli.given import Config
from isthmus.doors.cli.screen import CodedGroup, screen

app = typer.Typer(cls=CodedGroup, help="What is deleted when.", no_args_is_help=True)
_OPERATOR = "operator"


@app.command("run")
def run(
    tenant: Annotated[str, typer.Option(help="Whose.")] = "default",
    config: Config = None,
) -> None:
    """Delete what is older than the settings' `retention` allows. What is contained or waits for people stays."""
    loaded = given.settings(config)
    with given.store(loaded) as store:
        done = Retention(store, loaded.settings.retention).run(tenant, clock.now())
    screen().print(
        f"{tenant}: deleted {done.segments} raw segments, {done.incidents} incidents, {done.findings} findings and "
        f"{done.bodies} bodies of entries. The record's entries stand.",
        soft_wrap=True,
    )


@app.command("delete-tenant")
def delete_tenant(
    tenant: Annotated[str, typer.Argument(help="Whose everything is deleted.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Delete everything of a tenant but the leaves of its record. Refused while something of theirs is contained by us."""
    if not yes:
        typer.confirm(f"Delete every finding, incident, person and key of {tenant}? This cannot be undone", abort=True)
    loaded = given.settings(config)
    with given.store(loaded) as store:
        gone = Retention(store, loaded.settings.retention).delete_tenant(tenant, _OPERATOR, clock.now())
    screen().print(f"{tenant}: deleted {gone} rows and bodies. The record's entries stand.")

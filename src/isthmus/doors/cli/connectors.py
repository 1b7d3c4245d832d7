"""`isthmus connectors`: which vendors are understood, and what that rests on."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from isthmus.assembly import catalogue
from isthmus.contracts.checks import PROMISES
from isthmus.model.errors import Untrusted

app = typer.Typer(help="Vendors we understand.", no_args_is_help=True)


@app.command("list")
def list_all() -> None:
    """Every vendor, the shapes it is read in, and what its reading was checked against."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Name", "Vendor", "Shapes", "Proved by"):
        table.add_column(name, overflow="fold")
    for one in catalogue():
        table.add_row(one.name, one.title, ", ".join(shape.name for shape in one.source.shapes), one.proved_by)
    Console(highlight=False).print(table)


@app.command("describe")
def describe(name: str) -> None:
    """One vendor: what is read, what is recognised as no alert, and which export to take."""
    one = next((connector for connector in catalogue() if connector.name == name), None)
    if one is None:
        raise Untrusted(f"no such vendor; there are {', '.join(connector.name for connector in catalogue())}", name)
    console = Console(highlight=False)
    console.print(f"{one.title} ({one.name})", style="bold")
    console.print(f"Export to take: {one.source.export_hint}", markup=False)
    console.print("Read: " + ", ".join(shape.name for shape in one.source.shapes), markup=False)
    console.print("CSV: " + (", ".join(export.title for export in one.source.csv_exports) or "none"), markup=False)
    console.print("No alert: " + "; ".join(sorted({denied.reason for denied in one.source.not_alerts})), markup=False)
    console.print(f"Proved by: {one.proved_by}", markup=False)


@app.command("check")
def check(name: str) -> None:
    """Run every promise of the conformance suite over one vendor."""
    chosen = [connector for connector in catalogue() if connector.name == name]
    if not chosen:
        raise Untrusted(f"no such vendor; there are {', '.join(connector.name for connector in catalogue())}", name)
    for promise in PROMISES:
        promise(chosen[0])
        Console(highlight=False).print(f"kept: {promise.__name__.replace('_', ' ')}")

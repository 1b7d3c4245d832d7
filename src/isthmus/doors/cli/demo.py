"""`isthmus demo`: a simulated company's day through the same line as any export, compared with what really happened."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from isthmus.doors.cli import lab, table
from isthmus.doors.cli import triage as line
from isthmus.lab.day import Day
from isthmus.lab.score import score
from isthmus.settings import load as load_settings


def demo(
    seed: Annotated[int, typer.Option(help="Another seed is another company on another day.")] = 1,
    size: Annotated[lab.Size, typer.Option(help="How big the company is.")] = lab.Size.SMALL,
    out: Annotated[Path, typer.Option(help="Where the day and the answers are written.")] = Path("out/demo"),
    once: Annotated[bool, typer.Option("--once", help="For scripts. Changes nothing: the demo exits by itself.")] = False,  # noqa: ARG001
) -> None:
    """Make a simulated company's day, triage it on the defaults, and compare the answer with what really happened."""
    console = Console(highlight=False)
    day = Day(seed, size.value)
    lab.wrote(day, out, console)
    settings = load_settings(out / "isthmus.yaml")
    document, _ = line.run([str(out / "exports")], settings, day.end + timedelta(hours=1))
    console.print()
    table.show(document, console)
    answers = {line.Format.JSON: out / "triage.json", line.Format.HTML: out / "triage.html"}
    for format_, path in answers.items():
        line.write(document, format_, path, everything=True)
    console.print("\nCompared with what really happened (the triage never saw truth.json):", style="bold")
    lab.show(score(document, day.truth), console)
    console.print(
        f"\nOpen {answers[line.Format.HTML]} for the incidents, {answers[line.Format.JSON]} for scripts,", markup=False
    )
    console.print(f"{out / 'exports'} for what went in and {out / 'truth.json'} for what was true.", markup=False)

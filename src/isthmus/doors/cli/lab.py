"""`isthmus lab`: write a day of the simulated company, and compare a triage of it with the truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from isthmus.answer.document import TriageDocument
from isthmus.lab.day import Day
from isthmus.lab.score import FIRST, Landing, Score
from isthmus.lab.score import score as compared
from isthmus.lab.truth import load as load_truth
from isthmus.model.errors import Untrusted

app = typer.Typer(help="A simulated company with ground truth.", no_args_is_help=True)


class Size(StrEnum):
    """How big the company is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@app.command("write")
def write(
    folder: Annotated[Path, typer.Argument(help="Where exports/, isthmus.yaml and truth.json go.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same day.")] = 1,
    size: Annotated[Size, typer.Option(help="How big the company is.")] = Size.SMALL,
) -> None:
    """Write one day: exports as vendors make them, the company's settings, and the truth beside them."""
    wrote(Day(seed, size.value), folder, Console(highlight=False))


@app.command("score")
def score(
    folder: Annotated[Path, typer.Argument(help="A folder `isthmus lab write` made.")],
    triage: Annotated[Path, typer.Argument(metavar="TRIAGE.json", help="What `isthmus triage --format json` said of it.")],
) -> None:
    """Say where each attack landed, how well claims were merged, and what a plain severity sort would have shown."""
    show(compared(_document(triage), load_truth(folder / "truth.json")), Console(highlight=False))


def wrote(day: Day, folder: Path, console: Console) -> None:
    """Write the day and say what was made."""
    try:
        day.write(folder)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be written", str(folder)) from None
    files = len({one.file for one in day.alerts})
    vendors = len({one.vendor for one in day.alerts})
    attacks, near = len(day.truth.of_role("attack")), len(day.truth.of_role("near_miss"))
    text = (
        f"Wrote a day of a simulated company (seed {day.seed}, {day.size}) to {folder}: {len(day.alerts)} claims of {vendors} "
        f"platforms in {files} files. {attacks} attacks and {near} near-misses are hidden in them."
    )
    console.print(text, markup=False)


def show(result: Score, console: Console) -> None:
    """The comparison, as a table and three lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("What really happened", "Rank", "Claims held", "Severity sort"):
        table.add_column(name, overflow="fold", ratio=4 if name.startswith("What") else 1)
    for one in (*result.attacks, *result.near_misses):
        table.add_row(_told(one), _place(one.rank), f"{one.held:.0%}", _place(one.by_severity))
    console.print(table)
    total = len(result.attacks)
    lines = (
        f"Attacks in the first {FIRST}: {result.found} of {total}; a plain severity sort of all open claims shows "
        f"any claim of {result.found_by_severity} of {total} there, one of threats only {result.found_by_threats}.",
        f"Fold: {result.claims} claims became {result.incidents} incidents ({result.fold:.1f} claims each). "
        f"Claims of attacks kept: {result.kept:.0%}.",
        f"Merging, over pairs of claims: precision {result.precision:.2f} ({result.precision_queue:.2f} without the backlog), "
        f"recall {result.recall:.2f}. Best near-miss: rank {_place(result.best_near_miss)}.",
    )
    for line in lines:
        console.print(line, markup=False)


def _told(one: Landing) -> str:
    return f"{one.story.role.replace('_', '-')}: {one.story.what}"


def _place(rank: int | None) -> str:
    return "none" if rank is None else str(rank)


def _document(path: Path) -> TriageDocument:
    try:
        return msgspec.json.decode(path.read_bytes(), type=TriageDocument)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be read", str(path)) from None
    except msgspec.DecodeError as error:
        raise Untrusted(f"not a triage document: {error}", str(path)) from None

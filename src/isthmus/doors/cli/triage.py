"""`isthmus triage`: any export in, ranked and explained incidents out."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import platformdirs
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from isthmus import assembly, pipeline
from isthmus.answer import report
from isthmus.answer.document import TriageDocument
from isthmus.answer.page import page
from isthmus.doors import exports
from isthmus.doors.cli import clock, table
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.triage import Triage
from isthmus.record import seen
from isthmus.settings import Settings
from isthmus.settings import load as load_settings

_PIPED = 132
REJECTED = 3
"""Exit code when something was rejected and the rest was triaged."""


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    HTML = "html"


def intel_folder() -> Path:
    """Where refreshed intelligence lies for this user."""
    return Path(platformdirs.user_data_dir("isthmus")) / "intel"


def triage(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, .gz, or - for standard input.")],
    format: Annotated[Format, typer.Option(help="How to answer.")] = Format.TABLE,  # noqa: A002 - the option's name
    output: Annotated[Path | None, typer.Option(help="Write the answer to this file instead of standard output.")] = None,
    since: Annotated[
        Path | None, typer.Option(metavar="STATEFILE", help="Mark what is new since this file was last used.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings: accounts, crown jewels, expected activity (YAML).")] = None,
    all: Annotated[bool, typer.Option("--all", help="In the table, show every incident and every rejection.")] = False,  # noqa: A002
    now: Annotated[datetime | None, typer.Option(help="Take this as the present (UTC), for a repeatable answer.")] = None,
) -> None:
    """Recognise, fold, correlate, score and explain alerts of any CNAPP; no server, no credentials, no model.

    Exit code 0: everything was read. 3: something was rejected (it says what, where and why). 2: could not run.
    """
    at = clock.now() if now is None else now.replace(tzinfo=clock.now().tzinfo)
    settings = load_settings(config) if config else Settings()
    if not any(path == "-" or Path(path).exists() for path in paths):
        raise Untrusted("no such file or folder", ", ".join(paths))
    before = seen.load(since) if since else None
    document, done = run(paths, settings, at, before if since else None, marked=since is not None)
    write(document, format, output, all)
    if since:
        # Only now: news that could not be written down would never be news again.
        seen.save(since, before, done.incidents, at)
    if document.counts.rejected:
        raise typer.Exit(REJECTED)


def run(
    paths: Iterable[str], settings: Settings, at: datetime, before: seen.Seen | None = None, marked: bool = False
) -> tuple[TriageDocument, Triage]:
    """Everything behind these paths, triaged, with progress on standard error where a person watches.

    With `marked`, each incident says whether it is new since `before`.
    """
    parts = assembly.parts(settings, intel_folder())
    intake = pipeline.Intake(parts)
    with _keeping_everything(), _progress() as progress:
        task = progress.add_task("reading")
        for export in exports.exports(paths):
            progress.update(task, description=f"reading {export.name} ({intake.seen} claims so far)")
            exports.take(intake, export, Origin(received=at))
        progress.update(task, description=f"correlating {intake.seen} claims")
        # Not asyncio.run: its signal bookkeeping makes a repr of the task, and with it of every finding in the result.
        with asyncio.Runner() as runner:
            done = runner.get_loop().run_until_complete(pipeline.triage(intake, parts, at))
    if not intake.seen:
        Console(stderr=True).print("isthmus: nothing to read was found in these paths", style="yellow")
    states = {one.id: seen.since(one, before) if marked else None for one in done.incidents}
    return report.document(done, parts.intel.tables, at, states), done


@contextmanager
def _keeping_everything() -> Iterator[None]:
    """Without the cyclic collector: findings live until the answer is written, and looking for garbage finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def write(document: TriageDocument, format: Format, output: Path | None, everything: bool) -> None:  # noqa: A002
    """The document in the wanted form, to a file or to standard output."""
    if output is not None:
        try:
            output.write_bytes(_body(document, format, everything))
        except OSError as error:
            raise Untrusted(error.strerror or "cannot be written", str(output)) from None
    elif format is Format.TABLE:
        console = Console(highlight=False)
        table.show(document, console if console.is_terminal else Console(width=_PIPED, highlight=False), everything)
    else:
        sys.stdout.buffer.write(rendered(document, format))
        sys.stdout.buffer.flush()


def _body(document: TriageDocument, format: Format, everything: bool) -> bytes:  # noqa: A002
    if format is not Format.TABLE:
        return rendered(document, format)
    text = io.StringIO()
    table.show(document, Console(file=text, width=_PIPED, highlight=False), everything)
    return text.getvalue().encode()


def rendered(document: TriageDocument, format: Format) -> bytes:  # noqa: A002
    """The document as JSON, NDJSON (a head line, then one incident a line) or one self-contained page."""
    if format is Format.HTML:
        return page(document).encode()
    if format is Format.JSON:
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    head = {**msgspec.structs.asdict(document), "type": "triage"}
    del head["incidents"]
    lines = [msgspec.json.encode(head)]
    lines += [msgspec.json.encode({"type": "incident", **msgspec.structs.asdict(one)}) for one in document.incidents]
    return b"\n".join(lines) + b"\n"

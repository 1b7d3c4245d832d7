"""How commands speak: plain text that fits a terminal of 80 columns, and errors as a message and an exit code.

Exit codes: 0 fine; 1 somebody who may decide said no; 2 wrong use or wrong settings; 4 somebody did not answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand, TyperGroup

from isthmus.model.errors import IsthmusError, Refused, Unreachable
from isthmus.model.outside import printable

NO, WRONG, AWAY = 1, 2, 4


def screen(errors: bool = False) -> Console:
    """Standard output (or error) without markup: what is printed may be somebody else's text."""
    return Console(stderr=errors, markup=False, emoji=False, highlight=False)


def note(text: str) -> None:
    """A line beside the answer, on standard error, so that the answer alone can be piped on."""
    screen(errors=True).print(text, style="dim", soft_wrap=True)


def warn(text: str) -> None:
    """A line on standard error that wants to be read."""
    screen(errors=True).print(text, style="yellow", soft_wrap=True)


def shown(text: object, longest: int = 2_000) -> str:
    """Somebody else's text on one line, without anything a terminal would obey."""
    return printable(str(text))[:longest]


def columns(*names: str, fixed: Sequence[str] = ()) -> Table:
    """A table without lines. Columns in `fixed` are never broken, so that ids can be copied; the others fold."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in fixed)
    return table


def said(error: IsthmusError | OSError) -> tuple[str, int]:
    """The message and the exit code of an error."""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or type(error).__name__}", WRONG
    return str(error), NO if isinstance(error, Refused) else AWAY if isinstance(error, Unreachable) else WRONG


@contextmanager
def _coded() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except (IsthmusError, OSError) as error:
        text, code = said(error)
        lines = "\n".join(shown(line) for line in text.splitlines())
        screen(errors=True).print(f"isthmus: {lines}", soft_wrap=True)
        raise typer.Exit(code) from None


class CodedGroup(TyperGroup):
    """Commands whose errors are a message and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """As click does it."""
        with _coded():
            return super().invoke(ctx)


class CodedCommand(TyperCommand):
    """The same for a command of its own."""

    def invoke(self, ctx: Any) -> Any:
        """As click does it."""
        with _coded():
            return super().invoke(ctx)

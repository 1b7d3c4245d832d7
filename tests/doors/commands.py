"""Runs a command as a person would, in a folder and a home of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus.doors.cli.main import app

WIDTH = 80


@dataclass(frozen=True)
class Ran:
    """How it ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """Standard error without the line that says where the settings are from."""
        return [line for line in self.err.splitlines() if not line.startswith("settings: ")]


def isthmus(*arguments: object, answer: str = "") -> Ran:
    done = CliRunner().invoke(app, [str(one) for one in arguments], input=answer)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return Ran(done.exit_code, done.stdout, done.stderr)


def settled(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and nothing of the machine's own settings."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        patch.setenv(name, str(folder / name.lower()))
    for name in ("ISTHMUS_KEY", "ISTHMUS_SERVER", "ISTHMUS_AUTHORITY"):
        patch.delenv(name, raising=False)
    patch.setenv("COLUMNS", str(WIDTH))
    work = folder / "work"
    work.mkdir()
    patch.chdir(work)
    return work


def fits(text: str) -> bool:
    """Whether a terminal of 80 columns shows it without breaking a line of its own."""
    return all(len(line.rstrip()) <= WIDTH for line in text.splitlines())

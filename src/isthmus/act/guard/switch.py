"""The kill switch: a folder of plain files, so that anybody with a shell can stop us when nothing else answers.

A file that is there is on; its content is the reason. `effects` stops every new effect and lets undo through;
`all`, `tenant-ID`, `connector-ID` and `ability-ID` stop what they name, undo as well: whoever stops a connector or an
ability mistrusts it both ways. Case does not matter.

Everything unclear is on: no folder, a folder that cannot be listed, a file whose name is none of these (a misspelled
switch must not be a switch that does nothing). Only names beginning with a dot are passed over; mounted volumes have them.

Read in this order: the folder is listed once, then each file's reason is read. A file that goes away meanwhile still
counts, one that comes after the listing counts at the next reading. So read immediately before each effect, never earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ALL, EFFECTS = "all", "effects"
NAMED = ("tenant-", "connector-", "ability-")
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Switch:
    """Which stops are on, by name, and why."""

    on: Mapping[str, str]

    def stopping(self, *, tenant: str, connector: str, ability: str, undo: bool) -> str:
        """The stop that stands in the way, and its reason; empty when there is none."""
        names = [ALL, *(kind + value for kind, value in zip(NAMED, (tenant, connector, ability), strict=True))]
        if not undo:
            names.insert(1, EFFECTS)
        found = next((name for name in names if name.casefold() in self.on), None)
        return "" if found is None else f"{found} ({self.on[found.casefold()]})"


def read(folder: Path) -> Switch:
    """The switch as it stands in this folder now. Never raises: what cannot be read is on."""
    try:
        paths = sorted(folder.iterdir())
    except (OSError, ValueError) as error:
        return Switch({ALL: f"the folder of the kill switch cannot be read: {_said(error)}"})
    on: dict[str, str] = {}
    for path in paths:
        name = path.name.casefold()
        if name.startswith("."):
            continue
        if name in {ALL, EFFECTS} or any(name.startswith(kind) and name != kind for kind in NAMED):
            on[name] = _reason(path)
        else:
            on.setdefault(ALL, f"{_shown(path.name)} in its folder is no switch we know")
    return Switch(on)


def _reason(path: Path) -> str:
    """The first line or so of the file; it is on whatever this says. Only plain files are opened: a pipe would hold us."""
    try:
        if not path.is_file():
            return "no reason given"
        with path.open("rb") as file:
            text = file.read(_LONGEST_REASON).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return f"its reason cannot be read: {_said(error)}"
    return _shown(" ".join(text.split())) or "no reason given"


def _said(error: Exception) -> str:
    return error.strerror or "unreadable" if isinstance(error, OSError) else "unreadable"


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)

"""What a planted bug is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bench.kills_watch import KILL


class Sown(Protocol):
    """What a bug may know of the life it is planted in: by how much its clock was set wrong."""

    jumped: float


@dataclass(frozen=True)
class Plant:
    """A bug: what it is, how it gets in, and the boundaries (words in their names) to try first.

    `shows` says where: in one `line` of lives, with `several` at once, in an `outage` of the database. `how` is what it
    takes to see it; `together` that all have to begin at the same time.
    """

    what: str
    sow: Callable[[Sown], None]
    where: tuple[str, ...] = ()
    shows: str = "line"
    how: str = KILL
    together: bool = False


def swap(place: Any, name: str, make: Callable[[Any], Any]) -> Any:
    """Put something else in the place of what stands there under this name; what was put there."""
    made = make(getattr(place, name))
    setattr(place, name, made)
    return made

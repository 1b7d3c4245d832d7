"""Something a platform said, with who, when, and an id to cite it by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from isthmus.model.findings import short_hash


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement of one source. `id` is the same for the same statement, whatever came before it."""

    id: str
    text: str
    source: str
    at: datetime | None


def fact(text: str, source: str, at: datetime | None) -> Fact:
    """A fact with its citation id, a function of what was said, by whom and when."""
    return Fact(f"F-{short_hash(text, source, at.isoformat() if at else '')}", text, source, at)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of ours and the facts they rest on."""

    text: str
    cites: tuple[str, ...]

"""Something a platform said, with who, when, and an id to cite it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from isthmus.model.findings import short_hash


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement of one source, about one of ABOUT, with its value in a form rules can read.

    `id` is the same for the same statement, whatever came before it. `at` is when the source said so, UTC.
    """

    id: str
    about: str
    value: str
    text: str
    source: str
    at: datetime | None
    asset: str = ""


ABOUT = (
    "severity",
    "threat",
    "exploited",
    "exploit",
    "epss",
    "cvss",
    "internet",
    "sensitive",
    "privileged",
    "secret",
    "blocked",
    "expected",
    "environment",
    "criticality",
    "owner",
    "fix",
    "fold",
)


def fact(about: str, value: str, text: str, source: str, at: datetime | None, asset: str = "") -> Fact:
    """A fact with its citation id, a function of what was said, of what, by whom and when."""
    name = short_hash(about, value, text, source, asset, at.isoformat() if at else "")
    return Fact(f"F-{name}", about, value, text, source, at, asset)


Index = Mapping[str, tuple[Fact, ...]]
"""Facts by what they are about, in the order they were gathered."""


def indexed(facts: Iterable[Fact]) -> Index:
    """The facts by what they are about."""
    found: dict[str, list[Fact]] = {}
    for one in facts:
        found.setdefault(one.about, []).append(one)
    return {name: tuple(told) for name, told in found.items()}


def about(facts: Index, name: str, value: str | None = None) -> tuple[Fact, ...]:
    """The facts of one kind, and of one value where given."""
    told = facts.get(name, ())
    return told if value is None or not told else tuple(one for one in told if one.value == value)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of ours and the facts they rest on."""

    text: str
    cites: tuple[str, ...]

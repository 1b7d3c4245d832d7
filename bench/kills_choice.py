"""Which boundaries to die at, of those a run without kills passed; each has a number from 1 on, and a name."""

from __future__ import annotations

import random
from collections.abc import Sequence


def chosen(names: Sequence[str], sample: int, rng: random.Random) -> list[int]:
    """Numbers of boundaries in a random order: with a sample one of every kind first, as far as it reaches."""
    numbers = rng.sample(range(1, len(names) + 1), len(names))
    first = {names[number - 1]: number for number in reversed(numbers)}
    ordered = sorted(numbers, key=lambda number: first[names[number - 1]] != number)
    return ordered[: sample or len(ordered)]


def tried(names: Sequence[str], where: Sequence[str], rng: random.Random) -> list[int]:
    """One boundary of every kind, those with one of these words in their names first."""
    return sorted(chosen(names, len(set(names)), rng), key=lambda number: not any(word in names[number - 1] for word in where))


def twice(names: Sequence[str], number: int, rng: random.Random) -> list[tuple[int, ...]]:
    """Kills of two lives: anywhere in the first, anywhere in what is about left for the second."""
    firsts = [rng.randint(1, len(names)) for _ in range(number)]
    return [(first, rng.randint(1, len(names) - first + 20)) for first in firsts]

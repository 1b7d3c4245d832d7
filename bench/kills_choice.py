"""Where to strike. A boundary has a name and a number: the how manieth of its name it is in a life, from 1 on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.kills_watch import JUMP, STOP

Place = tuple[str, int]
_EFFECT = ("POST /api", "PATCH /api", "PUT /api", "aws Modify", "aws Create", "aws Revoke")
_NEAR = (*_EFFECT, "commit step.intent", "commit step.outcome", "commit step.undone", "commit claim", "commit intake.read")
_LONG, _SHORT = 40, 12
"""How many boundaries a life gets to make its way, and one that is killed while it recovers."""


def places(names: Sequence[str]) -> list[Place]:
    """Every boundary that was passed, each with its number."""
    so_far: Counter[str] = Counter()
    found = []
    for name in names:
        so_far[name] += 1
        found.append((name, so_far[name]))
    return found


def chosen(names: Sequence[str], sample: int, rng: random.Random) -> list[Place]:
    """Boundaries in a random order: with a sample one of every name first, as far as it reaches."""
    mixed = rng.sample(found := places(names), len(found))
    first = {name: (name, count) for name, count in reversed(mixed)}
    ordered = sorted(mixed, key=lambda one: first[one[0]] != one)
    return ordered[: sample or len(ordered)]


def tried(names: Sequence[str], where: Sequence[str], rng: random.Random) -> list[Place]:
    """One boundary of every name, those with one of these words in their names first, in the order of the words."""
    rank = {word: number for number, word in enumerate(where)}

    def order(place: Place) -> int:
        return min((number for word, number in rank.items() if word in place[0]), default=len(rank))

    return sorted(chosen(names, len(set(names)), rng), key=order)


def single(place: Place, **how: Any) -> list[dict[str, Any]]:
    """The strikes of one life at one boundary."""
    return [{"name": place[0], "count": place[1], **how}]


def at_random(lives: int, passed: int, rng: random.Random) -> list[list[dict[str, Any]]]:
    """Strikes for so many lives: half at some boundary, half at some moment, from outside. The first gets anywhere."""
    found: list[list[dict[str, Any]]] = [[{"number": rng.randint(1, passed)}]]
    for _ in range(lives - 1):
        inside = rng.random() < 0.5
        found.append([{"number": rng.randint(1, _LONG)}] if inside else [{"after": round(rng.uniform(0.1, 0.8), 3)}])
    return found


def doubles(lives: int, passed: int, rng: random.Random) -> list[list[dict[str, Any]]]:
    """Strikes for so many lives: of five one gets somewhere, and four die while they find out where that was."""
    found = []
    for turn in range(lives):
        reach = _SHORT if turn % 5 else _LONG if turn else passed
        found.append([{"number": rng.randint(1, reach)}])
    return found


def recovering(fatals: Sequence[dict[str, Any]]) -> bool:
    """Whether a life struck like this dies while it recovers from what the one before it left."""
    return any(one.get("number", _LONG) <= _SHORT for one in fatals)


def outages(lives: int, passed: int, rng: random.Random) -> list[list[dict[str, Any]]]:
    """For so many lives: the database is killed under each, and all die a little later."""
    found: list[list[dict[str, Any]]] = []
    for turn in range(lives):
        first = rng.randint(2, _LONG if turn else passed - _LONG)
        found.append([{"number": first, "how": STOP}, {"number": first + rng.randint(4, _LONG)}])
    return found


def episodes(names: Sequence[str], number: int, rng: random.Random) -> list[dict[str, Any]]:
    """Two or four lives; one killed, one put to sleep around what matters, one with a clock an hour ahead or behind."""
    # The first or second of its name: the more lives there are, the less of everything each gets to do.
    near = [one for one in places(names) if one[1] <= 2 and any(word in one[0] for word in _NEAR)]
    effects = [one for one in near if any(word in one[0] for word in _EFFECT)]
    found = []
    for turn in range(number):
        how: dict[str, Any] = ({}, {"how": STOP}, {"how": STOP}, {"how": JUMP, "hours": (1, -1)[turn // 4 % 2]})[turn % 4]
        place = rng.choice(effects if turn % 2 else near)
        shape = {"workers": 4 if turn % 5 == 0 else 2, "together": turn % 3 == 0, "sleep": round(rng.uniform(1.1, 1.8), 2)}
        found.append({**shape, "fatals": single(place, **how)})
    return found

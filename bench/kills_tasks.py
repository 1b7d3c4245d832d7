"""What a whole lane consists of, by the numbers asked for."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from typing import Any

from bench.kills_choice import at_random, chosen, doubles, episodes, outages, single

_IN_A_ROW = 20
"""Kills in one run: the more there are, the less the finish of each run costs."""
_OUTAGES = 4
SINGLE, SHARED, RANDOM, TWICE, OUTAGE, SEVERAL = "each once", "PostgreSQL", "at random", "twice", "outages", "several"


def tasks(asked: argparse.Namespace, names: Sequence[str], rng: random.Random) -> list[dict[str, Any]]:
    """In an order that ends with short ones, so that no lane is left alone with a long one."""
    long = [*_rows(asked, names, rng), *_several(asked, names, rng)]
    once = [_task(SINGLE, [single(one)]) for one in chosen(names, asked.sample, rng)]
    there = [_task(SHARED, [single(one)], shared=True) for one in chosen(names, asked.shared, rng)] if asked.shared else []
    return rng.sample(long, len(long)) + there + once


def _rows(asked: argparse.Namespace, names: Sequence[str], rng: random.Random) -> Iterator[dict[str, Any]]:
    """Kills in a row."""
    passed = len(names)
    for lives in _portions(asked.random, _IN_A_ROW):
        yield _task(RANDOM, at_random(lives, passed, rng))
    # Of five kills four are of a life that recovers.
    for lives in _portions(asked.twice * 5 // 4, _IN_A_ROW):
        yield _task(TWICE, doubles(lives, passed, rng))
    for lives in _portions(asked.outages, _OUTAGES):
        yield _task(OUTAGE, outages(lives, passed, rng), shared=True)


def _several(asked: argparse.Namespace, names: Sequence[str], rng: random.Random) -> Iterator[dict[str, Any]]:
    for one in episodes(names, asked.episodes + asked.episodes // 8, rng):
        yield {**_task(SEVERAL, one.pop("fatals"), shared=True), **one}


def _portions(whole: int, most: int) -> Iterator[int]:
    """So many, a few more than asked for: not every strike hits."""
    left = whole + whole // 8
    while left > 0:
        yield min(left, most)
        left -= most


def _task(kind: str, fatals: Sequence[Any], shared: bool = False) -> dict[str, Any]:
    return {"kind": kind, "shared": shared, "fatals": list(fatals)}

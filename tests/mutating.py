"""Payloads gone wrong: every vendor's samples with their structure, values and bytes changed at random."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from isthmus.assembly import catalogue
from isthmus.contracts.checks import samples

VALUES: list[Any] = [
    *[None, True, 0, -1, 1e308, 10**400, [], {}, [[[]]], [None], {"": {"": []}}],
    *["", "x" * 10_000, "\x00\x1b[2J", "\u202e\u200b", "\ud800"],
    *["9999-12-31T23:59:59Z", "0001-01-01", "NaN", "CVE-9999-999999999"],
    *["arn:aws:::", "arn:", "/subscriptions/", "k8s:", "projects/"],
    *["critical", "RESOLVED", "<script>alert(1)</script>", "{{7*7}}", "=cmd|' /C calc'!A0", "false positive"],
]


def payloads() -> list[Any]:
    """Every sample of every vendor, as the vendor sends it."""
    return [sample["payload"] for connector in catalogue() for _, sample in samples(connector)]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from _places(inner, (*path, key))


def _holder(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        value = value[step]
    return value


def _replace(value: Any, path: tuple[Any, ...], chance: random.Random) -> None:
    _holder(value, path)[path[-1]] = copy.deepcopy(chance.choice(VALUES))


def _remove(value: Any, path: tuple[Any, ...], chance: random.Random) -> None:
    del _holder(value, path)[path[-1]]


def _rename(value: Any, path: tuple[Any, ...], chance: random.Random) -> None:
    holder = _holder(value, path)
    if isinstance(holder, dict):
        holder[str(path[-1]).swapcase() + chance.choice(["", "_", "\u200b"])] = holder.pop(path[-1])


def _repeat(value: Any, path: tuple[Any, ...], chance: random.Random) -> None:
    holder = _holder(value, path)
    if isinstance(holder, list):
        holder.extend(copy.deepcopy(holder) * chance.randint(1, 20))


CHANGES: list[Callable[[Any, tuple[Any, ...], random.Random], None]] = [_replace, _replace, _replace, _remove, _rename, _repeat]


def _bytes_changed(body: bytes, chance: random.Random) -> bytes:
    kind, at = chance.randrange(5), chance.randrange(len(body))
    if kind == 0:
        return body[:at]
    if kind == 1:
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    if kind == 2:
        return body[:at] + body[at:] * 2
    return (
        body[:at] + chance.choice([b"\xff", b"\x00", b'"', b"{", b"[", b"NaN", b",", b"\\ud800", b'"a":1,"a":2,']) + body[at:]
    )


def mutated(count: int, seed: int) -> Iterator[bytes]:
    """`count` payloads with one to four changes each; the same for the same seed."""
    chance, originals = random.Random(seed), payloads()
    for number in range(count):
        value = {"whole": copy.deepcopy(originals[number % len(originals)])}
        for _ in range(chance.randint(1, 4)):
            place = chance.choice(list(_places(value)) or [("whole",)])
            if len(place) > 1:
                chance.choice(CHANGES)(value, place, chance)
        body = json.dumps(value["whole"]).encode()
        yield _bytes_changed(body, chance) if chance.random() < 0.3 else body

"""What `line.py` measures through the doors; what a chapter and a row are. A chapter takes one sample a round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bench.line_lives import Delivered, Server

Database = Callable[[], str]
"""The address of a fresh database; empty for SQLite."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, with the target beside it where there is one: `at_most` or `at_least`. `n` is what it was taken over."""

    what: str
    figure: float
    unit: str
    n: int
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> str:
        """Whether the target was met."""
        if self.at_most is None and self.at_least is None:
            return ""
        low, high = self.at_least is None or self.figure >= self.at_least, self.at_most is None or self.figure <= self.at_most
        return "met" if low and high else "MISSED"


class Chapter(Protocol):
    """One subject."""

    title: str

    def sample(self, number: int) -> None:
        """Measure once; `number` is the round, from 0."""

    def rows(self) -> Iterator[Row]:
        """What came of all rounds."""

    def close(self) -> None:
        """End what runs."""


def share(values: list[float], part: float) -> float:
    """The value below which this part lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


@dataclass
class Intake:
    """Durable intake over HTTP: the floor, our doors alone, and doors with the whole line at work behind them."""

    database: Database
    number: int
    connections: tuple[int, ...]
    title: str = "intake over HTTP"
    found: dict[tuple[str, int], list[Delivered]] = field(default_factory=dict)

    def sample(self, number: int) -> None:
        for connections in self.connections:
            for kind in ("floor", "doors", "line"):
                many = self.number if connections > 1 else self.number // 4
                server = Server(kind, 100 + number, many, many // 50, "" if kind == "floor" else self.database())
                self.found.setdefault((kind, connections), []).append(server.delivered(connections))
                server.close()

    def rows(self) -> Iterator[Row]:
        for connections in self.connections:
            for kind in ("floor", "doors", "line"):
                yield from self._of(kind, connections)
            yield self._over("doors", connections, None)
            yield self._over("line", connections, 0.4)
        most = max(self.connections)
        cost = {kind: statistics.median(one.cpu_ms for one in self.found[kind, most]) for kind in ("floor", "line")}
        n = sum(one.number for one in self.found["line", most])
        yield Row(f"c={most}: CPU an alert, line over floor", cost["line"] / cost["floor"], "x", n, at_most=3)

    def _of(self, kind: str, connections: int) -> Iterator[Row]:
        found = self.found[kind, connections]
        n, busiest = sum(one.number for one in found), kind == "doors" and connections == max(self.connections)
        rate, p50, p99 = (statistics.median(values) for values in zip(*map(_speed, found), strict=True))
        place = f"c={connections}: {kind}"
        yield Row(f"{place}, durable", rate, "/s", n, at_least=1_500 if busiest else None)
        yield Row(f"{place}, ack p50", p50, "ms", n)
        yield Row(f"{place}, ack p99", p99, "ms", n, at_most=250 if busiest else None)
        yield Row(f"{place}, CPU an alert", statistics.median(one.cpu_ms for one in found), "ms", n)
        yield Row(f"{place}, memory", max(one.mib for one in found), "MiB", n)
        if kind == "line":
            yield Row(f"{place}, to disposition", statistics.median(one.number / one.seconds for one in found), "/s", n)

    def _over(self, kind: str, connections: int, least: float | None) -> Row:
        pairs = zip(self.found[kind, connections], self.found["floor", connections], strict=True)
        ratios = [one.fired.rate / floor.fired.rate for one, floor in pairs]
        n = sum(one.number for one in self.found[kind, connections])
        return Row(f"c={connections}: durable rate, {kind} over floor", statistics.median(ratios), "x", n, at_least=least)

    def close(self) -> None:
        """Nothing stays open."""


def _speed(one: Delivered) -> tuple[float, float, float]:
    return one.fired.rate, one.fired.at(0.5), one.fired.at(0.99)


@dataclass
class Cases:
    """From an attack's delivery to its case: quietly, one after the other; and among many others told at once."""

    database: Database
    quiet: int
    storm: int
    title: str = "alert to case"
    calm: list[float] = field(default_factory=list)
    stormy: list[float] = field(default_factory=list)
    missing: int = 0

    def sample(self, number: int) -> None:
        self.calm += self._ages(200 + number, self.quiet, self.quiet, 1, 5.0)
        if number == 0:
            self.stormy += self._ages(300, self.storm, max(20, self.storm // 100), 16, 0.0)

    def _ages(self, seed: int, number: int, grave: int, connections: int, pace: float) -> list[float]:
        server = Server("line", seed, number, grave, self.database())
        found = server.delivered(connections, pace)
        server.close()
        self.missing += grave - len(found.ages)
        return found.ages

    def rows(self) -> Iterator[Row]:
        for part, name in ((0.5, "p50"), (0.99, "p99")):
            yield Row(f"5 a second: {name}", share(self.calm, part), "s", len(self.calm))
        yield Row(f"critical among {self.storm}: p50", share(self.stormy, 0.5), "s", len(self.stormy))
        yield Row(f"critical among {self.storm}: p99", share(self.stormy, 0.99), "s", len(self.stormy), at_most=60)
        yield Row("attacks without a case", self.missing, "", len(self.calm) + len(self.stormy), at_most=0)

    def close(self) -> None:
        """Nothing stays open."""

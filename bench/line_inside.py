"""What `line.py` measures inside one process: the whole line, growth, the ledger, proofs, the kill switch."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.line_chapters import Database, Row, share
from bench.line_lives import Life

from isthmus.record import keys as own_keys
from isthmus.record.checkpoints import Checkpoint, Signer, signed
from isthmus.record.files import write_whole
from isthmus.record.merkle import grown, leaf_hash
from isthmus.record.proofs import Proof, inclusion
from isthmus.record.tiles import WIDTH, Tiles, hashes_in, path_of, tiles_of


@dataclass
class Growth:
    """What a further alert, and a second with nothing to do, cost in installations that hold ever more of something."""

    database: Database
    of: str
    sizes: tuple[int, ...]
    targets: dict[int, float]
    number: int
    idle: float
    title: str = ""
    lives: dict[int, Life] = field(default_factory=dict)
    found: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    resting: dict[int, list[float]] = field(default_factory=dict)
    seeded: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.title = f"CPU of a further alert by {self.of}"
        for size in self.sizes:
            policies = size if self.of == "policies" else 0
            self.lives[size] = Life(self.database(), policies)
            given = {"findings": 1_000} if policies else {self.of: size}
            self.seeded[size] = self.lives[size].ask("seed", **given)
            self.lives[size].ask("further", number=self.number, seed=399)

    def sample(self, number: int) -> None:
        for size, life in self.lives.items():
            self.found.setdefault(size, []).append(life.ask("further", number=self.number, seed=400 + number))
            if self.idle:
                self.resting.setdefault(size, []).append(life.ask("idle", seconds=self.idle)["cpu_ms"])

    def rows(self) -> Iterator[Row]:
        least = self.sizes[0]
        for size in self.sizes:
            n = self.number * len(self.found[size])
            cost = statistics.median(one["cpu_ms"] for one in self.found[size])
            yield Row(f"{size:,} {self.of}: CPU an alert", cost, "ms", n)
            pairs = zip(self.found[size], self.found[least], strict=True)
            ratio = statistics.median(one["cpu_ms"] / first["cpu_ms"] for one, first in pairs)
            yield Row(f"{size:,} {self.of}: over {least:,}", ratio, "x", n, at_most=self.targets.get(size))
            if self.idle:
                resting = self.resting[size]
                yield Row(f"{size:,} {self.of}: idle", statistics.median(resting), "ms/s", len(resting))
        if self.of == "findings":
            yield from self._sizes()

    def _sizes(self) -> Iterator[Row]:
        for size in self.sizes:
            held = self.seeded[size]
            yield Row(f"{size:,}: memory", max(one["peak_mib"] for one in self.found[size]), "MiB", self.number)
            if held["bytes"]:
                yield Row(f"{size:,}: database, a finding", held["bytes"] / held["findings"], "bytes", held["findings"])

    def close(self) -> None:
        for life in self.lives.values():
            life.close()


@dataclass
class Whole:
    """Pulled alerts through the whole line in one process, beside plain sqlite3 that commits the same bytes."""

    database: Database
    number: int
    title: str = "whole line, pulled alerts, one process"
    found: list[dict[str, Any]] = field(default_factory=list)
    floor: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.life = Life(self.database())
        self.life.ask("further", number=100, seed=499)

    def sample(self, number: int) -> None:
        self.floor.append(self.life.ask("floor", number=self.number, seed=500 + number))
        self.found.append(self.life.ask("further", number=self.number, seed=500 + number))

    def rows(self) -> Iterator[Row]:
        n = self.number * len(self.found)
        rates = {
            name: statistics.median(self.number / one[name] for one in self.found) for name in ("seconds", "read", "carry")
        }
        yield Row("alerts to a disposition", rates["seconds"], "/s", n, at_least=300)
        yield Row("of that, reading alone", rates["read"], "/s", n)
        yield Row("of that, carrying alone", rates["carry"], "/s", n)
        yield Row("CPU an alert", statistics.median(one["cpu_ms"] for one in self.found), "ms", n)
        yield Row("CPU an alert, floor", statistics.median(one["cpu_ms"] for one in self.floor), "ms", n)
        for name, unit in (("incidents", ""), ("cases", ""), ("entries", ""), ("bytes", "bytes")):
            each = sum(one[f"more_{name}"] for one in self.found) / n
            if each:
                yield Row(f"{name} an alert", each, unit, n)
        yield Row("bytes of an alert's body", statistics.median(one["body"] for one in self.found), "bytes", n)
        yield Row("memory", max(one["peak_mib"] for one in self.found), "MiB", n)

    def close(self) -> None:
        self.life.close()


@dataclass
class Ledger:
    """Entries a second, so many to a transaction, over plain rows of the same size."""

    database: Database
    number: int
    title: str = "ledger"
    found: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.life = Life(self.database())

    def sample(self, number: int) -> None:  # noqa: ARG002 - a round is like another
        for batch in (1, 16, 256):
            some = self.number if batch > 1 else self.number // 8
            floor = self.life.ask("extend_floor", batch=batch, number=some)["rate"]
            self.found.setdefault(batch, []).append((self.life.ask("extend", batch=batch, number=some)["rate"], floor))

    def rows(self) -> Iterator[Row]:
        for batch, found in self.found.items():
            n = len(found) * (self.number if batch > 1 else self.number // 8)
            yield Row(f"{batch} to a transaction", statistics.median(rate for rate, _ in found), "/s", n)
            yield Row(f"{batch} to a transaction, over floor", statistics.median(rate / floor for rate, floor in found), "x", n)

    def close(self) -> None:
        self.life.close()


@dataclass
class Proofs:
    """Inclusion proofs from tiles, in logs of ever more entries."""

    sizes: tuple[int, ...]
    title: str = "inclusion proofs"
    found: dict[int, list[float]] = field(default_factory=dict)
    bytes: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._closing = ExitStack()
        self._logs = {}
        for size in self.sizes:
            folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-log-")))
            self._logs[size] = _log(folder, size)
        keys = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-keys-")))
        self._signer = Signer("isthmus", own_keys.load(keys / "keys").private)

    def sample(self, number: int) -> None:
        chance = random.Random(number)
        for size, tiles in self._logs.items():
            note = signed(Checkpoint("isthmus", size, bytes(32)).text, self._signer)
            for _ in range(200):
                index = chance.randrange(size)
                began = time.perf_counter()
                proof = inclusion(tiles, index, size, size)
                self.found.setdefault(size, []).append(1_000 * (time.perf_counter() - began))
                self.bytes[size] = max(self.bytes.get(size, 0), len(str(Proof(index, proof, note))))

    def rows(self) -> Iterator[Row]:
        for size, found in self.found.items():
            yield Row(f"{size:,} entries: p50", share(found, 0.5), "ms", len(found))
            yield Row(f"{size:,} entries: p99", share(found, 0.99), "ms", len(found))
            yield Row(f"{size:,} entries: the proof as text", self.bytes[size], "bytes", len(found))

    def close(self) -> None:
        self._closing.close()


def _log(folder: Path, size: int) -> Tiles:
    """The tiles of a log of so many leaves, with no entries beside them."""
    tiles = Tiles(folder)
    for level, number, width in tiles_of(size):
        first = number * WIDTH
        if level == 0:
            hashes = [leaf_hash(one.to_bytes(8, "big")) for one in range(first, first + width)]
        else:
            below = range(first, first + width)
            hashes = [grown(hashes_in((folder / path_of(level - 1, one)).read_bytes())).root() for one in below]
        write_whole(folder / path_of(level, number, width), b"".join(hashes))
    return tiles


@dataclass
class Switch:
    """The kill switch thrown while cases are being opened in a system that takes 50 ms for each."""

    database: Database
    number: int
    title: str = "kill switch"
    found: list[dict[str, Any]] = field(default_factory=list)

    def sample(self, number: int) -> None:
        life = Life(self.database())
        self.found.append(life.ask("switch", number=self.number, slow=0.05, seed=600 + number))
        life.close()

    def rows(self) -> Iterator[Row]:
        worst = max(one["seconds"] for one in self.found)
        yield Row("thrown to the end of the last effect, worst", worst, "s", len(self.found), at_most=1.0)
        yield Row("effects done before it, of those wanted", _part(self.found), "x", sum(one["of"] for one in self.found))

    def close(self) -> None:
        """Nothing stays open."""


def _part(found: list[dict[str, Any]]) -> float:
    return float(sum(one["before"] for one in found) / sum(one["of"] for one in found))

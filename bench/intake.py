"""Durable intake: deliveries acknowledged a second, and how long each waited, beside a floor that does the least.

    python bench/intake.py [--number 4000] [--rounds 3] [--connections 1 16 64]

Floor and ours in one interleaved run, each in a process of its own, the same bytes, real HTTP. The floor compares the
secret, knows repeats and commits what waits in plain sqlite3; nothing else. Ratios are what counts: figures by themselves
are those of this machine at this load.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# The children import this folder by its name.
sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.firing import Fired, bodies, fire, request
from bench.intake_doors import SECRET

DOORS = Path(__file__).with_name("intake_doors.py")


@dataclass
class Served:
    """A server that runs: its port, and after the end its CPU seconds and largest memory in MiB."""

    port: int
    process: int = 0
    cpu: float = 0.0
    memory: int = 0


@dataclass
class Measured:
    """One kind at one number of connections, over the rounds."""

    rounds: list[Fired] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: int = 0

    def add(self, fired: Fired, served: Served) -> None:
        """One more round."""
        self.rounds.append(fired)
        self.cpu.append(1_000_000 * served.cpu / sum(fired.answers.values()))
        self.memory = max(self.memory, served.memory)

    def median(self, what: str) -> float:
        """Over the rounds: rate, p50, p99 (ms)."""
        shares = {"p50": 0.5, "p99": 0.99}
        found = [one.rate if what == "rate" else one.at(shares[what]) for one in self.rounds]
        return float(statistics.median(found))


@contextmanager
def serving(kind: str, folder: Path, *more: str) -> Iterator[Served]:
    """The server in a process of its own, ended with the block."""
    command = [sys.executable, str(DOORS), kind, str(folder), *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        served = Served(int(process.stdout.readline()), process.pid)
        try:
            yield served
        finally:
            process.stdin.close()
            spent = process.stdout.readline().split()
            if spent:
                served.cpu, served.memory = float(spent[0]), int(spent[1])


def measured(kind: str, connections: int, requests: list[bytes]) -> tuple[Fired, Served]:
    """One run on a fresh database, after a few to warm up."""
    with tempfile.TemporaryDirectory() as folder, serving(kind, Path(folder)) as served:
        fire(served.port, min(connections, 4), requests[:50])
        fired = fire(served.port, connections, requests[50:])
    assert set(fired.answers) == {202}, fired.answers
    return fired, served


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--number", type=int, default=4_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    given = asked.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; medians of {given.rounds} interleaved rounds")
    print(f"{'conns':>5} {'kind':>6} {'per s':>7} {'p50 ms':>7} {'p99 ms':>7} {'CPU us':>7} {'MiB':>5}")
    chance = random.Random(1)
    for connections in given.connections:
        number = given.number if connections > 1 else max(500, given.number // 5)
        found = {"floor": Measured(), "ours": Measured()}
        for _ in range(given.rounds):
            requests = [request(one, SECRET) for one in bodies(chance, number)]
            for kind, one in found.items():
                one.add(*measured(kind, connections, requests))
        for kind, one in found.items():
            rate, cpu = one.median("rate"), statistics.median(one.cpu)
            shown = f"{rate:7.0f} {one.median('p50'):7.1f} {one.median('p99'):7.1f} {cpu:7.0f} {one.memory:5d}"
            print(f"{connections:5d} {kind:>6} {shown}", flush=True)
        print(f"{'':5} ours over floor {found['ours'].median('rate') / found['floor'].median('rate'):.2f}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

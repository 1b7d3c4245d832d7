"""Deliveries nobody should send, over real HTTP, beside honest ones; then five hundred slow clients for a minute.

    python bench/deliveries.py [--number 200000] [--slow 500] [--seconds 60] [--seed 1]

Each kind is made out of a good delivery; an oracle that shares no code with the doors says from the bytes alone whether it
must be kept. Afterwards the database is compared with what it said, and every body that was kept is read: what is no sound
JSON must be rejected there. Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.deliveries_kept import digest, kept, misread
from bench.deliveries_kinds import GOOD, KINDS, REPLAY, Kind, Request
from bench.deliveries_oracle import expected
from bench.deliveries_slow import slow
from bench.intake import Served, serving

FIRING = Path(__file__).with_name("firing.py")
_AT_ONCE, _ON_ONE, _PATIENCE = 24, 40, 8.0
_REPLAYED, _GOOD = 0.03, 0.05


@dataclass
class Tally:
    """What came of all that was sent."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    allowed: set[bytes] = field(default_factory=set)
    promised: set[bytes] = field(default_factory=set)
    told: list[bytes] = field(default_factory=list)

    def add(self, kind: Kind, raw: bytes, answer: bytes) -> None:
        """One attempt. An answer is empty when the connection was closed without one."""
        body, status = expected(raw).body, int(answer[9:12]) if answer[9:12].isdigit() else 0
        self.answers[kind.name, status] += 1
        if body is not None:
            self.allowed.add(digest(body))
        if status >= 500:
            self.wrong.append(f"{kind.name}: answered {status}")
        if status == 202 and body is None:
            self.wrong.append(f"{kind.name}: accepted: {raw[:200]!r}")
        if status == 202 and body is not None:
            self.promised.add(digest(body))
        if body is not None and status != 202 and not kind.cut:
            self.wrong.append(f"{kind.name}: refused with {status} though nothing is wrong with it: {raw[:200]!r}")
        if kind is GOOD:
            self.told = [*self.told[-2_000:], raw]
        if kind is REPLAY and b'"repeated":true' not in answer:
            self.wrong.append("a replay was taken for a new delivery")


class Sender:
    """One of those who send, from an address that changes with every connection."""

    def __init__(self, port: int, chance: random.Random, tally: Tally) -> None:
        self._port, self._chance, self._tally = port, chance, tally
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0

    async def send(self, kind: Kind, raw: bytes) -> None:
        """Send it, wait for the answer if there is one to come, note what came of it."""
        if kind.alone or kind.cut or self._used >= _ON_ONE:
            await self._close()
        reader, writer = await self._opened()
        answer = b""
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            writer.write(raw)
            await writer.drain()
            if kind.cut:
                await asyncio.sleep(0.002)
            else:
                answer = await asyncio.wait_for(_answer(reader, raw.startswith(b"HEAD")), _PATIENCE)
        self._used += 1
        self._tally.add(kind, raw, answer)
        if kind.alone or kind.cut or not answer or b"connection: close" in answer.lower():
            await self._close()

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            chance = self._chance
            address = f"127.{chance.randrange(1, 250)}.{chance.randrange(250)}.{chance.randrange(1, 250)}"
            self._streams, self._used = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0)), 0
        return self._streams

    async def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with suppress(OSError):
                await self._streams[1].wait_closed()
            self._streams = None


async def _answer(reader: asyncio.StreamReader, bare: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((one.split(b":")[1] for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")), b"0")
    return head if bare else head + await reader.readexactly(int(length))


def _attempts(chance: random.Random, number: int, tally: Tally) -> Iterator[tuple[Kind, bytes]]:
    weights = [kind.weight for kind in KINDS]
    for turn, kind in enumerate(chance.choices(KINDS, weights, k=number)):
        drawn = chance.random()
        good = Request(_alert(chance))
        if drawn < _REPLAYED and tally.told:
            yield REPLAY, chance.choice(tally.told)
        elif drawn < _REPLAYED + _GOOD or turn < 20:
            yield GOOD, good.raw()
        else:
            yield kind, kind.make(good, chance).raw()


def _alert(chance: random.Random) -> bytes:
    issue = {"id": f"{chance.getrandbits(128):032x}", "status": "OPEN", "severity": "HIGH", "name": "bucket ü"}
    return json.dumps({"issue": issue, "text": "x" * chance.randrange(400)}, ensure_ascii=False).encode()


async def _storm(port: int, chance: random.Random, number: int, tally: Tally) -> None:
    attempts = _attempts(chance, number, tally)

    async def one() -> None:
        sender = Sender(port, chance, tally)
        for kind, raw in attempts:
            await sender.send(kind, raw)
        await sender._close()

    await asyncio.gather(*(one() for _ in range(_AT_ONCE)))


@contextmanager
def honest(port: int, seed: str) -> Iterator[dict[str, Any]]:
    """Honest deliveries from another process for as long as the block runs; then what came of them."""
    said: dict[str, Any] = {}
    command = [sys.executable, str(FIRING), str(port), seed]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield said
        finally:
            process.stdin.close()
            said.update(json.loads(process.stdout.readline() or "{}"))


def _memory(served: Served) -> float:
    """MiB of the server now."""
    status = Path(f"/proc/{served.process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1_024


@dataclass
class Lane:
    """One run: what is asked of it, what it found wrong."""

    number: int
    slow: int
    seconds: int
    tally: Tally = field(default_factory=Tally)
    wrong: list[str] = field(default_factory=list)

    def run(self, folder: str, chance: random.Random) -> None:
        """Honest ones alone, beside the storm, and beside slow clients."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, serving("ours", Path(folder)) as served:
            with honest(served.port, "quiet") as told:
                time.sleep(min(10, self.seconds))
            self._judge("alone", told)
            before, began = _memory(served), time.monotonic()
            with honest(served.port, "beside") as told:
                runner.run(_storm(served.port, chance, self.number, self.tally))
            self._judge("beside the storm", told)
            after = _memory(served)
            seconds = time.monotonic() - began
            print(f"{self.number} in {seconds:.0f} s; memory of the server {before:.0f} -> {after:.0f} MiB", flush=True)
            self.wrong += [f"memory grew by {after - before:.0f} MiB"] * (after - before > 100)
            with honest(served.port, "slow") as told:
                cut = runner.run(slow(served.port, self.slow, self.seconds))
            self._judge(f"beside {self.slow} slow", told)
            print(f"slow ones were cut off {cut} times")
            self.wrong += [f"honest p99 beside slow clients {told['p99']:.0f} ms"] * (told["p99"] > 500)

    def _judge(self, name: str, told: dict[str, Any]) -> None:
        answers = ", ".join(f"{status}: {number}" for status, number in told["answers"].items())
        times = f"p50 {told['p50']:6.1f} ms  p99 {told['p99']:7.1f} ms  most {told['most']:7.1f} ms"
        print(f"honest {name:20} {times}  {answers}  load {os.getloadavg()[0]:.1f}", flush=True)
        self.wrong += [
            f"honest, {name}: {many} answered {status}" for status, many in told["answers"].items() if status != "202"
        ]


def main() -> int:
    """Run the lane; the exit code."""
    asked = argparse.ArgumentParser(description=__doc__)
    for name, default in (("number", 200_000), ("slow", 500), ("seconds", 60), ("seed", 1)):
        asked.add_argument(f"--{name}", type=int, default=default)
    given = asked.parse_args()
    lane = Lane(given.number, given.slow, given.seconds)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(KINDS)} kinds, seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        lane.run(folder, random.Random(given.seed))
        wrong = lane.wrong + lane.tally.wrong + _kept(folder, lane.tally)
    statuses = Counter[int]()
    for (_, status), number in lane.tally.answers.items():
        statuses[status] += number
    print("answers", dict(sorted(statuses.items())), "(0: closed without one, or not waited for)")
    # One example for each thing that is wrong.
    by_start = {one[:40]: one for one in wrong}
    for start, example in by_start.items():
        print(f"WRONG {sum(one.startswith(start) for one in wrong)}x {example}")
    print("broken" if wrong else "every promise kept")
    return 1 if wrong else 0


def _kept(folder: str, tally: Tally) -> list[str]:
    """What is wrong with what lies in the database."""
    bodies = kept(Path(folder))
    own = {digest(body) for body in bodies if b'"sourceRule"' not in body}
    wrong = [f"{len(own - tally.allowed)} bodies were kept that nobody should keep"] * bool(own - tally.allowed)
    wrong += [f"{len(tally.promised - own)} that were acknowledged are not there"] * bool(tally.promised - own)
    read, rejected, bad = misread(body for body in bodies if b'"sourceRule"' not in body)
    print(f"kept {len(own)} of the storm; read again: {read} sound, {rejected} rejected")
    return wrong + bad


if __name__ == "__main__":
    sys.exit(main())

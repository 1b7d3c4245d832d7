"""Deliveries over real HTTP, many at once, and how long each took to be acknowledged.

    python bench/firing.py PORT SEED

sends honest ones at a steady pace from a process of its own, until its standard input ends, and prints what came of it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.intake_doors import SECRET

PAUSE = 0.02
"""Seconds between an answer and the next honest delivery on the same connection."""


@dataclass
class Fired:
    """What came of it: seconds by delivery, answers by status, seconds in all."""

    took: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Acknowledged deliveries a second."""
        return self.answers[202] / self.seconds

    def at(self, share: float) -> float:
        """The milliseconds within which this share was answered."""
        ordered = sorted(self.took)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection(asyncio.Protocol):
    """One request after the other on one connection."""

    def __init__(self, requests: Iterator[bytes], fired: Fired, done: asyncio.Future[None]) -> None:
        self._requests, self._fired, self._done = requests, fired, done
        self._buffer, self._began = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        self._fired.took.append(time.perf_counter() - self._began)
        self._fired.answers[int(self._buffer[9:12])] += 1
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self._done.done():
            self._done.set_result(None)


async def _all(port: int, connections: int, requests: Iterator[bytes]) -> Fired:
    loop, fired = asyncio.get_running_loop(), Fired()
    began, ended = time.perf_counter(), []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        ended.append(done)
        await loop.create_connection(lambda done=done: _Connection(requests, fired, done), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ended)
    fired.seconds = time.perf_counter() - began
    return fired


def fire(port: int, connections: int, requests: Sequence[bytes]) -> Fired:
    """Send these over so many connections, each waiting for its answer."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_all(port, connections, iter(requests)))


def bodies(chance: random.Random, number: int) -> list[bytes]:
    """Issues as Wiz tells them, each its own, 3 to 4 KB."""
    return [json.dumps(_issue(chance)).encode() for _ in range(number)]


def _issue(chance: random.Random) -> dict[str, object]:
    name = f"{chance.getrandbits(128):032x}"
    words = " ".join(f"{chance.getrandbits(32):08x}" for _ in range(40))
    resource = {
        "id": f"{chance.getrandbits(128):032x}",
        "name": f"bucket-{name[:8]}",
        "type": "BUCKET",
        "providerId": f"arn:aws:s3:::tidewater-{name[:12]}",
        "cloudPlatform": "AWS",
        "region": "eu-west-1",
        "subscriptionExternalId": f"{chance.randrange(10**11, 10**12)}",
        "tags": {f"tag-{one}": f"value {chance.randrange(1_000)}" for one in range(20)},
    }
    notes = [{"text": "What the platform writes about it. " * 6, "at": "2026-03-02T11:00:00Z"} for _ in range(6)]
    return {
        "issue": {"id": name, "status": "OPEN", "severity": chance.choice(["LOW", "MEDIUM", "HIGH", "CRITICAL"])},
        "sourceRule": {"id": f"wc-id-{chance.randrange(900)}", "name": "Bucket is public"},
        "resource": resource,
        "description": words,
        "notes": notes,
    }


def request(body: bytes, secret: str, path: str = "/in/wiz-prod", kind: str = "application/json") -> bytes:
    """One delivery as it goes over the wire."""
    lines = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nContent-Type: {kind}\r\n"
    return lines.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


class _Steady(_Connection):
    """Waits a little before each."""

    def _next(self) -> None:
        asyncio.get_running_loop().call_later(PAUSE, super()._next)


async def _steadily(port: int, requests: Iterator[bytes]) -> Fired:
    loop, fired = asyncio.get_running_loop(), Fired()
    ended = []
    for _ in range(4):
        done: asyncio.Future[None] = loop.create_future()
        ended.append(done)
        await loop.create_connection(lambda done=done: _Steady(requests, fired, done), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ended)
    return fired


def main() -> None:
    """Honest deliveries until told to stop; then times and answers as one line of JSON."""
    port, chance, stop = int(sys.argv[1]), random.Random(sys.argv[2]), threading.Event()

    def until_told() -> None:
        sys.stdin.read()
        stop.set()

    def requests() -> Iterator[bytes]:
        while not stop.is_set():
            yield request(bodies(chance, 1)[0], SECRET)

    threading.Thread(target=until_told, daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        fired = runner.run(_steadily(port, requests()))
    said = {"answers": fired.answers, "p50": fired.at(0.5), "p99": fired.at(0.99), "most": fired.at(1)}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()

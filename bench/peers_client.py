"""What delivers to a peer and what takes its tickets: who was acknowledged and when, and when each ticket came."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvloop

Told = tuple[str, bytes]
"""The id of an alert, and the request that delivers it."""


@dataclass
class Sent:
    """By id, on a clock that only goes on: when it was sent, when acknowledged. `answers` is by status."""

    sent: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    def waits(self) -> list[float]:
        """Milliseconds from sending to acknowledgement."""
        return [1_000 * (self.acknowledged[one] - self.sent[one]) for one in self.acknowledged]


class _Connection(asyncio.Protocol):
    """One delivery after the other on one connection, until there are none or the other side goes away."""

    def __init__(self, told: Iterator[Told], sent: Sent, done: asyncio.Future[None]) -> None:
        self._told, self._sent, self._done = told, sent, done
        self._buffer, self._id = b"", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def _next(self) -> None:
        following = next(self._told, None)
        if following is None:
            self._transport.close()
            return
        self._id, request = following
        self._sent.sent[self._id] = time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = int(self._buffer[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._sent.answers[status] += 1
        if status // 100 == 2:
            self._sent.acknowledged[self._id] = time.monotonic()
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        if not self._done.done():
            self._done.set_result(None)


async def _all(port: int, connections: int, told: Iterator[Told]) -> Sent:
    loop, sent = asyncio.get_running_loop(), Sent()
    began, ended = time.monotonic(), list[asyncio.Future[None]]()
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        ended.append(done)
        await loop.create_connection(lambda done=done: _Connection(told, sent, done), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ended)
    sent.seconds = time.monotonic() - began
    return sent


def send(port: int, connections: int, told: Sequence[Told]) -> Sent:
    """Deliver these; what came of them, also when the other side dies in the middle."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_all(port, connections, iter(told)))


class Tickets:
    """A ticket system that answers at once: when each ticket came first, by the id of its alert, and how often."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.times: Counter[str] = Counter()
        self.port = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take tickets while the block runs."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _taking(self))
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def until(self, number: int, quiet: float) -> None:
        """Wait for so many, or until none came for so many seconds."""
        last, since = -1, time.monotonic()
        while len(self.came) < number:
            if len(self.came) != last:
                last, since = len(self.came), time.monotonic()
            if time.monotonic() > since + quiet:
                return
            time.sleep(0.05)


def _taking(tickets: Tickets) -> type[BaseHTTPRequestHandler]:
    class Taking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            own = str(json.loads(body)["id"])
            tickets.came.setdefault(own, time.monotonic())
            tickets.times[own] += 1
            answer = b'{"ok":true}'
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing is said of each."""

    return Taking

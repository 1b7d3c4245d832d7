"""Connections, before there is a request: how many, how long a head may take, how large it may be.

uvicorn with httptools knows none of these limits: a head may come a byte a minute and never end. They are set here, at
the one place that sees the bytes. What is left to whoever stands in front: a TLS handshake has the sixty seconds of the
event loop, and behind a proxy every connection is the proxy's, so that connections by address are the proxy's to limit.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isthmus.doors.limits import Limits
from isthmus.doors.pace import network

_SHARE_OF_FILES = 2
"""One descriptor in so many may be a connection: databases and platforms need some too."""


class Register:
    """The connections that are open, in all and by address."""

    def __init__(self, limits: Limits, by_address: bool) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = min(limits.all_connections, files // _SHARE_OF_FILES) if files > 0 else limits.all_connections
        self._of_one = limits.connections if by_address else self._most
        self._open: Counter[str] = Counter()
        self._all = 0

    def let_in(self, address: str) -> bool:
        """Whether one more may be open from there; it is then counted until `leave`."""
        if self._all >= self._most or self._open[address] >= self._of_one:
            return False
        self._all += 1
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """It is closed."""
        self._all -= 1
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    """In place of the application, for a request whose head is too large."""
    del scope, receive
    body = b'{"error":{"code":"too_large","message":"the head of the request is too large","request_id":""}}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Bounded(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, with limits before the application is asked. Made by `bounded`."""

    limits: Limits
    register: Register
    _address: str | None = None
    _waits: asyncio.TimerHandle | None = None
    _head, _refused = 0, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counted, and given a few seconds to begin; or turned away."""
        super().connection_made(transport)
        address = network(self.client[0]) if self.client else ""
        if self.register.let_in(address):
            self._address = address
            self._wait()
        else:
            self._end(b"503 Service Unavailable\r\nretry-after: 5")

    def connection_lost(self, exc: Exception | None) -> None:
        """Counted out."""
        if self._address is not None:
            self.register.leave(self._address)
            self._address = None
        self._begun()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A head that is not yet whole is counted by its bytes."""
        if self._refused:
            return
        # Bytes that begin no request (blank lines) are waited on as those that do.
        if self._idle():
            self._wait()
        if self._waits is not None:
            self._head += len(data)
        super().data_received(data)
        if self._waits is not None and self._head > self.limits.header_bytes:
            self._end(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """A head is whole: small enough for the application, or answered without it."""
        self._begun()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        plain = self.app
        if size > self.limits.header_bytes or len(self.headers) > self.limits.headers:
            self.app = _too_large
        try:
            super().on_headers_complete()
        finally:
            self.app = plain

    def _idle(self) -> bool:
        # uvicorn says that there always is one; before the first request there is none.
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _wait(self) -> None:
        if self._waits is None:
            self._waits = self.loop.call_later(self.limits.header_seconds, self._late)

    def _begun(self) -> None:
        self._head = 0
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _late(self) -> None:
        self._waits = None
        if self._idle():
            self._end(b"408 Request Timeout")
        else:
            # The answer before is still under way; what comes after it is waited on anew.
            self._wait()

    def _end(self, said: bytes) -> None:
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + said + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()


def bounded(limits: Limits, by_address: bool = True) -> type[asyncio.Protocol]:
    """What uvicorn takes as `http`. Without `by_address` (behind a proxy) only all connections together are limited."""
    register = Register(limits, by_address)
    made: dict[str, Any] = {"limits": limits, "register": register}
    return type("Bounded", (Bounded,), made)

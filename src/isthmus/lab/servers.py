"""Runs simulated platforms as real servers over TLS on 127.0.0.1, with faults to order."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from isthmus.model.errors import IsthmusError, Refused

try:
    import trustme
except ModuleNotFoundError:
    # The product is installed without the simulated company; only whoever asks for it needs more.
    trustme = None  # type: ignore[assignment]

_PATIENCE = 15.0


@dataclass
class Faults:
    """What goes wrong next: each request takes one fault from the front, until none is left.

    A fault is a status (`429`, `503`), `"hang"` (answers after `hang` seconds), `"html"` (200 with a page), `"empty"`,
    `"truncated"`, `"reset"` (the connection dies before anything is done), or `"reset-after"` (it dies after the work).
    `calls` is every request that came in, as `METHOD /path`; `only` limits faults to paths that contain it.
    """

    next: deque[int | str] = field(default_factory=deque)
    always: int | str | None = None
    only: str = ""
    hang: float = 3.0
    calls: list[str] = field(default_factory=list)

    def take(self, path: str) -> int | str | None:
        if self.only not in path:
            return None
        return self.next.popleft() if self.next else self.always


class _Faulty:
    """ASGI in front of a simulated platform."""

    def __init__(self, app: Any, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._faults.calls.append(f"{scope['method']} {scope['path']}")
        fault = self._faults.take(scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        elif fault == "reset-after":
            await self._app(scope, receive, _Swallow())
            await _cut(scope, send)
        elif fault == "reset":
            await _cut(scope, send)
        else:
            await self._wrong(fault, scope, receive, send)

    async def _wrong(self, fault: int | str, scope: Any, receive: Any, send: Any) -> None:
        if fault == "hang":
            await asyncio.sleep(self._faults.hang)
            await self._app(scope, receive, send)
            return
        status = fault if isinstance(fault, int) else 200
        body = {"html": b"<html><body>maintenance</body></html>", "truncated": b'{"result": [{"sys'}.get(str(fault), b"")
        headers = [(b"content-type", b"text/html" if fault == "html" else b"application/json")]
        if status == 429:
            headers.append((b"retry-after", b"0"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Swallow:
    async def __call__(self, message: Any) -> None:
        del message


async def _cut(scope: Any, send: Any) -> None:
    """Promise more than is sent, so that the connection is closed in the middle."""
    del scope
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100000")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": False})


class Town:
    """A certificate authority and the servers that trust grows on; closing it ends them all."""

    def __init__(self, folder: Path) -> None:
        if trustme is None:
            raise Refused("the simulated company needs more than the product: install isthmus[lab] (make demo does)")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        self._cert, self._key = folder / "server.pem", folder / "server.key"
        self._cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(str(self._key))
        self._key.chmod(0o600)
        self._running = ExitStack()

    def secret(self, name: str, value: str) -> str:
        """Store a secret in a file only its owner reads; returns the reference to it."""
        path = self._folder.resolve() / "secrets" / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
        return f"file:{path}"

    def serve(self, app: Any, faults: Faults | None = None, port: int = 0) -> str:
        """Start a server and return its origin, such as `https://127.0.0.1:40001`."""
        return self._running.enter_context(_server(_Faulty(app, faults or Faults()), port, self._cert, self._key))

    def close(self) -> None:
        """End every server."""
        self._running.close()

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _server(app: Any, port: int, cert: Path, key: Path) -> Iterator[str]:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, ssl_certfile=str(cert), ssl_keyfile=str(key), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True, name="simulated platform")
        thread.start()
        began = time.monotonic()
        while not server.started:
            if time.monotonic() - began > _PATIENCE:
                raise IsthmusError("a simulated platform did not start")
            time.sleep(0.01)
        try:
            yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_PATIENCE)

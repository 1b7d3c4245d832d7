"""What the outside keeps of a run: the world it made, and every change that came in over the network, in its own words."""

from __future__ import annotations

import http.client
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_READS = ("Describe", "Get", "List", "AssumeRole")


@dataclass(frozen=True, slots=True)
class Effect:
    """A change somebody made to us: where, what, on what, how many entries the ledger had before, and to which group."""

    system: str
    action: str
    subject: str
    ledger: int
    group: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook its platform repeats until it is taken."""

    path: str
    headers: dict[str, str]
    body: str
    source_id: str


@dataclass
class Host:
    """An instance with two interfaces in a VPC of its own, and another one beside it that nobody may touch.

    `group` is the one all of them are in at first.
    """

    account: str
    instance: str
    vpc: str
    group: str
    interfaces: tuple[str, ...]
    beside: tuple[str, ...]


@dataclass
class Scene:
    """One fresh world: what exists, what will be told, and what was seen to happen.

    `taken` are the deliveries that were answered 202, `agreed` the plan hashes a person said yes to, `ordered` the
    containments a person wanted taken back, each as far as they were told that it was taken: none is said a second time.
    """

    data: Path
    settings: Path
    hosts: dict[str, Host]
    pulled: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    snow: Any
    taken: set[int] = field(default_factory=set)
    agreed: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)

    def entries(self) -> int:
        """How long the ledger is on disk at this moment."""
        with closing(sqlite3.connect(f"file:{self.data / 'isthmus.db'}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT size FROM ledger_head").fetchone()
        return int(row[0]) if row else 0


class Front:
    """ASGI that leads to the platform of the present scene, and notes what is written there."""

    def __init__(self, noted: Callable[[str, str, bytes, int], None], entries: Callable[[], int]) -> None:
        self.app: Any = None
        self._noted, self._entries = noted, entries

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in {"POST", "PATCH", "PUT", "DELETE"}:
            await self.app(scope, receive, send)
            return
        before, body, status = self._entries(), bytearray(), list[int]()

        async def heard() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def said(message: Any) -> None:
            status.extend([message["status"]] if "status" in message else [])
            await send(message)

        await self.app(scope, heard, said)
        if status and status[0] < 300:
            self._noted(scope["method"], scope["path"], bytes(body), before)


class _Call(BaseHTTPRequestHandler):
    """In front of moto: every call goes on as it came; those that change something are noted first."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        """AWS's query protocol, which is all that is spoken here."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        said = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        assert isinstance(self.server, Proxy)
        changes = not said.get("Action", "").startswith(_READS)
        before = self.server.entries() if changes else 0
        status, headers, answer = self._passed_on(self.server.origin, body)
        if changes:
            self.server.noted(said, status, before)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection", "content-length", "server", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _passed_on(self, origin: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with closing(http.client.HTTPConnection(str(urlsplit(origin).netloc), timeout=30)) as moto:
            moto.request("POST", self.path, body, dict(self.headers.items()))
            answer = moto.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def log_message(self, *_: Any) -> None:
        """Nothing: what matters is noted."""


class Proxy(ThreadingHTTPServer):
    """Listens on a free port. `noted` gets a call that changed something, AWS's status, and the ledger's length before it."""

    daemon_threads = True

    def __init__(self, origin: str, entries: Callable[[], int], noted: Callable[[dict[str, str], int, int], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.origin, self.entries, self.noted = origin, entries, noted

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is what happens when lives end; anything else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

"""What the outside keeps of a run: the world it made, and every change that came in over the network, in its own words."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.kills_books import Books
from bench.kills_watch import SENDER
from sqlalchemy import URL

_READS = ("Describe", "Get", "List", "AssumeRole")


@dataclass(frozen=True, slots=True)
class Moment:
    """What the product's database said when a call came in, and who made the call."""

    ledger: int
    sender: str
    holders: dict[str, str]


@dataclass(frozen=True, slots=True)
class Effect:
    """A change somebody made to us: where, what, on what, how many entries the ledger had before, and to which group
    or, by digest, with which words.

    `sender` is the life that sent it, `holders` which life held which incident when it came in.
    """

    system: str
    action: str
    subject: str
    ledger: int
    group: str = ""
    sender: str = ""
    holders: dict[str, str] = field(default_factory=dict)


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
    `notes` are checkpoints that were given away.
    """

    data: Path
    settings: Path
    hosts: dict[str, Host]
    pulled: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    snow: Any
    books: Books
    url: URL | None = None
    taken: set[int] = field(default_factory=set)
    agreed: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    def given_away(self) -> None:
        """Keep the checkpoint that everybody can read just now: whatever comes later has to lead on from it."""
        with suppress(FileNotFoundError):
            self.notes.add((self.data / "log" / "checkpoint").read_text(encoding="utf-8"))


class Front:
    """ASGI that leads to the platform of the present scene, and notes what is written there."""

    def __init__(self, noted: Callable[[str, str, bytes, Moment], None], moment: Callable[[str], Moment]) -> None:
        self.app: Any = None
        self._noted, self._moment = noted, moment

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in {"POST", "PATCH", "PUT", "DELETE"}:
            await self.app(scope, receive, send)
            return
        sender = next((value.decode() for name, value in scope["headers"] if name == SENDER.encode()), "")
        before, body, status = self._moment(sender), bytearray(), list[int]()

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
        before = self.server.moment(self.headers.get(SENDER, "")) if changes else None
        status, headers, answer = self._passed_on(self.server.origin, body)
        if before is not None:
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
    """Listens on a free port. `noted` gets a call that changed something, AWS's status, and the moment it came in."""

    daemon_threads = True

    def __init__(
        self, origin: str, moment: Callable[[str], Moment], noted: Callable[[dict[str, str], int, Moment], None]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.origin, self.moment, self.noted = origin, moment, noted

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is what happens when lives end; anything else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

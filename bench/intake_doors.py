"""The server `intake.py` and `deliveries.py` measure, as a process of its own: our doors, or the bare floor.

    python bench/intake_doors.py ours|floor FOLDER

Prints its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import logging
import resource
import socket
import sqlite3
import sys
import threading
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from isthmus.connectors.wiz import CONNECTOR as WIZ
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Secret
from isthmus.desk.desk import Desk
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.words import Words
from isthmus.doors.app import create
from isthmus.doors.connections import bounded
from isthmus.doors.limits import Limits
from isthmus.record.checkpoints import Signer
from isthmus.record.store import open_store

SECRET = "a secret of forty-three letters, more or less"  # noqa: S105 - of a server that lives for a minute
NAMES = ("wiz-prod", "wiz-other", "wiz-third")
IN_PATH = "in-path"
"""An instance whose platform can send no header: the secret stands in its path."""


class Floor:
    """The least that is durable: the secret compared, repeats known, one commit for all that waits. Plain sqlite3."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "floor.db", isolation_level=None, check_same_thread=False)
        for line in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE IF NOT EXISTS seen(digest BLOB PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS segments(id INTEGER PRIMARY KEY, data BLOB)",
        ):
            self._database.execute(line)
        self._waiting: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """A delivery, authenticated and kept."""
        if scope["type"] != "http":
            return
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        ok = hmac.compare_digest(hashlib.sha256(shown).digest(), hashlib.sha256(b"Bearer " + SECRET.encode()).digest())
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        if ok:
            await self._put(body)
        answer = b'{"accepted":true}'
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 202 if ok else 401, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _put(self, body: bytes) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answer))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._store, [body for body, _ in batch])
            for _, answer in batch:
                answer.set_result(True)
        self._writer = None

    def _store(self, bodies: list[bytes]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        digests = [(hashlib.sha256(one).digest(),) for one in bodies]
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", digests)
        self._database.execute("INSERT INTO segments(data) VALUES (?)", (zlib.compress(b"\n".join(bodies), 1),))
        self._database.execute("COMMIT")


def ours(folder: Path) -> Any:
    """The real doors over a real desk."""
    store = open_store(folder)
    connected = [Instance(name, "default", WIZ, Roles(), webhook_secret=Secret(SECRET)) for name in NAMES]
    if WIZ.webhook is not None:
        plain = replace(WIZ, webhook=replace(WIZ.webhook, in_path=True))
        connected.append(Instance(IN_PATH, "default", plain, Roles(), webhook_secret=Secret(SECRET)))
    desk = Desk(store, Instances(connected), Words(store), Signer("isthmus", store.keys.private).key)
    # Nobody reads here: the inbox must hold a whole lane.
    return create(desk, lambda: datetime.now(UTC), lambda: None, replace(Limits(), inbox=10_000_000))


def main() -> None:
    """Serve until standard input ends; say at the end what it cost."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    logging.disable(logging.CRITICAL)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(2_048)
        app = Floor(folder) if kind == "floor" else ours(folder)
        http: Any = "auto" if kind == "floor" else bounded(Limits())
        quiet: dict[str, Any] = {"access_log": False, "log_config": None, "server_header": False, "ws": "none"}
        config = uvicorn.Config(app, http=http, timeout_graceful_shutdown=1, **quiet)
        server = uvicorn.Server(config)

        def until_told() -> None:
            sys.stdin.read()
            server.should_exit = True

        # What was made at the start stays: looking through it for rubbish stops everybody for a tenth of a second.
        gc.collect()
        gc.freeze()
        threading.Thread(target=until_told, daemon=True).start()
        print(listening.getsockname()[1], flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF)
        server.run(sockets=[listening])
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{spent:.3f} {after.ru_maxrss // 1024}", flush=True)


if __name__ == "__main__":
    main()

"""A server to deliver to, in a process of its own: the bare floor, our doors alone, or doors with everything behind them.

    python bench/line_doors.py floor|doors|line FOLDER SEED NUMBER GRAVE [DATABASE [TICKETS]]

It knows the alerts it will be told of (they follow from SEED), so that the platform can be asked back about them. Cases
are also posted to the port TICKETS. Prints its port, and answers each line on standard input with what it has cost so
far; `finish` makes it work everything off first, and say what came of it. It ends with its standard input.
"""

from __future__ import annotations

import json
import logging
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from bench.intake_doors import Floor
from bench.line_alerts import GRAVE, body, findings, grave
from bench.line_yard import Yard
from sqlalchemy import select
from sqlalchemy.engine import make_url
from tests.desk.site import PROD

from isthmus.doors.app import create
from isthmus.doors.limits import Limits
from isthmus.doors.pace import Pace
from isthmus.model.findings import Finding
from isthmus.record import findings as kept_findings
from isthmus.record.schema import FINDINGS, INBOX, INCIDENTS

_WIDE = Limits(inbox=1_000_000, instance=Pace(1_000_000, 1_000_000))
"""What is measured is how fast it is, not how soon it slows others down."""
_PATIENCE = 3_600.0


def told(seed: int, number: int, gravely: int) -> list[Finding]:
    """What is delivered: so many alerts, among them so many attacks, evenly spread."""
    plain = list(findings(seed, number, 20))
    every = max(1, number // max(gravely, 1))
    for one in range(min(gravely, number)):
        plain[one * every] = grave(seed, one, PROD)
    return plain


class Ours:
    """The doors over a yard, and behind them the worker, when there is one."""

    def __init__(self, given: list[str]) -> None:
        self.kind, folder = given[0], Path(given[1])
        database, tickets = (*given[5:], "", "")[:2]
        self.yard = Yard(folder, make_url(database) if database else None)
        self.yard.cases.port = int(tickets or 0)
        bodies = {one.source_id: body(one) for one in told(*(int(one) for one in given[2:5]))}
        self.yard.platform.bodies = bodies
        self._wake: Any = lambda: None
        self.app = create(self.yard.desk, lambda: datetime.now(UTC), lambda: self._wake(), _WIDE)

    @contextmanager
    def working(self) -> Iterator[None]:
        """With the worker, if this kind has one."""
        if self.kind == "doors":
            yield
            return
        with self.yard.working() as worker:
            self._wake = worker.wake
            yield

    def finished(self) -> dict[str, Any]:
        """Wait until everything is worked off; then what came of it."""
        began = time.monotonic()
        while self.kind == "line" and self._busy() and time.monotonic() < began + _PATIENCE:
            time.sleep(0.1)
        return {"drained": time.monotonic() - began, "ages": self._ages(), **self.yard.stored()}

    def _busy(self) -> bool:
        with self.yard.store.reading() as connection:
            if connection.execute(select(INBOX.c.id).limit(1)).first() is not None:
                return True
            waiting = select(INCIDENTS.c.id).where(INCIDENTS.c.state == "new").limit(1)
            return connection.execute(waiting).first() is not None or self.yard.busy()

    def _ages(self) -> list[float]:
        """For each attack: seconds from when it was received to when its case was opened; -1 for one that has none."""
        ages = []
        with self.yard.store.reading() as connection:
            rows = connection.execute(select(FINDINGS).where(FINDINGS.c.key.contains(GRAVE))).all()
        for row in rows:
            came = self.yard.cases.came.get(f"default/{row.incident}")
            received = kept_findings._kept(row).telling
            first = min(one.times.received for one in (received.hint, received.full) if one and one.times.received)
            ages.append((came - first).total_seconds() if came else -1.0)
        return ages


def main() -> None:
    """Serve until standard input ends."""
    logging.disable(logging.CRITICAL)
    given = sys.argv[1:]
    ours = Ours(given) if given[0] != "floor" else None
    app: Any = ours.app if ours else Floor(Path(given[1]))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(2_048)
        config = uvicorn.Config(app, access_log=False, log_config=None, server_header=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        threading.Thread(target=_until_told, args=(server, ours), daemon=True).start()
        print(listening.getsockname()[1], flush=True)
        if ours is None:
            server.run(sockets=[listening])
            return
        with ours.working():
            server.run(sockets=[listening])


def _until_told(server: uvicorn.Server, ours: Ours | None) -> None:
    for line in sys.stdin:
        found = ours.finished() if ours and line.strip() == "finish" else {}
        spent = resource.getrusage(resource.RUSAGE_SELF)
        cost = {"cpu": spent.ru_utime + spent.ru_stime, "mib": spent.ru_maxrss / 1024}
        print(json.dumps({**found, **cost}), flush=True)
    server.should_exit = True


if __name__ == "__main__":
    main()

"""One installation in a process of its own, which measures what it is asked to: a line of JSON in, a line of JSON out.

    python bench/line_life.py FOLDER DATABASE POLICIES

DATABASE empty is SQLite; POLICIES 0 is the lab's own bundle, more is that bundle with others that never match.
"""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.intake_doors import Floor
from bench.line_alerts import NOW, body, findings, grave
from bench.line_seed import clone, seed_findings
from bench.line_yard import Yard
from sqlalchemy import select
from sqlalchemy.engine import make_url
from tests.desk.site import DEV, PROD

from isthmus.decide import bundle as bundles
from isthmus.desk.sorting import Sorting
from isthmus.lab.world import POLICY
from isthmus.record import ledger
from isthmus.record.ledger import Entry
from isthmus.record.schema import FINDINGS

BATCH = 16
_ROWS = "CREATE TABLE IF NOT EXISTS entries(id INTEGER PRIMARY KEY, data BLOB)"
_NEVER = """
// Never so: a score goes to a hundred.
@id("never-{number}")
permit (principal == Agent::"isthmus", action in Action::"contain", resource)
when {{ context.score > 100 && resource.owner == "team-{number}" && context.approvals >= 1 }};
"""


class Life:
    """What may be asked: each public method is a question."""

    def __init__(self, folder: Path, database: str, policies: int) -> None:
        self._folder = folder
        policy = _bundle(folder / "policy", policies) if policies else POLICY
        self.yard = Yard(folder / "data", make_url(database) if database else None, policy)
        self._floor: Floor | None = None

    def seed(self, findings: int = 0, waiting: int = 0, open: int = 0) -> dict[str, Any]:  # noqa: A002 - a question's word
        """An installation with so much in it."""
        began = time.monotonic()
        self.yard.accept([body(grave(3, one, DEV)) for one in range(5)])
        self.yard.read()
        self.yard.carry()
        if findings:
            seed_findings(self.yard.store, findings, Sorting(self.yard.store, frozenset()).mark)
        for home, number in ((PROD, waiting), (DEV, open)):
            if number:
                clone(self.yard.store, self._pattern(home), number)
        if self.yard.store.shared:
            _analysed(self.yard)
        return {"seconds": time.monotonic() - began, **self.yard.stored()}

    def _pattern(self, home: str) -> str:
        """An attack on a machine of this account, as far as the line brings it: in PROD it waits for an approval."""
        attack = grave(7, 0 if home == PROD else 1, home)
        self.yard.accept([body(attack)])
        self.yard.read()
        self.yard.carry()
        with self.yard.store.reading() as connection:
            own = FINDINGS.c.key.endswith(attack.source_id)
            return str(connection.execute(select(FINDINGS.c.incident).where(own)).scalar_one())

    def further(self, number: int, seed: int, accounts: int = 20) -> dict[str, Any]:
        """So many alerts more, through the whole line. Milliseconds of CPU an alert, and seconds by phase."""
        bodies = [body(one) for one in findings(seed, number, accounts)]
        before, cpu, marks = self.yard.stored(), time.process_time(), [time.monotonic()]
        self.yard.accept(bodies, BATCH)
        marks.append(time.monotonic())
        for do in (self.yard.read, self.yard.carry):
            do()
            marks.append(time.monotonic())
        spent = time.process_time() - cpu
        after = self.yard.stored()
        phases = [later - earlier for earlier, later in pairwise(marks)]
        grown = {f"more_{name}": after[name] - before[name] for name in after}
        phased = dict(zip(("accept", "read", "carry"), phases, strict=True))
        size = sum(map(len, bodies)) / number
        return {"cpu_ms": 1_000 * spent / number, "seconds": sum(phases), "body": size, **phased, **grown, **_memory()}

    def floor(self, number: int, seed: int) -> dict[str, Any]:
        """The same bytes into plain sqlite3, each known by its digest, as many to a commit."""
        self._floor = self._floor or Floor(self._folder)
        bodies = [body(one) for one in findings(seed, number, 20)]
        cpu, began = time.process_time(), time.monotonic()
        for start in range(0, number, BATCH):
            self._floor._store(bodies[start : start + BATCH])
        return {"cpu_ms": 1_000 * (time.process_time() - cpu) / number, "seconds": time.monotonic() - began}

    def idle(self, seconds: float) -> dict[str, Any]:
        """The worker and the watch with nothing due: milliseconds of CPU a second."""
        with self.yard.working():
            time.sleep(1.5)
            cpu, began = time.process_time(), time.monotonic()
            time.sleep(seconds)
            return {"cpu_ms": 1_000 * (time.process_time() - cpu) / (time.monotonic() - began)}

    def extend(self, batch: int, number: int) -> dict[str, Any]:
        """Entries of the ledger, so many to a transaction."""
        told = {"round": 1, "step": 0, "ability": "case.open", "digest": "0" * 64}
        entries = [Entry("default", "isthmus", "step.outcome", "INC-0011223344556677", told, NOW)] * batch
        cpu, began = time.process_time(), time.monotonic()
        for _ in range(0, number, batch):
            with self.yard.store.writing() as connection:
                ledger.extend(connection, entries)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        written = batch * len(range(0, number, batch))
        return {"rate": written / seconds, "cpu_ms": 1_000 * cpu / written, "number": written}

    def extend_floor(self, batch: int, number: int) -> dict[str, Any]:
        """Rows of the same size into plain sqlite3, so many to a transaction."""
        with closing(sqlite3.connect(self._folder / "entries.db", isolation_level=None)) as database:
            for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _ROWS):
                database.execute(line)
            began = time.monotonic()
            for _ in range(0, number, batch):
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT INTO entries(data) VALUES (?)", [(random.randbytes(600),)] * batch)
                database.execute("COMMIT")
            return {"rate": batch * len(range(0, number, batch)) / (time.monotonic() - began)}

    def switch(self, number: int, slow: float, seed: int) -> dict[str, Any]:
        """The kill switch thrown while so many cases are being opened: seconds until the last effect began."""
        self.yard.accept([body(grave(seed, one, DEV)) for one in range(number)])
        self.yard.read()
        self.yard.cases.slow, self.yard.cases.times = slow, []
        thrown: list[float] = []
        stopping = threading.Thread(target=self._throw, args=(number // 4, thrown))
        stopping.start()
        self.yard.carry()
        stopping.join()
        ended = [one + slow for one in self.yard.cases.times]
        (self.yard.kill / "effects").unlink()
        self.yard.cases.slow = 0.0
        last = max(ended) - thrown[0]
        return {"seconds": max(0.0, last), "before": sum(one < thrown[0] for one in ended), "of": number}

    def _throw(self, after: int, thrown: list[float]) -> None:
        while len(self.yard.cases.times) < after:
            time.sleep(0.002)
        (self.yard.kill / "effects").write_text("bench", encoding="utf-8")
        thrown.append(time.monotonic())

    def memory(self) -> dict[str, Any]:
        """What this process holds and has held."""
        return _memory()


def _bundle(folder: Path, number: int) -> Path:
    shutil.copytree(POLICY, folder)
    own = len(bundles.load(POLICY).rules)
    more = [_NEVER.format(number=one) for one in range(number - own)]
    (folder / "more.cedar").write_text("\n".join(more), encoding="utf-8")
    return folder


def _memory() -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"mib": pages * os.sysconf("SC_PAGE_SIZE") / 2**20, "peak_mib": peak}


def _analysed(yard: Yard) -> None:
    with yard.store.writing() as connection:
        connection.exec_driver_sql("ANALYZE")


def main() -> None:
    """Answer until standard input ends."""
    logging.disable(logging.CRITICAL)
    random.seed(1)
    life = Life(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print(json.dumps({"ready": datetime.now(UTC).isoformat()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer: Callable[..., dict[str, Any]] = getattr(life, asked.pop("do"))
        print(json.dumps(answer(**asked)), flush=True)
    life.yard.store.close()


if __name__ == "__main__":
    main()

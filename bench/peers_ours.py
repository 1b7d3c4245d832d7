"""Ours among the peers: the bare floor, and doors with the whole line behind them, on SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.peers_servers import Peer

_HERE = Path(__file__).parent


class _Script(Peer):
    """`line_doors.py`, which says its port and answers questions."""

    kind, path = "", "/in/wiz-main"

    def __init__(self, folder: Path, tickets: int, seed: int, number: int) -> None:
        super().__init__(folder, tickets)
        self._seed, self._number = str(seed), str(number)

    def start(self) -> None:
        told = self._seed, self._number, self._number, "", str(self.tickets)
        command = [sys.executable, str(_HERE / "line_doors.py"), self.kind, str(self.folder), *told]
        environment = {**os.environ, "PYTHONPATH": f"{_HERE.parent}:{_HERE}"}
        self._running = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._process = self._running  # type: ignore[assignment]
        assert self._running.stdout is not None
        self.port = int(self._running.stdout.readline())

    def settled(self) -> None:
        assert self._running.stdin is not None and self._running.stdout is not None
        self._running.stdin.write("finish\n")
        self._running.stdin.flush()
        self.found: dict[str, Any] = json.loads(self._running.stdout.readline())

    def kill(self) -> None:
        super().kill()
        for stream in (self._running.stdin, self._running.stdout):
            if stream is not None:
                stream.close()


class Floor(_Script):
    """Authenticates, knows repeats, commits in groups; no ticket."""

    name, kind = "floor", "floor"

    def stored(self) -> int:
        with closing(sqlite3.connect(self.folder / "floor.db")) as database:
            return int(database.execute("SELECT count(*) FROM seen").fetchone()[0])


class Line(_Script):
    """Scored, decided, recorded, with a case; 'stored' is what became a finding."""

    name, kind = "Isthmus", "line"

    def stored(self) -> int:
        with closing(sqlite3.connect(self.folder / "isthmus.db")) as database:
            return int(database.execute("SELECT count(*) FROM findings").fetchone()[0])

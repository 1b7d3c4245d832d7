"""Processes to measure: lives, which are asked; and servers, which are delivered to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.firing import Fired, fire, request
from bench.line_alerts import body
from bench.line_doors import told
from bench.line_yard import SECRET, SOURCE

_HERE = Path(__file__).parent


class _Process:
    """A script of ours that answers a line of JSON with a line of JSON."""

    def __init__(self, script: str, *given: str) -> None:
        self._closing = ExitStack()
        self.folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-line-")))
        command = [sys.executable, str(_HERE / script), *(str(self.folder) if one == "FOLDER" else one for one in given)]
        environment = {**os.environ, "PYTHONPATH": f"{_HERE.parent}:{_HERE}"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def line(self) -> str:
        """The next line it writes. Raises `RuntimeError` when it ended instead."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"a measured process ended with {self._process.wait()}")
        return said

    def say(self, text: str) -> None:
        """A line for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """It ends, and its folder with it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._closing.close()


class Life(_Process):
    """An installation that is asked questions, on SQLite or on the database given, with so many policies."""

    def __init__(self, database: str = "", policies: int = 0) -> None:
        super().__init__("line_life.py", "FOLDER", database, str(policies))
        self.line()

    def ask(self, do: str, **given: Any) -> dict[str, Any]:
        """The answer."""
        self.say(json.dumps({"do": do, **given}))
        answer: dict[str, Any] = json.loads(self.line())
        return answer


class Delivered:
    """What came of delivering to one server, and what it cost: CPU in milliseconds an alert, memory in MiB."""

    def __init__(self, fired: Fired, found: dict[str, Any], seconds: float, number: int) -> None:
        self.fired, self.found, self.seconds, self.number = fired, found, seconds, number
        self.cpu_ms = 1_000 * found["cpu"] / number
        self.mib = float(found["mib"])
        self.ages = [one for one in found.get("ages", []) if one >= 0]


class Server(_Process):
    """`floor`, `doors` or `line`, knowing the alerts that follow from the seed."""

    def __init__(self, kind: str, seed: int, number: int, grave: int, database: str = "") -> None:
        given = [kind, "FOLDER", *(str(one) for one in (seed, number, grave)), *([database] if database else [])]
        super().__init__("line_doors.py", *given)
        self.port = int(self.line())
        self.requests = [request(body(one), SECRET, f"/in/{SOURCE}") for one in told(seed, number, grave)]

    def delivered(self, connections: int, pace: float = 0.0) -> Delivered:
        """Everything delivered over so many connections, at most `pace` a second, and worked off."""
        self.say("so far")
        before = json.loads(self.line())
        began = time.monotonic()
        fired = _paced(self.port, self.requests, pace) if pace else fire(self.port, connections, self.requests)
        self.say("finish")
        found = json.loads(self.line())
        assert set(fired.answers) == {202}, fired.answers
        found["cpu"] -= before["cpu"]
        return Delivered(fired, found, time.monotonic() - began, len(self.requests))


def _paced(port: int, requests: Sequence[bytes], pace: float) -> Fired:
    """One after the other, each at its time."""
    whole, began = Fired(), time.monotonic()
    for number, one in enumerate(requests):
        time.sleep(max(0.0, began + number / pace - time.monotonic()))
        fired = fire(port, 1, [one])
        whole.took += fired.took
        whole.answers += fired.answers
    whole.seconds = time.monotonic() - began
    return whole

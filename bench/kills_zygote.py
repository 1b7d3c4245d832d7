"""The zygote: a process without threads that forks the lives, and the harness's end of each of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.kills_life import AWAY, live
from bench.kills_watch import STOP

_STOPS_WITHIN = 10.0


class Zygote:
    """Forks lives. It is itself forked from a process that has no threads yet, after `warm`."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._channel.close()
            _breed(theirs)
        theirs.close()

    def life(self, given: Mapping[str, Any]) -> Life:
        """A new life, beside those there are."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._channel, [json.dumps({"given": dict(given)}).encode()], [theirs.fileno()])
        return Life(ours, json.loads(self._channel.recv(64)), self)

    def waited(self, pid: int) -> int:
        """The status a life ended with; waits for its end."""
        self._channel.sendall(json.dumps({"wait": pid}).encode())
        return int(json.loads(self._channel.recv(64)))

    def close(self) -> None:
        """End the zygote."""
        self._channel.close()
        os.waitpid(self._pid, 0)


def _breed(channel: socket.socket) -> None:
    """Fork until the harness is gone; an interrupt is for the harness, and a broken pipe is its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, 65_536, 1)
        if not data:
            os._exit(0)
        asked = json.loads(data)
        if "wait" in asked:
            _, said = os.waitpid(asked["wait"], 0)
        else:
            said = os.fork()
            if said == 0:
                channel.close()
                live(socket.socket(fileno=descriptors[0]), asked["given"])
            os.close(descriptors[0])
        with suppress(BrokenPipeError):
            channel.sendall(json.dumps(said).encode())


class Life:
    """The harness's end of a life. `struck` is the boundary it was struck at, `passed` all it passed when it ended well.

    `stopped` is called, in whatever thread asks the life, once it stands still at its boundary; it has to wake it.
    """

    def __init__(self, ours: socket.socket, pid: int, zygote: Zygote) -> None:
        self._stream, self._zygote = ours.makefile("r", encoding="utf-8"), zygote
        self._ours, self.pid = ours, pid
        self.struck, self.passed = "", list[str]()
        self.stopped: Callable[[Life], None] = Life.wake
        self._alone, self._over = threading.Lock(), False
        self._timer: threading.Timer | None = None

    def ask(self, do: str, **given: Any) -> Any:
        """What the life answers; None when it died instead. Raises `RuntimeError` when it failed in another way."""
        self.tell(do, **given)
        return self.told()

    def tell(self, do: str, **given: Any) -> None:
        """Ask, without waiting for the answer."""
        with suppress(OSError):
            self._ours.sendall(json.dumps({"do": do, **given}).encode() + b"\n")

    def told(self) -> Any:
        """The answer to what was asked last. As `ask`."""
        while True:
            line = ""
            # A life that died before it could be asked may still have said at which boundary.
            with suppress(OSError):
                line = self._stream.readline()
            said = json.loads(line) if line else {}
            if "failed" in said:
                raise RuntimeError(said["failed"])
            if "struck" not in said:
                self.passed = said.get("passed", self.passed)
                return said.get("said")
            self.struck = said["struck"]
            if said["how"] == STOP:
                self._still()
                self.stopped(self)

    def insist(self, do: str, **given: Any) -> Any:
        """As `ask`, and again while the database of the life is away."""
        ends = time.monotonic() + 60
        while True:
            said = self.ask(do, **given)
            if not (isinstance(said, str) and said.startswith(AWAY)):
                return said
            if time.monotonic() > ends:
                raise RuntimeError(said)
            time.sleep(0.05)

    def _still(self) -> None:
        """Wait until it has really stopped: to wake it before would be to wake it never."""
        ends = time.monotonic() + _STOPS_WITHIN
        while Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "T":
            if time.monotonic() > ends:
                raise RuntimeError("a life did not stop")
            time.sleep(0.005)

    def wake(self) -> None:
        """Go on after a stop."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Signal the life, unless it was waited for already; then its number may be somebody else's."""
        with self._alone:
            if not self._over:
                os.kill(self.pid, number)

    def doomed(self, seconds: float) -> None:
        """Kill it from outside so many seconds from now, wherever it is then."""
        self._timer = threading.Timer(seconds, self.signal, (signal.SIGKILL,))
        self._timer.daemon = True
        self._timer.start()

    def ended(self) -> bool:
        """Waits for its end. Whether it was killed; raises `RuntimeError` when it ended by itself with an error."""
        if self._timer is not None:
            self._timer.cancel()
        with self._alone:
            self._over = True
        self._stream.close()
        self._ours.close()
        status = self._zygote.waited(self.pid)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return True
        if status != 0:
            raise RuntimeError(f"a life ended with status {status}")
        return False

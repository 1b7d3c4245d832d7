"""Chromium, driven by its own DevTools protocol: cookies, colour scheme, width, what it complains of, what it shows."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium")
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0"),
]
_LISTENS = re.compile(r"DevTools listening on (ws://127\.0\.0\.1:\d+/\S+)")
_WAIT = 60.0


class Tab:
    """One page. `complaints` is everything the browser logged: broken policy, failed loads, uncaught errors."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._loaded = False
        self.complaints: list[str] = []
        self._session = ""
        made = self.send("Target.createTarget", url="about:blank")
        self._session = self.send("Target.attachToTarget", targetId=made["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> Any:
        """One command and its result."""
        self._number += 1
        wanted = self._number
        message = {"id": wanted, "method": method, "params": params}
        self._socket.send(json.dumps({**message, "sessionId": self._session} if self._session else message))
        while True:
            told = self._next()
            if told.get("id") == wanted:
                assert "error" not in told, told
                return told["result"]

    def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._socket.recv(timeout=_WAIT))
        method, params = told.get("method", ""), told.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method in {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Audits.issueAdded"}:
            self.complaints.append(f"{method}: {json.dumps(params)[:600]}")
        return told

    def go(self, url: str) -> None:
        """Open an address and wait for it to be there."""
        self._loaded = False
        self.send("Page.navigate", url=url)
        self.settle()

    def settle(self) -> None:
        """Wait until the page that is being opened is there."""
        while not self._loaded:
            self._next()

    def press_through(self) -> None:
        """Press Enter where it leads to another page, and wait for that."""
        self._loaded = False
        self.key("Enter", 13)
        self.settle()

    def looks(self, scheme: str, width: int, height: int = 900) -> None:
        """From now on the reader prefers this colour scheme, on a screen this wide in CSS pixels."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def asks(self, script: str) -> Any:
        """What this says, evaluated by the browser itself; the page's policy does not reach it."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def key(self, name: str, code: int) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **text)

    def picture(self, path: Path, **more: Any) -> None:
        """The whole page as PNG, or the `clip` of it."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, **more)["data"]
        path.write_bytes(base64.b64decode(data))

    def printed(self) -> bytes:
        """The page as a printer gets it, PDF."""
        return base64.b64decode(self.send("Page.printToPDF")["data"])


@contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """A browser of our own with one tab, ended afterwards."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = next(told for line in process.stderr if (told := _LISTENS.search(line)))
            with connect(found[1], max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.kill()

"""A simulated platform that runs over TLS, and an instance of ours that speaks to it: for tests of connectors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from isthmus.contracts.checks import NOW
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Refetcher
from isthmus.lab.servers import Faults, Town
from isthmus.wire.http import WireHttp, WireOutward

Payloads = tuple[dict[str, Any], ...]


class Front:
    """One server for every test: it passes on to whatever platform the test made."""

    def __init__(self, town: Town) -> None:
        self.app: Any = None
        self.faults = Faults()
        self.origin = town.serve(self, self.faults)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class Quick(WireOutward):
    """The real way out, without waiting for the rate."""

    def http(self, origin: str, *, per_second: float = 5.0) -> WireHttp:
        assert 0.5 <= per_second <= 10.0
        return super().http(origin, per_second=10_000)


class Place:
    """A platform behind a front, and the settings of an instance that may speak to it. `now` is the time it is there."""

    def __init__(self, town: Town, front: Front, connector: Connector, platform: Any) -> None:
        self.town, self.faults, self.now = town, front.faults, NOW
        self._connector = connector
        front.app = platform.app
        vars(front.faults).update(vars(Faults()))
        self.settings: dict[str, Any] = platform.config(front.origin, town.secret)

    def ask(self, ask: Callable[[Refetcher], Awaitable[Payloads]], **changed: Any) -> Payloads:
        """Connect anew, ask, and close."""

        async def run() -> Payloads:
            outward = Quick(self._clock, self.town.authority, attempts=2, patience=4.0, timeout=1.0)
            assert self._connector.config is not None and self._connector.connect is not None
            try:
                config = self._connector.config.model_validate(self.settings | changed)
                roles = self._connector.connect(config, outward)
                assert roles.refetcher is not None
                return await ask(roles.refetcher)
            finally:
                await outward.close()

        return asyncio.run(run())

    def refetch(self, source_id: str, **changed: Any) -> Payloads:
        return self.ask(lambda refetcher: refetcher.refetch(source_id), **changed)

    def calls(self, path: str = "") -> list[str]:
        """The calls that came in on paths with this in them."""
        return [call for call in self.faults.calls if path in call]

    def answering(self, answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> str:
        """The origin of another server, which answers every path as it is told."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            status, headers, body = answer(scope["path"])
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": status, "headers": raw})
            await send({"type": "http.response.body", "body": body})

        return self.town.serve(app)

    def _clock(self) -> datetime:
        return self.now

"""The thread that watches: apart from the work, so that work that stands still is seen and told."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from isthmus.desk.watch import EVERY, Watch
from isthmus.model.errors import IsthmusError

LOG = logging.getLogger("isthmus.watch")


class Watching:
    """Turns the watch every few seconds until it is stopped; then closes what it speaks through."""

    def __init__(
        self, watch: Watch, clock: Callable[[], datetime], close: Callable[[], Awaitable[None]], every: float = EVERY
    ) -> None:
        self._watch, self._clock, self._close, self._every = watch, clock, close, every
        self._stopping = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="isthmus watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the turn that is under way."""
        self._stopping.set()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._again_and_again())

    async def _again_and_again(self) -> None:
        while not self._stopping.is_set():
            await self._once()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._every)
        self._watch.leave()
        await self._close()

    async def _once(self) -> None:
        try:
            await self._watch.turn(self._clock())
        except IsthmusError as error:
            LOG.error("%s", error)
        # Whoever watches must not fall over what it sees.
        except Exception:
            LOG.exception("the watch met something unforeseen")

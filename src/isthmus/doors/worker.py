"""The thread that works: one loop of its own, woken by deliveries, words and clocks."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import datetime

from isthmus.assembly import House
from isthmus.model.errors import IsthmusError
from isthmus.record import ledger

LOG = logging.getLogger("isthmus.worker")
_LONGEST, _AFTER_TROUBLE = 5.0, 1.0


class Worker:
    """Runs `Work.turn` again and again until it is stopped. What fails is logged and tried again: the state is on disk."""

    def __init__(self, house: House, clock: Callable[[], datetime]) -> None:
        self._house = house
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="isthmus worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something came in or was said. Callable from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """End after the turn that is under way, and close what the house holds open."""
        self._stopping = True
        self.wake()
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
            self._loop.run_until_complete(self._house.close())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        while not self._stopping:
            self._woken.clear()
            pause = await self._turn()
            if pause > 0:
                try:
                    await asyncio.wait_for(self._woken.wait(), min(pause, _LONGEST))
                except TimeoutError:
                    continue

    async def _turn(self) -> float:
        """One turn; returns how many seconds nothing is due."""
        now = self._clock()
        try:
            again = await self._house.work.turn(now)
            with self._house.store.writing() as connection:
                ledger.checkpoint(connection, self._house.signer)
        except IsthmusError as error:
            LOG.error("%s", error)
            return _AFTER_TROUBLE
        except Exception:  # The worker must survive whatever a turn meets; the turn left no half-written state.
            LOG.exception("a turn failed")
            return _AFTER_TROUBLE
        return _LONGEST if again is None else max(0.0, (again - self._clock()).total_seconds())

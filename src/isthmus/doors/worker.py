"""The thread that works: one loop of its own, woken by deliveries, words and clocks."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from isthmus.assembly import House
from isthmus.model.errors import IsthmusError

LOG = logging.getLogger("isthmus.worker")
_LONGEST, _AFTER_TROUBLE = 5.0, 1.0


class Worker:
    """Pulls, asks back and carries on, side by side, until it is stopped. What fails is logged and tried again: the state
    is on disk.
    """

    def __init__(self, house: House, clock: Callable[[], datetime]) -> None:
        self._house = house
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._woken: list[asyncio.Event] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="isthmus worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something came in or was said. Callable from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._all_woken)

    def stop(self) -> None:
        """End after what is under way, and close what the house holds open."""
        self._stopping = True
        self._house.work.stop()
        self.wake()
        self._thread.join()

    def _all_woken(self) -> None:
        for one in self._woken:
            one.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
            with suppress(IsthmusError):
                self._house.recording.sign()
            self._loop.run_until_complete(self._house.close())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        work, record = self._house.work, self._house.recording
        queues = (lane.consume for lane in self._house.queues.lanes)
        kinds = work.pull, work.ask, work.read, work.carry, record.keep, *queues
        await asyncio.gather(*(self._again_and_again(one) for one in kinds))

    async def _again_and_again(self, do: Callable[[datetime], Awaitable[datetime | None]]) -> None:
        woken = asyncio.Event()
        self._woken.append(woken)
        while not self._stopping:
            woken.clear()
            pause = await self._once(do)
            if pause > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), min(pause, _LONGEST))
            else:
                self._all_woken()
                await asyncio.sleep(0)

    async def _once(self, do: Callable[[datetime], Awaitable[datetime | None]]) -> float:
        """What is due of one kind; returns for how many seconds nothing of it is."""
        try:
            with self._house.watch.vitals.turn(getattr(do, "__name__", "work")):
                again = await do(self._clock())
        except IsthmusError as error:
            LOG.error("%s", error)
            return _AFTER_TROUBLE
        # The worker must survive whatever it meets; nothing was left half-written.
        except Exception:
            LOG.exception("the worker met something unforeseen")
            return _AFTER_TROUBLE
        return _LONGEST if again is None else max(0.0, (again - self._clock()).total_seconds())

"""Lanes: processes side by side, each with an outside and a zygote of its own, that carry out runs."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.kills_hunt import hunted
from bench.kills_outside import Outside
from bench.kills_run import Result, run
from bench.kills_several import episode
from bench.kills_zygote import Zygote

_FORGET_AFTER = 60
"""Runs after which the cloud begins anew: a moto that remembers hundreds of networks is slow."""
_DO = {"hunt": hunted, "several": episode}
"""What is carried out for a kind of task; all others are runs."""


class Lanes:
    """So many of them, each started before any thread is."""

    def __init__(self, folder: Path, number: int) -> None:
        own = multiprocessing.get_context("fork")
        self._tasks, self._results = own.Queue(), own.Queue()
        given = [(folder / f"lane-{one}", self._tasks, self._results) for one in range(number)]
        self._running = [own.Process(target=_lane, args=one) for one in given]

    def __enter__(self) -> Self:
        for one in self._running:
            one.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one in self._running:
            if error is None:
                self._tasks.put(None)
            elif one.is_alive():
                one.terminate()
        for one in self._running:
            one.join()
        # What nobody will read any more must not keep this process from ending.
        self._tasks.cancel_join_thread()

    def done(self, tasks: Sequence[dict[str, Any]]) -> Iterator[Result]:
        """Results as they come. Raises `RuntimeError` when a lane has died."""
        for one in tasks:
            self._tasks.put(one)
        left = len(tasks)
        while left:
            try:
                result: Result = self._results.get(timeout=1.0)
            except queue.Empty:
                if not all(one.is_alive() for one in self._running):
                    raise RuntimeError("a lane has died") from None
                continue
            left -= 1
            yield result


def _lane(folder: Path, tasks: Any, results: Any) -> None:
    zygote = Zygote()
    # Ended from outside, a lane still ends its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder.mkdir()
    with Outside(folder) as outside:
        for number, task in enumerate(iter(tasks.get, None), 1):
            if number % _FORGET_AFTER == 0:
                outside.forget()
            results.put(_DO.get(task["kind"], run)(outside, zygote, task))
    zygote.close()

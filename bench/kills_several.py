"""Episodes: several lives work on one PostgreSQL at the same time, and one of them dies, sleeps, or has its clock set wrong.

The one that is struck goes first, so that it is in the middle of something; the others come as soon as it is struck. One
that sleeps is woken when others have taken over what it held.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bench.kills_noting import Scene
from bench.kills_outside import NOW, Outside
from bench.kills_run import LEASE, Result, agreed, delivered, given, judged, lived, taken_back
from bench.kills_watch import JUMP
from bench.kills_zygote import Life, Zygote

_HEAD_START = 30.0
_AFTERWARDS = timedelta(hours=1, minutes=10)
"""When the last life looks at what is left: after whatever a clock that was an hour ahead has put off."""


def episode(outside: Outside, zygote: Zygote, task: Mapping[str, Any]) -> Result:
    """`workers` lives; the first is struck where `fatals` says, and sleeps for `sleep` seconds where it is stopped.

    With `together` nobody waits for it to be struck.
    """
    scene, result = outside.fresh(shared=True), Result(task["kind"], dict(task))
    with judged(outside, result, task, exact=not any(one.get("how") == JUMP for one in task["fatals"])):
        with ThreadPoolExecutor(task["workers"]) as threads:
            crowd = Crowd(zygote, task, scene, threads, result)
            try:
                crowd.through()
            finally:
                crowd.end()
        clock = scene.settings.with_name("clock-last")
        clock.write_text((NOW + _AFTERWARDS).isoformat(), encoding="utf-8")
        last = zygote.life(given(task, scene, (), "last"))
        lived(last, scene)
        result.passed = last.passed
        scene.given_away()
    return result


class Crowd:
    """The lives of an episode. Whoever is dead is left out of what comes next."""

    def __init__(
        self, zygote: Zygote, task: Mapping[str, Any], scene: Scene, threads: ThreadPoolExecutor, result: Result
    ) -> None:
        self._task, self._scene, self._threads, self._result = task, scene, threads, result
        fatals = [task["fatals"], *[()] * (task["workers"] - 1)]
        self._lives = [zygote.life(given(task, scene, own, str(number))) for number, own in enumerate(fatals)]
        self._struck = threading.Event()
        self._lives[0].stopped = self._asleep

    def through(self) -> None:
        """Deliveries, work, a yes, work, an order to take back, work."""
        scene = self._scene
        numbers = range(len(scene.deliveries))
        count = len(self._lives)
        shares = {one: numbers[place::count] for place, one in enumerate(self._lives)}
        self._all(lambda life: delivered(life, scene, shares[life]))
        self._all(_worked)
        self._one(lambda life: agreed(life, scene, strict=False))
        self._all(_worked)
        self._one(lambda life: taken_back(life, scene))
        self._all(_worked)
        self._all(lambda life: life.ask("end") is not None)

    def _all(self, do: Callable[[Life], bool]) -> None:
        """All of them at once, but for the start the first one has. Those that died are gone from then on."""
        first = self._lives[0]

        def go(life: Life) -> bool:
            if life is not first and not self._task["together"]:
                self._struck.wait(_HEAD_START)
            try:
                return do(life)
            finally:
                if life is first:
                    self._struck.set()

        self._struck.clear()
        alive = list(self._threads.map(go, self._lives))
        self._gone([life for life, well in zip(self._lives, alive, strict=True) if not well])

    def _one(self, do: Callable[[Life], bool]) -> None:
        """The last of them, which nobody strikes."""
        if not do(self._lives[-1]):
            self._gone(self._lives[-1:])

    def _gone(self, dead: Sequence[Life]) -> None:
        for life in dead:
            self._lives.remove(life)
            self._result.deaths += life.ended()
            self._result.struck.append(life.struck)
        if not self._lives:
            raise RuntimeError("nobody is left")

    def _asleep(self, life: Life) -> None:
        """It stands still, longer than what it holds is kept for it."""
        self._result.stops += 1
        self._result.struck.append(life.struck)
        self._struck.set()
        time.sleep(self._task["sleep"] * LEASE)
        life.wake()

    def end(self) -> None:
        """Wait for those that ended well; nobody is left behind where something went wrong."""
        for life in self._lives:
            if life.struck and not self._result.struck:
                self._result.struck.append(life.struck)
                self._result.jumps += 1
            if not life.passed:
                life.kill()
        # Whoever still listens to one of them hears of its end first.
        self._threads.shutdown()
        for life in self._lives:
            with suppress(RuntimeError):
                life.ended()


def _worked(life: Life) -> bool:
    return life.ask("work") is not None

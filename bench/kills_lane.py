"""Lanes: processes side by side, each with an outside and a zygote of its own, that carry out runs."""

from __future__ import annotations

import multiprocessing
import queue
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.kills_check import Found, check
from bench.kills_choice import tried
from bench.kills_life import Life, Zygote
from bench.kills_noting import Scene
from bench.kills_outside import DEV, NOW, Outside
from bench.kills_plants import PLANTS

_BETWEEN_LIVES = timedelta(minutes=5)
_FORGET_AFTER = 60
"""Runs after which the cloud begins anew: a moto that remembers hundreds of networks is slow."""


@dataclass
class Result:
    """What came of a run. `kills` are the boundaries of its lives it was to die at, `deaths` how often it did."""

    kills: tuple[int, ...] = ()
    plant: str = ""
    boundary: str = ""
    deaths: int = 0
    resumed: bool = False
    cases: int = 0
    effects: int = 0
    problems: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 1


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
            results.put(_hunted(outside, zygote, task) if "seed" in task else run(outside, zygote, **task))
    zygote.close()


def _hunted(outside: Outside, zygote: Zygote, task: dict[str, Any]) -> Result:
    """A planted bug: without any kill, then boundary by boundary of what it passes itself, until it is seen."""
    given = {name: task[name] for name in ("plant", "clean", "fine")}
    result = run(outside, zygote, (), **given)
    tries = tried(result.passed, PLANTS[task["plant"]].where, random.Random(task["seed"]))
    for number, fatal in enumerate(tries, 2):
        if result.problems:
            break
        result = run(outside, zygote, (fatal,), **given)
        result.runs = number
    return result


def run(
    outside: Outside, zygote: Zygote, kills: tuple[int, ...], plant: str, clean: dict[str, Any] | None, fine: bool
) -> Result:
    """One world from its first alert to its last step, through as many lives as it takes."""
    began, scene = time.monotonic(), outside.fresh()
    result = Result(kills, plant)
    try:
        for number, fatal in enumerate((*kills, 0)):
            now = (NOW + number * _BETWEEN_LIVES).isoformat()
            given = {"settings": str(scene.settings), "now": now, "fatal": fatal, "fine": fine, "plant": plant}
            life = zygote.life(given)
            try:
                _lived(life, scene)
            except RuntimeError:
                with suppress(RuntimeError):
                    life.ended()
                raise
            died = life.ended()
            result.deaths += died
            result.boundary = result.boundary or life.dying
            if not died:
                result.resumed, result.passed = number > 0, life.passed
                break
        found = check(outside, clean)
    except RuntimeError as error:
        found = Found(problems={"life": [str(error).strip().splitlines()[-1], str(error)]})
    outside.done()
    result.problems, result.state, result.cases, result.effects = found.all, found.state, found.cases, found.effects
    result.seconds = time.monotonic() - began
    return result


def _lived(life: Life, scene: Scene) -> None:
    """What the outside does with a life until it is done or dead: repeats what was not taken, and agrees where it is asked."""
    for number, one in enumerate(scene.deliveries):
        if number not in scene.taken:
            status = life.ask("deliver", path=one.path, headers=one.headers, body=one.body)
            if status is None:
                return
            if status != 202:
                raise RuntimeError(f"a delivery was answered {status}")
            scene.taken.add(number)
    if life.ask("work") is None or not _agreed(life, scene) or life.ask("work") is None:
        return
    if _taken_back(life, scene) and life.ask("work") is not None:
        life.ask("end")


def _agreed(life: Life, scene: Scene) -> bool:
    """Ada looks at what waits and says yes where nobody took her yes before. False when the life ended under it."""
    waiting = life.ask("waiting")
    for incident, plan_hash, _ in waiting or ():
        if plan_hash not in scene.agreed:
            said = life.ask("approve", incident=incident, plan_hash=plan_hash)
            if said is None:
                return False
            if said and "already spoken" not in said:
                raise RuntimeError(f"a yes was not taken: {said}")
            scene.agreed.add(plan_hash)
    return waiting is not None


def _taken_back(life: Life, scene: Scene) -> bool:
    """Ben takes back what was done in development. False when the life ended under it."""
    placed = life.ask("contained", account=DEV.id)
    for incident, ability, target in placed or ():
        if target not in scene.ordered:
            said = life.ask("undo", incident=incident, ability=ability, target=target)
            if said is None:
                return False
            if said and "undone already" not in said:
                raise RuntimeError(f"an undo was not taken: {said}")
            scene.ordered.add(target)
    return placed is not None

"""One world from its first alert to its last step, through as many lives as it takes, one after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench.kills_check import Found, check
from bench.kills_choice import recovering
from bench.kills_noting import Scene
from bench.kills_outside import DEV, NOW, Outside
from bench.kills_zygote import Life, Zygote

LEASE = 3.0
"""Seconds for which things are held where several work, or worked: the next life has to wait for the end of it."""
_BETWEEN_LIVES = timedelta(seconds=5)
_DOWN = 0.2
"""Seconds for which the database is away at least, while the life goes on."""
_ANSWERED = {503}

Fatal = Mapping[str, Any]


@dataclass
class Result:
    """What came of a run. `struck` are the boundaries its lives were struck at; `deaths`, `stops` and `outages` how often
    a life was killed, one was stopped, and the database was killed under one.
    """

    kind: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    struck: list[str] = field(default_factory=list)
    deaths: int = 0
    doubles: int = 0
    stops: int = 0
    jumps: int = 0
    outages: int = 0
    cases: int = 0
    effects: int = 0
    problems: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 1


def run(outside: Outside, zygote: Zygote, task: Mapping[str, Any]) -> Result:
    """Each life is struck where `fatals` says, in turn; the one after them ends well. `shared` is on PostgreSQL.

    An `after` among the fatals of a life kills it from outside after so many seconds, wherever it is.
    """
    scene = outside.fresh(task["shared"])
    result = Result(task["kind"], dict(task))
    with judged(outside, result, task):
        _lives(outside, zygote, task, scene, result)
    return result


def _lives(outside: Outside, zygote: Zygote, task: Mapping[str, Any], scene: Scene, result: Result) -> None:
    before = False
    for fatals in (*task["fatals"], ()):
        life = zygote.life(given(task, scene, fatals))
        life.stopped = lambda one: _outage(outside, one, result)
        for one in fatals:
            if "after" in one:
                life.doomed(one["after"])
        died = lived(life, scene)
        result.struck += [life.struck or "at a random moment"] if died else []
        result.deaths += died
        result.doubles += before and died and recovering(fatals)
        before = died
        scene.given_away()
        if not died:
            result.passed = life.passed
            return


class judged:
    """Around a run: whatever goes wrong in it is a finding, and what it left is checked and cleared away."""

    def __init__(self, outside: Outside, result: Result, task: Mapping[str, Any], exact: bool = True) -> None:
        self._outside, self._result, self._task, self._exact = outside, result, task, exact
        self._began = time.monotonic()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False
        if error is None:
            found = check(self._outside, self._task["clean"], self._exact)
        else:
            said = str(error).strip().splitlines() or [""]
            found = Found(problems={"life": [f"{type(error).__name__}: {said[-1]}", str(error)]})
        self._outside.done()
        result = self._result
        result.problems, result.state, result.cases, result.effects = found.all, found.state, found.cases, found.effects
        result.seconds = time.monotonic() - self._began
        return True


def given(task: Mapping[str, Any], scene: Scene, fatals: Sequence[Fatal], number: str = "0") -> dict[str, Any]:
    """What a life is told; it goes on at the time the one before came to."""
    clock = scene.settings.with_name(f"clock-{number}")
    kept = clock.read_text(encoding="utf-8") if clock.exists() else NOW.isoformat()
    now = type(NOW).fromisoformat(kept) + _BETWEEN_LIVES
    where = {"settings": str(scene.settings), "clock": str(clock), "now": now.isoformat()}
    lease = LEASE if task["shared"] else 0.0
    return {**where, "fatals": [dict(one) for one in fatals], "fine": task["fine"], "plant": task["plant"], "lease": lease}


def _outage(outside: Outside, life: Life, result: Result) -> None:
    """The database dies while the life stands still; the life goes on, and after a while the database comes back."""
    assert outside.server is not None
    result.outages += 1
    result.struck.append(f"database at {life.struck}")
    outside.server.kill()
    life.wake()
    time.sleep(_DOWN)
    outside.server.restart()


def lived(life: Life, scene: Scene) -> bool:
    """Everything the outside does with a life until it is done or dead. Whether it was killed."""
    try:
        _through(life, scene)
    except RuntimeError:
        with suppress(RuntimeError):
            life.kill()
            life.ended()
        raise
    return life.ended()


def _through(life: Life, scene: Scene) -> None:
    if not delivered(life, scene, range(len(scene.deliveries))):
        return
    if life.ask("work") is None or not agreed(life, scene) or life.ask("work") is None:
        return
    if taken_back(life, scene) and life.ask("work") is not None:
        life.ask("end")


def delivered(life: Life, scene: Scene, numbers: Sequence[int]) -> bool:
    """What was not taken is delivered again, until it is. False when the life ended under it."""
    for number in numbers:
        one = scene.deliveries[number]
        while number not in scene.taken:
            status = life.insist("deliver", path=one.path, headers=one.headers, body=one.body)
            if status is None:
                return False
            if status != 202 and status not in _ANSWERED:
                raise RuntimeError(f"a delivery was answered {status}")
            scene.taken.update({number} if status == 202 else ())
    return True


def agreed(life: Life, scene: Scene, strict: bool = True) -> bool:
    """Ada looks at what waits and says yes where nobody took her yes before. False when the life ended under it."""
    waiting = life.insist("waiting")
    for incident, plan_hash, _ in waiting or ():
        if plan_hash not in scene.agreed:
            said = life.insist("approve", incident=incident, plan_hash=plan_hash)
            if said is None:
                return False
            if said and "already spoken" not in said and strict:
                raise RuntimeError(f"a yes was not taken: {said}")
            scene.agreed.update({plan_hash} if not said or "already spoken" in said else ())
    return waiting is not None


def taken_back(life: Life, scene: Scene) -> bool:
    """Ben takes back what was done in development. False when the life ended under it."""
    placed = life.insist("contained", account=DEV.id)
    for incident, ability, target in placed or ():
        if target not in scene.ordered:
            said = life.insist("undo", incident=incident, ability=ability, target=target)
            if said is None:
                return False
            if said and "undone already" not in said:
                raise RuntimeError(f"an undo was not taken: {said}")
            scene.ordered.add(target)
    return placed is not None

"""What this process notices of itself: how deliveries were answered, whether they can be stored, turns, and its clock.

Nothing of it is on disk. It may be told and asked from any thread; time passed is measured by a clock that only goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

JUMP = timedelta(seconds=30)
"""A clock that went this much further, or less far, than time passed has jumped."""
_STUCK, _SILENT = 3_600.0, 60.0
"""Seconds: one turn may take long in a storm, where what it does is seen in the database; the next begins soon."""


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of one kind: how many ended, in how many seconds together, and how many of them in trouble."""

    ended: int = 0
    seconds: float = 0.0
    troubled: int = 0
    began: float | None = None
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock read `at` after it had jumped `by` (below zero: back). `seen` is on the clock that only goes on."""

    at: datetime
    by: timedelta
    seen: float


class Vitals:
    """Kept by one process for as long as it lives. `steady` gives seconds since whenever."""

    def __init__(self, steady: Callable[[], float] = monotonic) -> None:
        self._steady, self._lock = steady, Lock()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._turns: dict[str, Turns] = {}
        self._clock: tuple[datetime, float] | None = None
        self._storing: tuple[str, float | None] = "", None
        self._jump: Jump | None = None

    def answered(self, instance: str, word: str) -> None:
        """A delivery to this instance (empty when none of ours was named) was answered with this word."""
        with self._lock:
            self._answers[instance, word] += 1

    @property
    def answers(self) -> Mapping[tuple[str, str], int]:
        """How often each instance's deliveries were answered with each word."""
        with self._lock:
            return dict(self._answers)

    def stored(self, trouble: str = "") -> None:
        """Something was just stored durably, or could not be, and why."""
        with self._lock:
            self._storing = trouble, self._steady()

    @property
    def storing(self) -> str:
        """Why nothing could be stored when it was last tried; empty when it could, or was never tried."""
        with self._lock:
            return self._storing[0]

    @contextmanager
    def turn(self, kind: str) -> Iterator[None]:
        """Around one turn of the work of this kind. Whatever it raises goes on, and counts as trouble."""
        began = self._steady()
        with self._lock:
            self._turns[kind] = replace(self._turns.get(kind, Turns()), began=began)
        trouble = 1
        try:
            yield
            trouble = 0
        finally:
            with self._lock:
                before, now = self._turns[kind], self._steady()
                self._turns[kind] = Turns(before.ended + 1, before.seconds + now - began, before.troubled + trouble, None, now)

    @property
    def turns(self) -> Mapping[str, Turns]:
        """All turns so far by kind."""
        with self._lock:
            return dict(self._turns)

    def stuck(self) -> str:
        """Which kind of work has not moved for too long, for people; empty when all does, or none ever began here."""
        now = self._steady()
        for kind, one in sorted(self.turns.items()):
            if one.began is not None and now - one.began > _STUCK:
                return f"a turn of {kind} has been under way for {now - one.began:.0f} s"
            if one.began is None and now - one.last > _SILENT:
                return f"no turn of {kind} for {now - one.last:.0f} s"
        return ""

    def ticked(self, now: datetime) -> Jump | None:
        """Compare the wall clock with time passed since the last call; the jump, when there was one between them."""
        seen = self._steady()
        with self._lock:
            before, self._clock = self._clock, (now, seen)
            if before is None:
                return None
            by = now - before[0] - timedelta(seconds=seen - before[1])
            if abs(by) < JUMP:
                return None
            self._jump = Jump(now, by, seen)
            return self._jump

    def jumped(self, within: timedelta) -> Jump | None:
        """The last jump, when it was seen no longer ago than that."""
        jump = self._jump
        if jump is None or self._steady() - jump.seen > within.total_seconds():
            return None
        return jump

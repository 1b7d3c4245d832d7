"""How long things took, from alert to recovery: read from the record, beside what was promised.

Each measure runs from when we received the first alert of an incident. `acknowledge` to its place in the queue ·
`triage` to its first assessment · `ticket` to its case in the case system · `contain` to the first containment we made,
shown or not · `effective` to the first that was read back in place · `recover` to every finding resolved at its source.

The record is followed entry by entry, from at most `REACH` entries back; after a restart the same entries give the same
numbers again. What is kept is bounded: the newest `WINDOW` times of each measure, and the newest `OPEN` incidents.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import select

from isthmus.model.plans import Result
from isthmus.record.ledger import BODIES, ENTRIES, HEAD
from isthmus.record.store import Store

REACH, AT_ONCE, WINDOW, OPEN = 50_000, 5_000, 1_000, 20_000
MEASURES = ("acknowledge", "triage", "ticket", "contain", "effective", "recover")
PROMISED = {"acknowledge": timedelta(minutes=2), "ticket": timedelta(minutes=3)}
"""What was promised, where something was."""
RESOLVED = "every finding is resolved or dismissed at its source"
_MADE = {Result.DONE.value, Result.UNPROVEN.value}
_LEADING = {"incident.opened": "acknowledge", "round.assessment": "triage"}


@dataclass
class _Story:
    """An incident on its way: when its first alert was received, and what has been measured of it."""

    received: datetime
    measured: set[str] = field(default_factory=set)


class Measures:
    """Follows one record. Callable from any thread."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, Lock()
        self._next: int | None = None
        self._open: OrderedDict[tuple[str, str], _Story] = OrderedDict()
        self._times: dict[tuple[str, str], deque[float]] = {}

    def follow(self) -> int:
        """Read on, at most `AT_ONCE` entries; how many were read. Raises `Unreachable` when the database is away."""
        with self._lock, self._store.reading() as connection:
            size = connection.execute(select(HEAD.c.size)).scalar() or 0
            start = max(0, size - REACH) if self._next is None or self._next > size else self._next
            joined = ENTRIES.outerjoin(BODIES, ENTRIES.c.idx == BODIES.c.idx)
            rows = select(ENTRIES.c.idx, ENTRIES.c.leaf, BODIES.c.body).select_from(joined)
            wanted = rows.where(ENTRIES.c.idx >= start, ENTRIES.c.idx < start + AT_ONCE).order_by(ENTRIES.c.idx)
            read = connection.execute(wanted).all()
            for row in read:
                self._take(json.loads(row.leaf), json.loads(row.body) if row.body else {})
            self._next = start + len(read)
            return len(read)

    def times(self) -> Mapping[tuple[str, str], list[float]]:
        """Seconds by tenant and measure, shortest first."""
        with self._lock:
            return {key: sorted(times) for key, times in self._times.items()}

    def _take(self, leaf: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        key, at = (leaf["tenant"], leaf["subject"]), datetime.fromisoformat(leaf["at"])
        if leaf["event"] == "incident.opened" and body.get("received"):
            self._open[key] = _Story(datetime.fromisoformat(body["received"]))
            if len(self._open) > OPEN:
                self._open.popitem(last=False)
        story = self._open.get(key)
        if story is None:
            return
        for name in _reached(leaf["event"], body):
            if name not in story.measured:
                story.measured.add(name)
                seconds = max(0.0, (at - story.received).total_seconds())
                self._times.setdefault((key[0], name), deque(maxlen=WINDOW)).append(seconds)


def _reached(event: str, body: Mapping[str, Any]) -> Iterator[str]:
    """Which measures end with this entry."""
    if event in _LEADING:
        yield _LEADING[event]
    elif event == "round.opened" and body.get("because") == RESOLVED:
        yield "recover"
    elif event == "step.outcome":
        yield from _made(str(body.get("ability", "")), str(body.get("result", "")))


def _made(ability: str, result: str) -> Iterator[str]:
    if ability == "case.open" and result == Result.DONE.value:
        yield "ticket"
    elif not ability.startswith("case.") and result in _MADE:
        yield "contain"
        if result == Result.DONE.value:
            yield "effective"


def quantile(times: list[float], share: float) -> float:
    """The time that this share of them did not exceed; `times` are sorted and not empty."""
    return times[min(len(times) - 1, int(share * len(times)))]

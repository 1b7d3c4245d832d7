"""The record's verification, remembered for a while: it reads every entry there is, some thousands a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.desk.desk import Desk
from isthmus.record.audit import Verified

GOOD_FOR, AGAIN_AFTER = timedelta(minutes=10), timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a verification found, and when it began."""

    at: datetime
    found: Verified


class RecordCheck:
    """Verifies the record when somebody looks and the last time is long ago; never twice at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._last: Checked | None = None

    def latest(self, now: datetime, again: bool = False) -> Checked:
        """The last verification, or a new one when that is older than ten minutes, or than ten seconds if asked `again`."""
        last = self._last
        if last is not None and now - last.at < (AGAIN_AFTER if again else GOOD_FOR):
            return last
        if last is not None and self._lock.locked():
            return last
        with self._lock:
            if self._last is last:
                self._last = Checked(now, self._desk.verify_record())
            assert self._last is not None  # noqa: S101 - nobody sets it to None
            return self._last

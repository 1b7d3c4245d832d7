"""Folds the tellings of a delivery, or of a day, by finding. How two tellings become one stands in `model.tellings`."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.model.findings import Finding
from isthmus.model.tellings import Telling, telling


class Reducer:
    """Folds tellings by key, and counts the repeats. What was told once is kept as it came."""

    def __init__(self) -> None:
        self._tellings: dict[str, Finding | Telling] = {}
        self.repeats = 0

    def add(self, finding: Finding) -> None:
        """Take one more telling."""
        key = finding.key
        known = self._tellings.get(key)
        if known is None:
            self._tellings[key] = finding
            return
        self.repeats += 1
        before = known if isinstance(known, Telling) else telling(known)
        self._tellings[key] = before.merged(telling(finding))

    def findings(self) -> list[Finding]:
        """Each finding once, in the order of their keys."""
        known = (self._tellings[key] for key in sorted(self._tellings))
        return [one.finding() if isinstance(one, Telling) else one for one in known]

    def __len__(self) -> int:
        return len(self._tellings)


def reduced(findings: Iterable[Finding]) -> list[Finding]:
    """The findings behind these tellings, in the order of their keys."""
    reducer = Reducer()
    for finding in findings:
        reducer.add(finding)
    return reducer.findings()

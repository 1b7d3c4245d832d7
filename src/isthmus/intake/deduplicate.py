"""Many tellings of one finding become one, the same in whatever order they come.

Each key keeps its best full telling and its best hint; `best` is the latest by the source's clock, then the open one,
then the graver one, then a hash. First and last sight are the extremes, names of the asset add up. Each of these is
associative, commutative and idempotent, so a re-scan, a replay or another order changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from isthmus.model.findings import Finding, Times, short_hash

_NEVER = datetime.min.replace(tzinfo=UTC)


def _rank(finding: Finding) -> tuple[datetime, bool, int]:
    moment = finding.times.updated or finding.times.happened or _NEVER
    return moment, finding.status.open, finding.severity.weight


def _content(finding: Finding) -> str:
    """The finding's content as the source told it: without when we got it."""
    return short_hash(repr(replace(finding, times=replace(finding.times, received=None, recorded=None))), length=64)


def later(one: Finding, other: Finding) -> Finding:
    """Of two tellings of the same finding, the one that counts."""
    first, second = _rank(one), _rank(other)
    if first != second:
        return one if first > second else other
    return one if one == other or _content(one) >= _content(other) else other


@dataclass(frozen=True, slots=True)
class Telling:
    """What is known of one key so far."""

    full: Finding | None
    hint: Finding | None
    first_seen: datetime | None
    last_seen: datetime | None
    names: frozenset[str]

    def merged(self, other: Telling) -> Telling:
        """The two together."""
        return Telling(
            full=_best(self.full, other.full),
            hint=_best(self.hint, other.hint),
            first_seen=min((m for m in (self.first_seen, other.first_seen) if m), default=None),
            last_seen=max((m for m in (self.last_seen, other.last_seen) if m), default=None),
            names=self.names if self.names == other.names else self.names | other.names,
        )

    def finding(self) -> Finding:
        """The finding as it stands: the full telling, with a newer hint's status and severity."""
        best = self.full or self.hint
        assert best is not None  # noqa: S101 - a telling is made from a finding
        if self.full is not None and self.hint is not None and later(self.full, self.hint) is self.hint:
            hint = self.hint
            times = Times(self.full.times.happened, hint.times.updated, hint.times.received)
            graver = max(self.full.severity, hint.severity, key=lambda one: one.weight)
            best = replace(self.full, status=hint.status, severity=graver, times=times)
        names = tuple(sorted(self.names))
        if names != best.asset.aliases:
            best = replace(best, asset=replace(best.asset, aliases=names))
        if (best.first_seen, best.last_seen) != (self.first_seen, self.last_seen):
            best = replace(best, first_seen=self.first_seen, last_seen=self.last_seen)
        return best


def telling(finding: Finding) -> Telling:
    """A single telling."""
    seen = finding.first_seen or finding.times.happened
    last = finding.last_seen or finding.times.updated or seen
    full, hint = (None, finding) if finding.hint else (finding, None)
    return Telling(full, hint, seen, last, frozenset(finding.asset.aliases))


def _best(one: Finding | None, other: Finding | None) -> Finding | None:
    if one is None or other is None:
        return one or other
    return later(one, other)


class Reducer:
    """Folds tellings by key, and counts the repeats."""

    def __init__(self) -> None:
        self._tellings: dict[str, Telling] = {}
        self.repeats = 0

    def add(self, finding: Finding) -> None:
        """Take one more telling."""
        key, told = finding.key, telling(finding)
        known = self._tellings.get(key)
        if known is None:
            self._tellings[key] = told
        else:
            self.repeats += 1
            self._tellings[key] = known.merged(told)

    def findings(self) -> list[Finding]:
        """Each finding once, in the order of their keys."""
        return [self._tellings[key].finding() for key in sorted(self._tellings)]

    def __len__(self) -> int:
        return len(self._tellings)


def reduced(findings: Iterable[Finding]) -> list[Finding]:
    """The findings behind these tellings, in the order of their keys."""
    reducer = Reducer()
    for finding in findings:
        reducer.add(finding)
    return reducer.findings()

"""Many tellings of one finding become one, the same in whatever order they come.

Each key keeps its best full telling and its best hint; `best` is the latest by the source's clock, then the open one,
then the graver one, then by content. First and last sight are the extremes, names of the asset add up. Each of these is
associative, commutative and idempotent, so a re-scan, a replay or another order changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from isthmus.model.findings import Finding, Times

_NEVER = datetime.min.replace(tzinfo=UTC)


def _rank(finding: Finding) -> tuple[datetime, bool, int]:
    moment = finding.times.updated or finding.times.happened or _NEVER
    return moment, finding.status.open, finding.severity.weight


_FIELDS = tuple(one.name for one in fields(Finding) if one.name != "times")


def _content_order(one: Finding, other: Finding) -> bool:
    """Whether `one` comes before `other` by content alone, field by field; when we got it does not count."""
    for name in _FIELDS:
        first, second = getattr(one, name), getattr(other, name)
        if first != second:
            return repr(first) >= repr(second)
    return repr(one.times.happened) >= repr(other.times.happened)


def later(one: Finding, other: Finding) -> Finding:
    """Of two tellings of the same finding, the one that counts."""
    first, second = _rank(one), _rank(other)
    if first != second:
        return one if first > second else other
    return one if _content_order(one, other) else other


@dataclass(frozen=True, slots=True)
class Telling:
    """What is known of one key so far."""

    full: Finding | None
    hint: Finding | None
    first_seen: datetime | None
    last_seen: datetime | None
    names: tuple[str, ...]

    def merged(self, other: Telling) -> Telling:
        """The two together."""
        return Telling(
            full=_best(self.full, other.full),
            hint=_best(self.hint, other.hint),
            first_seen=min((m for m in (self.first_seen, other.first_seen) if m), default=None),
            last_seen=max((m for m in (self.last_seen, other.last_seen) if m), default=None),
            names=self.names if self.names == other.names else tuple(sorted({*self.names, *other.names})),
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
        if self.names != best.asset.aliases:
            best = replace(best, asset=replace(best.asset, aliases=self.names))
        if (best.first_seen, best.last_seen) != (self.first_seen, self.last_seen):
            best = replace(best, first_seen=self.first_seen, last_seen=self.last_seen)
        return best


def telling(finding: Finding) -> Telling:
    """A single telling."""
    full, hint = (None, finding) if finding.hint else (finding, None)
    return Telling(full, hint, finding.first_seen, finding.last_seen, finding.asset.aliases)


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

"""Many tellings of one finding become one, the same in whatever order they come.

Each key keeps its best full telling and its best hint; `best` is the latest by the source's clock, then the open one,
then the graver one, then by content. First and last sight are the extremes, names of the asset add up. Each of these is
associative, commutative and idempotent, so a re-scan, a replay or another order changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TypeVar

from isthmus.model.findings import Finding, Indicator, Kind
from isthmus.model.severity import Severity

_Any = TypeVar("_Any")
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
    """What is known of one key so far. `names` are those of full tellings, `hinted` those a notification gave."""

    full: Finding | None
    hint: Finding | None
    first_seen: datetime | None
    last_seen: datetime | None
    names: tuple[str, ...]
    hinted: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    worst: Severity
    blocked: bool

    def merged(self, other: Telling) -> Telling:
        """The two together."""
        return Telling(
            full=_best(self.full, other.full),
            hint=_best(self.hint, other.hint),
            first_seen=min((m for m in (self.first_seen, other.first_seen) if m), default=None),
            last_seen=max((m for m in (self.last_seen, other.last_seen) if m), default=None),
            names=_united(self.names, other.names),
            hinted=_united(self.hinted, other.hinted),
            indicators=_united(self.indicators, other.indicators),
            worst=max(self.worst, other.worst, key=_grave),
            blocked=self.blocked and other.blocked,
        )

    def finding(self) -> Finding:
        """The finding as it stands: the best full telling, which a newer hint may only make graver."""
        best = self.full or self.hint
        assert best is not None  # noqa: S101 - a telling is made from a finding
        if self.full is not None and self.hint is not None:
            graver = max(self.full.severity, self.hint.severity, key=_grave)
            status = self.hint.status if self.hint.status.open and later(self.full, self.hint) is self.hint else best.status
            best = replace(self.full, status=status, severity=graver)
        if best.kind is Kind.THREAT and (best.severity, best.blocked, best.indicators) != self._told():
            # What was detected was detected: a milder, a stopped or another event of the same rule takes nothing back.
            best = replace(best, severity=self.worst, blocked=self.blocked, indicators=self.indicators)
        names = self.names or self.hinted
        if names != best.asset.aliases:
            best = replace(best, asset=replace(best.asset, aliases=names))
        if (best.first_seen, best.last_seen) != (self.first_seen, self.last_seen):
            best = replace(best, first_seen=self.first_seen, last_seen=self.last_seen)
        return best

    def _told(self) -> tuple[Severity, bool, tuple[Indicator, ...]]:
        return self.worst, self.blocked, self.indicators


def _grave(severity: Severity) -> tuple[int, int]:
    return severity.weight, int(severity)


def _united(one: tuple[_Any, ...], other: tuple[_Any, ...]) -> tuple[_Any, ...]:
    """Both, in a stable order; sorted only when they differ, which is seldom."""
    return one if one == other else tuple(sorted({*one, *other}, key=repr))


def telling(finding: Finding) -> Telling:
    """A single telling."""
    names, none = finding.asset.aliases, ()
    return Telling(
        full=None if finding.hint else finding,
        hint=finding if finding.hint else None,
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        names=none if finding.hint else names,
        hinted=names if finding.hint else none,
        indicators=finding.indicators,
        worst=finding.severity,
        blocked=finding.blocked,
    )


def _best(one: Finding | None, other: Finding | None) -> Finding | None:
    if one is None or other is None:
        return one or other
    return later(one, other)

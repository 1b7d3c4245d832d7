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
class Heard:
    """What adds up over tellings of one sort: how grave it was at worst, whether it was always stopped, what was seen, and
    when we last heard it.
    """

    worst: Severity
    blocked: bool
    indicators: tuple[Indicator, ...]
    at: datetime | None

    def merged(self, other: Heard | None) -> Heard:
        """The two together."""
        if other is None:
            return self
        return Heard(
            worst=max(self.worst, other.worst, key=_grave),
            blocked=self.blocked and other.blocked,
            indicators=_united(self.indicators, other.indicators),
            at=max((moment for moment in (self.at, other.at) if moment), default=None),
        )


@dataclass(frozen=True, slots=True)
class Telling:
    """What is known of one key so far. `names` are those of full tellings; `sure` is what they add up to, `hinted` what
    notifications do.
    """

    full: Finding | None
    hint: Finding | None
    first_seen: datetime | None
    last_seen: datetime | None
    names: tuple[str, ...]
    sure: Heard | None
    hinted: Heard | None

    def merged(self, other: Telling) -> Telling:
        """The two together."""
        return Telling(
            full=_best(self.full, other.full),
            hint=_best(self.hint, other.hint),
            first_seen=min((m for m in (self.first_seen, other.first_seen) if m), default=None),
            last_seen=max((m for m in (self.last_seen, other.last_seen) if m), default=None),
            names=_united(self.names, other.names),
            sure=_both(self.sure, other.sure),
            hinted=_both(self.hinted, other.hinted),
        )

    def finding(self) -> Finding:
        """The finding as it stands: the best full telling, which a later hint may only make graver.

        A finding that is as grave as it is because a hint says so is a hint; once its platform was heard after the hint,
        the platform's word stands alone.
        """
        best = self._sure() if self.full is not None else self._hinted()
        if self.full is not None and self.hint is not None and self._hint_counts():
            best = self._graver(best, self.hint)
        names = self.names or best.asset.aliases
        if names != best.asset.aliases:
            best = replace(best, asset=replace(best.asset, aliases=names))
        if (best.first_seen, best.last_seen) != (self.first_seen, self.last_seen):
            best = replace(best, first_seen=self.first_seen, last_seen=self.last_seen)
        return best

    def _sure(self) -> Finding:
        assert self.full is not None  # noqa: S101 - `finding` saw to it
        return _added_up(self.full, self.sure)

    def _hinted(self) -> Finding:
        assert self.hint is not None  # noqa: S101 - a telling is made from a finding
        return _added_up(self.hint, self.hinted)

    def _hint_counts(self) -> bool:
        """Whether no full telling was heard after the last hint."""
        sure, hinted = self.sure.at if self.sure else None, self.hinted.at if self.hinted else None
        return sure is None or hinted is None or hinted >= sure

    def _graver(self, best: Finding, hint: Finding) -> Finding:
        threat = best.kind is Kind.THREAT and self.hinted is not None
        said = self.hinted.worst if threat and self.hinted is not None else hint.severity
        severity = max(best.severity, said, key=_grave)
        opened = hint.status.open and self.full is not None and later(self.full, hint) is hint
        status = hint.status if opened else best.status
        blocked = best.blocked and (self.hinted.blocked if threat and self.hinted is not None else True)
        if (severity, status.open, blocked) == (best.severity, best.status.open, best.blocked):
            return best if status is best.status else replace(best, status=status)
        return replace(best, status=status, severity=severity, blocked=blocked, hint=True)


def _added_up(best: Finding, heard: Heard | None) -> Finding:
    """What was detected was detected: a milder, a stopped or another event of the same rule takes nothing back."""
    if heard is None or best.kind is not Kind.THREAT:
        return best
    if (best.severity, best.blocked, best.indicators) == (heard.worst, heard.blocked, heard.indicators):
        return best
    return replace(best, severity=heard.worst, blocked=heard.blocked, indicators=heard.indicators)


def _both(one: Heard | None, other: Heard | None) -> Heard | None:
    return other if one is None else one.merged(other)


def _grave(severity: Severity) -> tuple[int, int]:
    return severity.weight, int(severity)


def _united(one: tuple[_Any, ...], other: tuple[_Any, ...]) -> tuple[_Any, ...]:
    """Both, in a stable order; sorted only when they differ, which is seldom."""
    return one if one == other else tuple(sorted({*one, *other}, key=repr))


def telling(finding: Finding) -> Telling:
    """A single telling."""
    heard = Heard(finding.severity, finding.blocked, finding.indicators, finding.times.received)
    return Telling(
        full=None if finding.hint else finding,
        hint=finding if finding.hint else None,
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        names=() if finding.hint else finding.asset.aliases,
        sure=None if finding.hint else heard,
        hinted=heard if finding.hint else None,
    )


def _best(one: Finding | None, other: Finding | None) -> Finding | None:
    if one is None or other is None:
        return one or other
    return later(one, other)

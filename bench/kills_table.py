"""The one table of a lane: what was done of each kind, and what was found wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bench.kills_run import Result
from bench.kills_tasks import SINGLE

_ABOUT = ("cases", "effects", "owners", "deliveries", "ledger", "states", "life")
_DONE = ("runs", "kills", "twice", "outages", "sleeps", "jumps")
_WIDTH = 10


def table(results: Sequence[Result], clean: Result) -> str:
    """A line for each kind of strike, what is left unstruck, and what 0 violations are worth."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        kinds[one.kind].append(one)
    lines = ["", _line("", (*_DONE, *_ABOUT, "seconds"))]
    lines += [_line(kind, _row(rows)) for kind, rows in kinds.items()]
    lines += [_line("all", _row(results)), *_unstruck(kinds[SINGLE], clean), *_worth(results)]
    whole = sorted({(one.cases, one.effects) for one in results})
    lines.append(f"cases and AWS calls that changed something: {whole}; without kills: {(clean.cases, clean.effects)}")
    return "\n".join(lines)


def _line(kind: str, cells: Iterable[object]) -> str:
    return f"{kind:12}" + "".join(f"{one!s:>{_WIDTH}.{_WIDTH}}" for one in cells)


def _row(rows: Sequence[Result]) -> list[object]:
    done = [
        *(len(rows), sum(one.deaths for one in rows), sum(one.doubles for one in rows)),
        *(sum(one.outages for one in rows), sum(one.stops for one in rows), sum(one.jumps for one in rows)),
    ]
    wrong = [sum(any(text.startswith(about) for text in one.problems) for one in rows) for about in _ABOUT]
    return [*done, *(one or "ok" for one in wrong), f"{sum(one.seconds for one in rows):.0f}"]


def _unstruck(once: Sequence[Result], clean: Result) -> Iterable[str]:
    if once:
        kinds, hit = set(clean.passed), {name for one in once for name in one.struck}
        made = sum(one.deaths for one in once)
        yield f"\nboundaries struck once: {made} of {len(once)}, {len(kinds & hit)} of {len(kinds)} kinds"
        if kinds - hit:
            yield f"not struck: {', '.join(sorted(kinds - hit))}"


def _worth(results: Sequence[Result]) -> Iterable[str]:
    """The rule of three: what n trials without a failure say with 95 % confidence."""
    kills = sum(one.deaths for one in results)
    if kills and not any(one.problems for one in results):
        yield f"0 violations in {kills} kills: with 95 % confidence fewer than {3 / kills:.2%} of kills do harm"

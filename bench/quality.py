"""The lab over thirty seeds nobody built against, beside a plain severity sort.

`python bench/quality.py [--seeds 2001-2030] [--size small] [--attacks 3]`. Run by `make quality`. Each seed is another
company on another day; its files go through the same code as `isthmus triage`, on the settings the lab writes.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import mean, stdev

from isthmus.doors.cli import triage
from isthmus.lab.day import Day
from isthmus.lab.score import FIRST, Score, score
from isthmus.settings import load

_Z = 1.959964
"""The normal deviate of a two-sided 95 % interval."""

_HEAD = (
    f"{'seed':>6} {'claims':>7} {'inc.':>5} {'found':>6} {'sort':>6} {'thr.':>6} {'prec.':>6} {'(queue)':>8} {'recall':>7} "
    f"{'fold':>6} {'kept':>6} {'near':>5} {'ms/claim':>9}  worst attack"
)


def main() -> None:
    """One line per seed, then the means with their n."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seeds", default="2001-2030")
    asked.add_argument("--size", default="small")
    asked.add_argument("--attacks", type=int, default=3)
    given = asked.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    print(_HEAD)
    rows = []
    for seed in seeds:
        one, spent = run(seed, given.size, given.attacks)
        rows.append((one, spent))
        print(_line(seed, one, spent))
    _means(rows)


def run(seed: int, size: str, attacks: int) -> tuple[Score, float]:
    """The score of one day, and the milliseconds per claim its triage took, files read included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        day = Day(seed, size, attacks)
        day.write(folder)
        settings = load(folder / "isthmus.yaml")
        before = time.perf_counter()
        document, _ = triage.run([str(folder / "exports")], settings, day.end + timedelta(hours=1))
        spent = time.perf_counter() - before
    return score(document, day.truth), 1000 * spent / document.counts.seen


def _line(seed: int, one: Score, spent: float) -> str:
    total = len(one.attacks)
    worst = max(one.attacks, key=lambda landing: landing.rank or math.inf)
    place = f"{worst.story.kind} at {worst.rank or 'no place'}, {worst.held:.0%} of it"
    return (
        f"{seed:>6} {one.claims:>7} {one.incidents:>5} "
        f"{one.found:>4}/{total} {one.found_by_severity:>4}/{total} {one.found_by_threats:>4}/{total} "
        f"{one.precision:>6.2f} {one.precision_queue:>8.2f} {one.recall:>7.2f} {one.fold:>6.1f} {one.kept:>6.2f} "
        f"{one.best_near_miss or 'none':>5} {spent:>9.3f}  {place}"
    )


def _means(rows: list[tuple[Score, float]]) -> None:
    total = sum(len(one.attacks) for one, _ in rows)
    found = [sum(one.found for one, _ in rows), sum(one.found_by_severity for one, _ in rows)]
    found.append(sum(one.found_by_threats for one, _ in rows))
    print(f"\nattacks in the first {FIRST}, over {len(rows)} days and {total} attacks (95 % Wilson interval)")
    labels = ("the attack's incident, triaged", "any claim of it, by severity sort", "the same, of threats only")
    for label, number in zip(labels, found, strict=True):
        print(f"  {label:<36}" + _share(number, total))
    print(f"\nmeans over n = {len(rows)} days (standard deviation)")
    columns = (
        ("precision of merging (pairs)", [one.precision for one, _ in rows]),
        ("  without the backlog", [one.precision_queue for one, _ in rows]),
        ("recall of merging (pairs)", [one.recall for one, _ in rows]),
        ("fold (claims per incident)", [one.fold for one, _ in rows]),
        ("share of attacks' claims kept", [one.kept for one, _ in rows]),
        ("milliseconds per claim", [spent for _, spent in rows]),
    )
    for name, values in columns:
        print(f"  {name:<31} {mean(values):>8.3f} ({stdev(values) if len(values) > 1 else 0.0:.3f})")
    near = [one.best_near_miss for one, _ in rows if one.best_near_miss is not None]
    if near:
        print(f"  {'rank of the best near-miss':<31} {mean(near):>8.3f} (n = {len(near)})")


def _share(found: int, total: int) -> str:
    low, high = wilson(found, total)
    return f"{found} of {total} = {found / total:.3f} ({low:.3f} to {high:.3f})" if total else "none played"


def wilson(found: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927), between 0 and 1."""
    if not total:
        return 0.0, 1.0
    share, squared = found / total, _Z * _Z
    centre = share + squared / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + squared / (4 * total * total))
    scale = 1 + squared / total
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)


if __name__ == "__main__":
    main()

"""Kill -9 at every durable boundary of the line, resume, and see that nothing is lost and nothing is done twice.

python bench/kills.py [--sample N] [--twice N] [--seed S] [--fine] [--lanes N] [--plant | --then-plant NAME|all]

A run without kills counts the boundaries. Then, for each of them, a fresh world is told the same alerts, the product is
killed there, started again on what it left, and everything is held against what the outside saw. What this does not show:
a loss of power (the operating system lives on), and a machine with two processes on one folder.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Run as a file, and yet several files: the checkout is where they are found.
sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.kills_choice import chosen, twice
from bench.kills_lane import Lanes, Result
from bench.kills_life import UNSOWN, warm
from bench.kills_plants import PLANTS

_ABOUT = ("cases", "effects", "deliveries", "ledger", "states", "life")


def options(given: Sequence[str]) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="so many boundaries, each kind first; 0 is all of them")
    parser.add_argument("--twice", type=int, default=60, help="so many runs killed again while they recover")
    parser.add_argument("--seed", type=int, default=20260302)
    parser.add_argument("--fine", action="store_true", help="every statement inside a writing transaction is a boundary too")
    parser.add_argument("--lanes", type=int, default=2, help="worlds side by side")
    parser.add_argument("--plant", choices=[*PLANTS, "all"], help="plant a bug instead; the run must then fail")
    parser.add_argument("--then-plant", choices=[*PLANTS, "all"], help="plant it afterwards; it must be caught")
    return parser.parse_args(given)


def told(results: Iterator[Result], total: int, began: float) -> Iterator[Result]:
    """The results as they come, with a line now and then."""
    wrong = 0
    for number, one in enumerate(results, 1):
        wrong += bool(one.problems)
        if one.problems:
            print(f"  VIOLATION {' then '.join(map(str, one.kills))} ({one.boundary}): {one.problems[0][:400]}", flush=True)
        if number % 20 == 0 or number == total:
            spent = time.monotonic() - began
            print(f"  {number} of {total} runs, {wrong} with violations, {spent:.0f} s", flush=True)
        yield one


def table(results: Sequence[Result], clean: dict[str, Any]) -> None:
    """One line for each kind of boundary."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        kinds[one.boundary.partition("|")[2] if len(one.kills) == 1 else "killed twice"].append(one)
    titles = ("k", "killed", "resumed", *_ABOUT)
    width = max(map(len, kinds), default=0)
    print(f"\n{'around':{width}}  " + "  ".join(f"{one:>7.10}" for one in titles))
    for kind, rows in sorted(kinds.items(), key=lambda one: (one[0] == "killed twice", one[0])):
        numbers = [len(rows), sum(one.deaths for one in rows), sum(one.resumed for one in rows)]
        wrong = [sum(any(text.startswith(about) for text in one.problems) for one in rows) for about in _ABOUT]
        shown = [str(number) for number in numbers] + [str(number) if number else "ok" for number in wrong]
        print(
            f"{kind:{width}}  " + "  ".join(f"{one:>{max(7, len(title))}.10}" for one, title in zip(shown, titles, strict=True))
        )
    whole = {(one.cases, one.effects) for one in results}
    print(f"\ncases and AWS calls that changed something, in every run: {sorted(whole)}; without kills: {clean['whole']}")


def killed(lanes: Lanes, asked: argparse.Namespace, names: Sequence[str], clean: dict[str, Any]) -> int:
    """Every kill that was asked for, and the table; the number of runs with violations."""
    rng, began = random.Random(asked.seed), time.monotonic()
    kills = [(number,) for number in chosen(names, asked.sample, rng)] + twice(names, asked.twice, rng)
    tasks = [{"kills": one, "plant": "", "clean": clean["state"], "fine": asked.fine} for one in kills]
    results = list(told(lanes.done(tasks), len(tasks), began))
    table(results, clean)
    wrong = sum(bool(one.problems) for one in results)
    deaths = sum(one.deaths for one in results)
    spent = time.monotonic() - began
    print(f"{len(results)} runs, {deaths} kills, {wrong} runs with violations, {spent:.0f} s (seed {asked.seed})")
    if deaths < len(kills) * 0.9:
        print("too few lives were really killed for this to show anything")
        return wrong + 1
    return wrong


def planted(lanes: Lanes, asked: argparse.Namespace, plant: str, clean: dict[str, Any]) -> int:
    """Each bug until it is seen; the number of bugs that were not. Failing on a bug is what is hoped for."""
    wanted = list(PLANTS) if plant == "all" else [plant]
    given = {"seed": asked.seed, "clean": clean["state"], "fine": asked.fine}
    tasks = [{"plant": name, **given} for name in wanted]
    missed = 0
    for one in lanes.done(tasks):
        seen = bool(one.problems) and UNSOWN not in one.problems[0]
        missed += not seen
        said = f"in run {one.runs}, {one.boundary or 'without any kill'}: {one.problems[0][:160]}" if one.problems else ""
        print(f"{'caught' if seen else 'MISSED'}  {one.plant}: {PLANTS[one.plant].what}; {said}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} planted bugs caught")
    return missed


def main(given: Sequence[str]) -> int:
    """Exit code 1 on any violation. With one plant it is 1 when the bug was seen, as it must; with all, when one was not."""
    asked = options(given)
    # Ended from outside, it still ends its lanes, and they their servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    warm()
    with tempfile.TemporaryDirectory(prefix="isthmus-kills-") as folder, Lanes(Path(folder), asked.lanes) as lanes:
        first = next(lanes.done([{"kills": (), "plant": "", "clean": None, "fine": asked.fine}]))
        print(
            f"without kills: {len(first.passed)} boundaries of {len(set(first.passed))} kinds, {first.seconds:.1f} s",
            flush=True,
        )
        if first.problems:
            print("\n".join(first.problems))
            return 1
        clean = {"state": first.state, "whole": (first.cases, first.effects)}
        if asked.plant:
            missed = planted(lanes, asked, asked.plant, clean)
            return int(bool(missed) if asked.plant == "all" else not missed)
        wrong = killed(lanes, asked, first.passed, clean)
        if asked.then_plant:
            wrong += planted(lanes, asked, asked.then_plant, clean)
        return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

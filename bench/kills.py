"""Kill -9 wherever it hurts, resume, and see that nothing is lost and nothing is done twice.

python bench/kills.py [--sample N] [--random N] [--twice N] [--outages N] [--episodes N] [--seed S] [--fine] [--lanes N]
                      [--plant NAME|all | --then-plant NAME|all] [--replay TASK]

A run without kills counts the boundaries. Then fresh worlds are told the same alerts, and the product is killed there: at
every boundary once; at random, many times in a row; again while it recovers; its PostgreSQL under it; and one of several
that work at once killed, put to sleep or with its clock set wrong. Everything is held against what the outside saw. What
this does not show: a loss of power, for the operating system lives on, and a sleep between the last look at the lease and
the first byte that leaves.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Run as a file, and yet several files: the checkout is where they are found.
sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.kills_lane import Lanes
from bench.kills_life import UNSOWN, warm
from bench.kills_plants import PLANTS
from bench.kills_run import Result
from bench.kills_table import table
from bench.kills_tasks import tasks

_ENOUGH = 0.85
"""Of the strikes that were meant so many have to be made; a boundary is not passed as often in every life."""


def options(given: Sequence[str]) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="so many boundaries, each kind first; 0 is all of them")
    parser.add_argument("--shared", type=int, default=24, help="so many of them on PostgreSQL too")
    parser.add_argument("--random", type=int, default=1_000, help="so many kills at random")
    parser.add_argument("--twice", type=int, default=1_000, help="so many kills while it recovers from a kill")
    parser.add_argument("--outages", type=int, default=64, help="so many kills of PostgreSQL")
    parser.add_argument("--episodes", type=int, default=64, help="so many times several work, and one is struck")
    parser.add_argument("--seed", type=int, default=20260302)
    parser.add_argument("--fine", action="store_true", help="every statement inside a writing transaction is a boundary too")
    parser.add_argument("--lanes", type=int, default=4, help="worlds side by side")
    parser.add_argument("--plant", choices=[*PLANTS, "all"], help="plant a bug instead; the run must then fail")
    parser.add_argument("--then-plant", choices=[*PLANTS, "all"], help="plant it afterwards; it must be caught")
    parser.add_argument("--replay", type=json.loads, help="one run again, as it was printed")
    return parser.parse_args(given)


def told(results: Iterator[Result], total: int, began: float) -> Iterator[Result]:
    """The results as they come, with a line now and then, and for each violation how to see it again."""
    wrong = 0
    for number, one in enumerate(results, 1):
        wrong += bool(one.problems)
        if one.problems:
            again = {name: value for name, value in one.given.items() if name not in {"clean", "names"}}
            print(f"  VIOLATION ({', '.join(one.struck)}): {' / '.join(one.problems)[:400]}")
            print(f"    again: {sys.executable} bench/kills.py --replay {shlex.quote(json.dumps(again))}", flush=True)
        if number % 50 == 0 or number == total:
            spent = time.monotonic() - began
            print(f"  {number} of {total} runs, {wrong} with violations, {spent:.0f} s", flush=True)
        yield one


def struck(lanes: Lanes, asked: argparse.Namespace, clean: Result) -> int:
    """Everything that was asked for, and the table; the number of runs with violations."""
    began = time.monotonic()
    wanted = [asked.replay] if asked.replay else tasks(asked, clean.passed, random.Random(asked.seed))
    for one in wanted:
        one.update(plant=one.get("plant", ""), clean=clean.state, fine=asked.fine)
    results = list(told(lanes.done(wanted), len(wanted), began))
    print(table(results, clean))
    wrong = sum(bool(one.problems) for one in results)
    print(
        f"{len(results)} runs, {wrong} runs with violations, {time.monotonic() - began:.0f} s (seed {asked.seed})", flush=True
    )
    meant = sum(bool(strikes) for one in results if one.kind != "several" for strikes in one.given["fatals"])
    made = sum(one.deaths for one in results if one.kind != "several")
    if made < meant * _ENOUGH:
        print(f"only {made} of {meant} lives were really killed: too few for this to show anything")
        return wrong + 1
    return wrong


def planted(lanes: Lanes, asked: argparse.Namespace, plant: str, clean: Result) -> int:
    """Each bug until it is seen; the number of bugs that were not. Failing on a bug is what is hoped for."""
    wanted = list(PLANTS) if plant == "all" else [plant]
    given = {"kind": "hunt", "seed": asked.seed, "clean": clean.state, "fine": asked.fine, "names": clean.passed}
    missed, began = 0, time.monotonic()
    for one in lanes.done([{**given, "plant": name} for name in wanted]):
        seen = bool(one.problems) and UNSOWN not in " ".join(one.problems)
        missed += not seen
        name, where = one.given["plant"], ", ".join(one.struck) or "no kill"
        said = f"in run {one.runs} ({where}): {one.problems[0][:140]}" if one.problems else f"in {one.runs} runs"
        print(f"{'caught' if seen else 'MISSED'}  {name}: {PLANTS[name].what}; {said}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} planted bugs caught, {time.monotonic() - began:.0f} s")
    return missed


def main(given: Sequence[str]) -> int:
    """Exit code 1 on any violation. With one plant it is 1 when the bug was seen, as it must; with all, when one was not."""
    asked = options(given)
    # Ended from outside, it still ends its lanes, and they their servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    warm()
    made = tempfile.TemporaryDirectory(prefix="isthmus-kills-", ignore_cleanup_errors=True)
    with made as folder, Lanes(Path(folder), asked.lanes) as lanes:
        return _asked(lanes, asked)


def _asked(lanes: Lanes, asked: argparse.Namespace) -> int:
    plain: dict[str, Any] = {"kind": "clean", "shared": False, "fatals": [], "plant": "", "clean": None, "fine": asked.fine}
    clean = next(lanes.done([plain]))
    kinds = len(set(clean.passed))
    print(f"without kills: {len(clean.passed)} boundaries of {kinds} kinds, {clean.seconds:.1f} s", flush=True)
    if clean.problems:
        print("\n".join(clean.problems))
        return 1
    if asked.plant:
        missed = planted(lanes, asked, asked.plant, clean)
        return int(bool(missed) if asked.plant == "all" else not missed)
    wrong = struck(lanes, asked, clean)
    if asked.then_plant:
        wrong += planted(lanes, asked, asked.then_plant, clean)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

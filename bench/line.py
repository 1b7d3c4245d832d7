"""The whole line measured: intake, alert to case, growth, cost, ledger, kill switch; each figure beside its target.

    python bench/line.py [--rounds 3] [--only intake,cases,...] [--postgresql] [--million] [--storm 5000]

One interleaved run: every chapter takes one sample a round, and ratios are taken between samples of one round. A figure
by itself is that of this machine at this load, which is printed; a ratio is worth more. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.line_chapters import Cases, Chapter, Database, Intake, Row
from bench.line_inside import Growth, Ledger, Proofs, Switch, Whole
from tests.databases import Server as PostgreSQL

CHAPTERS = ("intake", "cases", "whole", "findings", "waiting", "open", "policies", "ledger", "proofs", "switch")
_FURTHER = 200


def chosen(given: argparse.Namespace, database: Database) -> Iterator[Callable[[], Chapter]]:
    """The chapters asked for, each still to be set up."""
    sizes = (1_000, 10_000, 100_000, *([1_000_000] if given.million else []))
    ways: dict[str, Callable[[], Chapter]] = {
        "intake": lambda: Intake(database, given.number, (1, 16, 64)),
        "cases": lambda: Cases(database, 30, given.storm),
        "whole": lambda: Whole(database, given.number),
        "findings": lambda: Growth(database, "findings", sizes, {100_000: 1.15, 1_000_000: 1.3}, _FURTHER, 0),
        "waiting": lambda: Growth(database, "waiting", (0, 1_000, 10_000), {10_000: 1.05}, _FURTHER, 4.0),
        "open": lambda: Growth(database, "open", (10, 10_000), {10_000: 1.2}, _FURTHER, 0),
        "policies": lambda: Growth(database, "policies", (12, 100, 200), {200: 1.3}, _FURTHER, 0),
        "ledger": lambda: Ledger(database, 4_096),
        "proofs": lambda: Proofs((10_000, 100_000, 1_000_000)),
        "switch": lambda: Switch(database, 120),
    }
    return (ways[name] for name in given.only)


@contextmanager
def databases(postgresql: bool) -> Iterator[Database]:
    """Where each installation keeps what it has."""
    if not postgresql:
        yield str
        return
    with tempfile.TemporaryDirectory(prefix="isthmus-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgreSQL(folder)
        try:
            yield lambda: server.fresh().render_as_string(hide_password=False)
        finally:
            server.stop()


def shown(chapter: Chapter) -> bool:
    """Print the rows of a chapter; whether every target was met."""
    print(f"\n{chapter.title}")
    whole = True
    for row in chapter.rows():
        print(
            f"  {row.what:<52} {_figure(row.figure):>10} {row.unit:<6} {_target(row):>10} {row.met:<7} n={row.n:,}", flush=True
        )
        whole = whole and row.met != "MISSED"
    return whole


def _figure(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.3g}"


def _target(row: Row) -> str:
    if row.at_most is not None:
        return f"<= {row.at_most:g}"
    return f">= {row.at_least:g}" if row.at_least is not None else ""


def load() -> str:
    """How busy the machine is, ourselves included."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def run(chapters: Sequence[Chapter], rounds: int) -> bool:
    """All rounds, then all rows; whether every target was met."""
    try:
        for number in range(rounds):
            print(f"round {number + 1}: {load()}", flush=True)
            for chapter in chapters:
                began = time.monotonic()
                chapter.sample(number)
                print(f"  {chapter.title}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        met = [shown(chapter) for chapter in chapters]
        return all(met)
    finally:
        for chapter in chapters:
            chapter.close()


def main() -> int:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--number", type=int, default=600, help="alerts a sample")
    asked.add_argument("--storm", type=int, default=5_000)
    asked.add_argument("--only", type=lambda text: text.split(","), default=list(CHAPTERS), help=", ".join(CHAPTERS))
    asked.add_argument("--postgresql", action="store_true")
    asked.add_argument("--million", action="store_true", help="with a million findings stored (minutes to seed)")
    given = asked.parse_args()
    kind = "PostgreSQL 18" if given.postgresql else "SQLite"
    print(f"{kind}; {load()}; medians of {given.rounds} interleaved rounds; platforms in process, no model", flush=True)
    with databases(given.postgresql) as database:
        whole = run([make() for make in chosen(given, database)], given.rounds)
    print(f"\n{load()}")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())

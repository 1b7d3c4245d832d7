"""What reading a batch costs while the store grows, up to a million findings: `python -m bench.reading [most [database]]`.

For each size a fresh installation is filled in bulk, then batches of new alerts are read into it, as of an estate of a
hundred thousand alerts in twenty accounts. The last column is the CPU time of a batch over that at the first size.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from bench.line_alerts import NOW, body, findings
from bench.line_seed import seed_findings
from sqlalchemy import event
from tests.databases import Server

from isthmus import assembly
from isthmus.desk.reading import BATCH, Reader
from isthmus.desk.sorting import Sorting
from isthmus.model.findings import Finding
from isthmus.record import inbox
from isthmus.record.inbox import API, Handed
from isthmus.record.store import open_store

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS, ACCOUNTS, KNOWN = 5, 20, 100
"""Of each batch so many alerts are on assets with findings on record, other ones each time; the rest on new ones."""
_HEAD = ("database", "stored", "batch ms", "cpu ms", "alerts/s", "statements", "over first")


def main() -> None:
    """Each database, all sizes in turn, so that what else the machine does falls on all alike."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(" ".join(f"{one:>10}" for one in _HEAD))
    with tempfile.TemporaryDirectory() as named, _server(Path(named)) as server:
        for name in sys.argv[2:] or ["sqlite", "postgresql"]:
            sizes = [one for one in SIZES if one <= most]
            places = [Path(named) / f"{name}-{size}" for size in sizes]
            measures = [
                _Measure(one, size, server if name == "postgresql" else None) for one, size in zip(places, sizes, strict=True)
            ]
            for turn in range(ROUNDS + 1):
                for one in measures:
                    one.read(turn)
            _print(name, measures)


def _print(name: str, measures: Sequence[_Measure]) -> None:
    first = measures[0].medians()[1]
    for one in measures:
        took, cpu, statements = one.medians()
        row = f"{took:.0f}", f"{cpu:.0f}", f"{BATCH / took * 1_000:.0f}", f"{statements:.0f}", f"{cpu / first:.2f}"
        print(" ".join(f"{one:>10}" for one in (name, f"{one.size:,}", *row)), flush=True)
        one.store.close()


@contextmanager
def _server(folder: Path) -> Iterator[Server]:
    folder.chmod(0o755)
    (folder / "server").mkdir()
    server = Server(folder / "server")
    try:
        yield server
    finally:
        server.stop()


class _Measure:
    """An installation with so many findings, and what its batches took: milliseconds, of these our own CPU, statements."""

    def __init__(self, folder: Path, size: int, server: Server | None) -> None:
        self.size, self.times = size, list[tuple[float, float, float]]()
        self.store = open_store(folder, server.fresh() if server is not None else None)
        seed_findings(self.store, size, Sorting(self.store, frozenset()).mark)
        self._reader = Reader(self.store, {"wiz": assembly.connector("wiz").source}, frozenset(), frozenset())
        self._asked: list[str] = []
        event.listen(self.store._engine, "before_cursor_execute", lambda *told: self._asked.append(told[2]))

    def read(self, turn: int) -> None:
        """One batch. The first of an installation is not counted."""
        new = islice(findings(turn, 1_000_000, ACCOUNTS, 10**6), BATCH - KNOWN)
        told = [body(one) for one in chain(islice(self._on_known(turn), KNOWN), new)]
        with self.store.writing() as connection:
            inbox.accept(connection, [Handed("default", "wiz", "wiz-main", API, "bench", one, NOW) for one in told])
        self._asked.clear()
        began, cpu = time.perf_counter(), time.process_time()
        assert self._reader.read(NOW) == BATCH
        if turn:
            took = (time.perf_counter() - began) * 1_000, (time.process_time() - cpu) * 1_000
            self.times.append((*took, float(len(self._asked))))

    def _on_known(self, turn: int) -> Iterator[Finding]:
        """New findings on the assets that were put in, a part of them of its own for each round."""
        wide = min(max(self.size, 1_000), 100_000)
        yield from (one for one in findings(1_000 + turn, wide, ACCOUNTS) if _slice(one) == turn)

    def medians(self) -> list[float]:
        return [statistics.median(column) for column in zip(*self.times, strict=True)]


def _slice(finding: Finding) -> int:
    return zlib.crc32(finding.asset.ids[0].encode()) % (ROUNDS + 1)


if __name__ == "__main__":
    main()

"""20,000 mutated payloads through the whole line: how many were read, how many rejected, and that nothing broke.

python bench/mutations.py [COUNT] [SEED]
"""

from __future__ import annotations

import collections
import sys
import time

import msgspec
from tests.mutating import mutated
from tests.telling import documented, triaged

BATCH = 500


def main() -> int:
    """Prints counts and a rule-of-three bound; exit code 1 when anything but a finding or a rejection came out."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20_261_123
    totals: collections.Counter[str] = collections.Counter()
    broken, batch, started = [], list[bytes](), time.perf_counter()
    for number, body in enumerate(mutated(count, seed), start=1):
        batch.append(body)
        if len(batch) == BATCH or number == count:
            try:
                done = triaged(batch)
                msgspec.json.encode(documented(done))
                totals.update({name: getattr(done.counts, name) for name in ("seen", "stored", "duplicate", "rejected")})
            except Exception as error:  # noqa: BLE001 - counting what must never happen
                broken.append(f"batch ending at {number}: {type(error).__name__}: {error}")
            batch.clear()
    print(f"{count} payloads (seed {seed}) in {time.perf_counter() - started:.0f} s: {dict(totals)}")
    print(f"tracebacks: {len(broken)} of {count}" + ("" if broken else f" (95 % upper bound {3 / count:.5f})"))
    print("\n".join(broken[:20]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

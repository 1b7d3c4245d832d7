"""Somebody with the whole database in hand, and in every second case with the log's key, changes what was witnessed.

The verifier holds one old checkpoint with a witness's signature and the two public keys, nothing else. Every change that
touches an entry below it must be found; a log that only went on must raise no alarm.

    python bench/tampering.py [--each 400] [--honest 10000]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.tampering_classes import CLASSES, SIGNER, Change, Log, entry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from isthmus.record.audit import verify
from isthmus.record.checkpoints import read
from isthmus.record.cosignatures import WitnessKey, cosignature_time, cosigned, parts
from isthmus.record.ledger import BODIES, CHECKPOINTS, ENTRIES, HEAD, checkpoint, extend
from isthmus.record.schema import METADATA

WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS_KEY = WitnessKey("witness.example", WITNESS.public_key().public_bytes_raw())


class Template:
    """An honest log, copied for each attempt: some entries, the checkpoint somebody was given, and entries after it."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self._kept = sqlite3.connect(":memory:", check_same_thread=False)
        with _opened(self._kept) as connection:
            METADATA.create_all(connection, tables=[ENTRIES, BODIES, HEAD, CHECKPOINTS])
            extend(connection, [entry(number) for number in range(rng.randint(2, 40))])
            self.held = checkpoint(connection, SIGNER)
            self.held += cosigned(parts(self.held)[0], WITNESS_KEY.name, WITNESS, 1_700_000_000)
            for _ in range(rng.randint(0, 3)):
                extend(connection, [entry(number) for number in range(rng.randint(1, 10))])
                checkpoint(connection, SIGNER)
            extend(connection, [entry(number) for number in range(rng.randint(0, 5))])
        self.witnessed = read(self.held, SIGNER.key).size

    @contextmanager
    def copied(self, rng: random.Random) -> Iterator[Log]:
        raw = sqlite3.connect(":memory:", check_same_thread=False)
        self._kept.backup(raw)
        with _opened(raw) as connection:
            yield Log(connection, rng, self.witnessed)
        raw.close()

    def alarm(self, log: Log) -> bool:
        """What the verifier says, who trusts the two keys and holds the one note."""
        cosignature_time(self.held, WITNESS_KEY)
        return bool(verify(log.connection, SIGNER.key, [self.held]).problems)


@contextmanager
def _opened(raw: sqlite3.Connection) -> Iterator[Connection]:
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
    with engine.connect() as connection:
        yield connection
        connection.commit()


def found(change: Change, templates: list[Template], number: int) -> bool:
    """Whether attempt `number` of a class is found. The attacker has the log's key in every second one."""
    rng = random.Random(f"{change.__name__} {number}")
    template = rng.choice(templates)
    with template.copied(rng) as log:
        before = log.prefix()
        change(log, rng.randrange(log.witnessed))
        log.repaired()
        assert log.prefix() != before, "an attempt that changes nothing of what was witnessed is none"
        log.signed_anew(key_in_hand=number % 2 == 0)
        return template.alarm(log)


def false_alarm(templates: list[Template], number: int) -> bool:
    """Whether a log that only went on raises an alarm."""
    rng = random.Random(f"honest {number}")
    template = rng.choice(templates)
    with template.copied(rng) as log:
        extend(log.connection, [entry(rng.randrange(1_000)) for _ in range(rng.randint(0, 4))])
        if rng.random() < 0.5:
            checkpoint(log.connection, SIGNER)
        return template.alarm(log)


def main() -> int:
    parsed = argparse.ArgumentParser()
    parsed.add_argument("--each", type=int, default=400)
    parsed.add_argument("--honest", type=int, default=10_000)
    given, start = parsed.parse_args(), time.monotonic()
    templates, missed = [Template(seed) for seed in range(40)], 0
    print(f"{'class':<28}{'tried':>8}{'found':>8}")
    for change in CLASSES:
        hits = sum(found(change, templates, number) for number in range(given.each))
        missed += given.each - hits
        print(f"{change.__name__:<28}{given.each:>8}{hits:>8}", flush=True)
    alarms = sum(false_alarm(templates, number) for number in range(given.honest))
    print(f"{'all classes':<28}{given.each * len(CLASSES):>8}{given.each * len(CLASSES) - missed:>8}")
    print(f"honest logs that went on: {given.honest}, false alarms: {alarms}; {time.monotonic() - start:.0f} s")
    return 1 if missed or alarms else 0


if __name__ == "__main__":
    sys.exit(main())

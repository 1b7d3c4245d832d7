"""What somebody with the whole database in hand can do to a log: each way touches at least the entry it is given."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, insert, select, update

from isthmus.record.checkpoints import Checkpoint, Signer, signed
from isthmus.record.ledger import BODIES, CHECKPOINTS, ENTRIES, HEAD, Entry, commitment, leaf_of
from isthmus.record.merkle import grown, leaf_hash

AT = datetime(2026, 3, 1, tzinfo=UTC)
SIGNER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ALL = 10**6
Change = Callable[["Log", int], None]


def entry(number: int, **other: object) -> Entry:
    told = {"tenant": "default", "actor": f"person-{number % 7}", "event": "step.intent", "subject": f"INC-{number % 9}"}
    return Entry(**{**told, "body": {"number": number}, "at": AT + timedelta(seconds=number), **other})  # type: ignore[arg-type]


@dataclass
class Log:
    """A database in the attacker's hands; `witnessed` is how many entries the verifier's checkpoint covers."""

    connection: Connection
    rng: random.Random
    witnessed: int

    @property
    def size(self) -> int:
        return int(self.connection.execute(select(HEAD.c.size)).scalar_one())

    def put(self, index: int, what: Entry) -> None:
        """A forged entry, with a body that fits it, in the place of whatever was there."""
        salt, body = self.rng.randbytes(32), b'{"number":-1}'
        leaf = leaf_of(what, commitment(salt, body))
        self.drop(index)
        named = {"tenant": what.tenant, "subject": what.subject}
        self.connection.execute(insert(ENTRIES).values(idx=index, **named, leaf=leaf, leaf_hash=leaf_hash(leaf)))
        self.connection.execute(insert(BODIES).values(idx=index, salt=salt, body=body))

    def drop(self, index: int) -> None:
        for table in (ENTRIES, BODIES):
            self.connection.execute(delete(table).where(table.c.idx == index))

    def move(self, old: int, new: int) -> None:
        for table in (ENTRIES, BODIES):
            self.connection.execute(update(table).where(table.c.idx == old).values(idx=new))

    def swap(self, one: int, other: int) -> None:
        for old, new in ((one, ALL), (other, one), (ALL, other)):
            self.move(old, new)

    def leaf(self, index: int) -> bytes:
        return bytes(self.connection.execute(select(ENTRIES.c.leaf).where(ENTRIES.c.idx == index)).scalar_one())

    def write_leaf(self, index: int, leaf: bytes) -> None:
        self.connection.execute(update(ENTRIES).where(ENTRIES.c.idx == index).values(leaf=leaf))

    def prefix(self) -> list[tuple[object, ...]]:
        """Everything that was witnessed, as it stands now."""
        joined = ENTRIES.outerjoin(BODIES, ENTRIES.c.idx == BODIES.c.idx)
        rows = select(ENTRIES, BODIES.c.salt, BODIES.c.body).select_from(joined).where(ENTRIES.c.idx < self.witnessed)
        return [tuple(row) for row in self.connection.execute(rows.order_by(ENTRIES.c.idx))]

    def other(self, index: int) -> int:
        """Another entry than this one, anywhere."""
        return self.rng.choice([one for one in range(self.size) if one != index])

    def repaired(self) -> None:
        """Everything that follows from the entries made to fit them again."""
        rows = self.connection.execute(select(ENTRIES.c.idx, ENTRIES.c.leaf).order_by(ENTRIES.c.idx)).all()
        for row in rows:
            self.connection.execute(update(ENTRIES).where(ENTRIES.c.idx == row.idx).values(leaf_hash=leaf_hash(row.leaf)))
        frontier = grown(leaf_hash(row.leaf) for row in rows)
        self.connection.execute(update(HEAD).values(size=frontier.size, frontier=frontier.encoded(), root=frontier.root()))

    def signed_anew(self, key_in_hand: bool) -> None:
        """The checkpoints beside the log are gone; with the key, there is a new one that fits."""
        self.connection.execute(delete(CHECKPOINTS))
        size, frontier, root = self.connection.execute(select(HEAD.c.size, HEAD.c.frontier, HEAD.c.root)).one()
        if key_in_hand and size:
            note = signed(Checkpoint(SIGNER.name, size, root).text, SIGNER)
            self.connection.execute(insert(CHECKPOINTS).values(size=size, note=note, frontier=frontier))


def flip_a_bit(log: Log, at: int) -> None:
    leaf, bit = log.leaf(at), log.rng.randrange(8 * len(log.leaf(at)))
    log.write_leaf(at, bytes(byte ^ (1 << (bit & 7)) if place == bit >> 3 else byte for place, byte in enumerate(leaf)))


def other_actor(log: Log, at: int) -> None:
    log.write_leaf(at, log.leaf(at).replace(b'"actor":"person-', b'"actor":"nobody-'))


def other_event(log: Log, at: int) -> None:
    log.write_leaf(at, log.leaf(at).replace(b"step.intent", b"step.undone"))


def other_time(log: Log, at: int) -> None:
    log.write_leaf(at, log.leaf(at).replace(b"2026-03-01", b"2025-03-01"))


def forged_entry(log: Log, at: int) -> None:
    log.put(at, entry(5_000 + at))


def forged_run(log: Log, at: int) -> None:
    for index in range(at, min(log.size, at + log.rng.randint(2, 6))):
        log.put(index, entry(5_000 + index))


def deleted(log: Log, at: int) -> None:
    log.drop(at)


def deleted_and_closed(log: Log, at: int) -> None:
    size = log.size
    log.drop(at)
    for index in range(at + 1, size):
        log.move(index, index - 1)


def deleted_run(log: Log, at: int) -> None:
    size, many = log.size, log.rng.randint(2, 5)
    for index in range(at, min(size, at + many)):
        log.drop(index)
    for index in range(at + many, size):
        log.move(index, index - many)


def inserted(log: Log, at: int) -> None:
    for index in reversed(range(at, log.size)):
        log.move(index, index + 1)
    log.put(at, entry(5_000))


def repeated(log: Log, at: int) -> None:
    leaf = log.leaf(log.other(at))
    log.write_leaf(at, leaf)


def swapped(log: Log, at: int) -> None:
    log.swap(at, log.other(at))


def neighbours_swapped(log: Log, at: int) -> None:
    log.swap(at, at - 1 if at else 1)


def moved_to_the_end(log: Log, at: int) -> None:
    size = log.size
    at = min(at, size - 2)
    log.move(at, ALL)
    for index in range(at + 1, size):
        log.move(index, index - 1)
    log.move(ALL, size - 1)


def turned_round(log: Log, at: int) -> None:
    end = min(log.size - 1, at + log.rng.randint(1, 6)) if at < log.size - 1 else at
    start = at if end > at else at - 1
    for offset in range((end - start + 1) // 2):
        log.swap(start + offset, end - offset)


def cut_short(log: Log, at: int) -> None:
    for index in range(at, log.size):
        log.drop(index)


def cut_short_and_gone_on(log: Log, at: int) -> None:
    size = log.size
    cut_short(log, at)
    for index in range(at, size + 3):
        log.put(index, entry(7_000 + index))


def rewritten(log: Log, at: int) -> None:
    """Everything, wherever the attacker began."""
    del at
    for index in range(log.size):
        log.put(index, entry(6_000 + index))


def begun_later(log: Log, at: int) -> None:
    """The oldest entries are gone, as if the log had begun after them."""
    size = log.size
    for index in range(at + 1):
        log.drop(index)
    for index in range(at + 1, size):
        log.move(index, index - at - 1)


def two_made_one(log: Log, at: int) -> None:
    other = at + 1 if at + 1 < log.size else at - 1
    log.write_leaf(min(at, other), leaf_hash(log.leaf(min(at, other))) + leaf_hash(log.leaf(max(at, other))))
    deleted_and_closed(log, max(at, other))


def other_body(log: Log, at: int) -> None:
    log.connection.execute(update(BODIES).where(BODIES.c.idx == at).values(body=b'{"number":-1}'))


def other_salt(log: Log, at: int) -> None:
    log.connection.execute(update(BODIES).where(BODIES.c.idx == at).values(salt=log.rng.randbytes(32)))


def bodies_swapped(log: Log, at: int) -> None:
    other = log.other(at)
    for old, new in ((at, ALL), (other, at), (ALL, other)):
        log.connection.execute(update(BODIES).where(BODIES.c.idx == old).values(idx=new))


def kept_under_another_tenant(log: Log, at: int) -> None:
    log.connection.execute(update(ENTRIES).where(ENTRIES.c.idx == at).values(tenant="other"))


def kept_under_another_subject(log: Log, at: int) -> None:
    log.connection.execute(update(ENTRIES).where(ENTRIES.c.idx == at).values(subject="INC-999"))


CLASSES: tuple[Change, ...] = (
    *(flip_a_bit, other_actor, other_event, other_time, forged_entry, forged_run, deleted, deleted_and_closed, deleted_run),
    *(inserted, repeated, swapped, neighbours_swapped, moved_to_the_end, turned_round, cut_short, cut_short_and_gone_on),
    *(rewritten, begun_later, two_made_one, other_body, other_salt, bodies_swapped),
    *(kept_under_another_tenant, kept_under_another_subject),
)

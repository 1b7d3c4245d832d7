"""Somebody with the whole database in hand changes the ledger: what a checkpoint covers does not change unseen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, create_engine, delete, func, insert, select, update
from sqlalchemy.pool import StaticPool

from isthmus.model.errors import Refused
from isthmus.record.audit import verify
from isthmus.record.checkpoints import Signer
from isthmus.record.ledger import BODIES, CHECKPOINTS, ENTRIES, HEAD, Entry, checkpoint, commitment, extend, forget, leaf_of
from isthmus.record.merkle import grown, leaf_hash
from isthmus.record.schema import METADATA

AT = datetime(2026, 3, 1, tzinfo=UTC)
SIGNER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
TABLES = [ENTRIES, BODIES, HEAD, CHECKPOINTS]
INSTANCES = 8


def entry(number: int) -> Entry:
    return Entry("default", f"person-{number % 7}", "case.updated", f"INC-{number}", {"number": number}, AT)


@contextmanager
def log() -> Iterator[Connection]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine, tables=TABLES)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def filled(connection: Connection, rng: random.Random) -> list[str]:
    """An honest log with at least one checkpoint and perhaps a tail that none covers; the notes."""
    notes = []
    for _ in range(rng.randint(1, 4)):
        extend(connection, [entry(rng.randrange(1_000)) for _ in range(rng.randint(2, 20))])
        notes.append(checkpoint(connection, SIGNER))
    extend(connection, [entry(rng.randrange(1_000)) for _ in range(rng.randint(0, 5))])
    return notes


def covered(connection: Connection) -> int:
    return int(connection.execute(select(func.max(CHECKPOINTS.c.size))).scalar_one())


def repaired(connection: Connection) -> None:
    """The forger makes everything fit again that can be made to fit without the log's key."""
    rows = connection.execute(select(ENTRIES.c.idx, ENTRIES.c.leaf).order_by(ENTRIES.c.idx)).all()
    for row in rows:
        connection.execute(update(ENTRIES).where(ENTRIES.c.idx == row.idx).values(leaf_hash=leaf_hash(row.leaf)))
    frontier = grown(leaf_hash(row.leaf) for row in rows)
    connection.execute(update(HEAD).values(size=frontier.size, frontier=frontier.encoded(), root=frontier.root()))


def put(connection: Connection, index: int, what: Entry, body: bytes = b"{}") -> None:
    """A forged entry with a body that fits it, in the place of whatever was there."""
    salt = bytes(32)
    leaf = leaf_of(what, commitment(salt, body))
    for table in (ENTRIES, BODIES):
        connection.execute(delete(table).where(table.c.idx == index))
    named = {"tenant": what.tenant, "subject": what.subject}
    connection.execute(insert(ENTRIES).values(idx=index, **named, leaf=leaf, leaf_hash=leaf_hash(leaf)))
    connection.execute(insert(BODIES).values(idx=index, salt=salt, body=body))


def moved(connection: Connection, old: int, new: int) -> None:
    for table in (ENTRIES, BODIES):
        connection.execute(update(table).where(table.c.idx == old).values(idx=new))


def edit_leaf(connection: Connection, at: int) -> None:
    leaf = connection.execute(select(ENTRIES.c.leaf).where(ENTRIES.c.idx == at)).scalar_one()
    connection.execute(update(ENTRIES).where(ENTRIES.c.idx == at).values(leaf=leaf.replace(b"person", b"nobody")))


def edit_leaf_hash(connection: Connection, at: int) -> None:
    connection.execute(update(ENTRIES).where(ENTRIES.c.idx == at).values(leaf_hash=bytes(32)))


def edit_leaf_and_hash(connection: Connection, at: int) -> None:
    put(connection, at, entry(5_000))


def edit_and_repair(connection: Connection, at: int) -> None:
    put(connection, at, entry(5_000))
    repaired(connection)


def delete_one(connection: Connection, at: int) -> None:
    connection.execute(delete(ENTRIES).where(ENTRIES.c.idx == at))


def delete_and_close_the_gap(connection: Connection, at: int) -> None:
    size = connection.execute(select(HEAD.c.size)).scalar_one()
    for table in (ENTRIES, BODIES):
        connection.execute(delete(table).where(table.c.idx == at))
    for index in range(at + 1, size):
        moved(connection, index, index - 1)
    repaired(connection)


def insert_one(connection: Connection, at: int) -> None:
    size = connection.execute(select(HEAD.c.size)).scalar_one()
    for index in reversed(range(at, size)):
        moved(connection, index, index + 1)
    put(connection, at, entry(5_000))
    repaired(connection)


def swap(connection: Connection, at: int) -> None:
    other = at - 1 if at else 1
    for old, new in ((at, 10**6), (other, at), (10**6, other)):
        moved(connection, old, new)
    repaired(connection)


def repeat(connection: Connection, at: int) -> None:
    put(connection, at, entry(5_001))
    put(connection, at - 1 if at else 1, entry(5_001))
    repaired(connection)


def truncate(connection: Connection, at: int) -> None:
    for table in (ENTRIES, BODIES):
        connection.execute(delete(table).where(table.c.idx >= at))
    repaired(connection)


def rewrite_everything(connection: Connection, at: int) -> None:
    for index in range(connection.execute(select(HEAD.c.size)).scalar_one()):
        put(connection, index, entry(6_000 + index))
    repaired(connection)


def edit_body(connection: Connection, at: int) -> None:
    connection.execute(update(BODIES).where(BODIES.c.idx == at).values(body=b'{"number":-1}'))


def edit_salt(connection: Connection, at: int) -> None:
    connection.execute(update(BODIES).where(BODIES.c.idx == at).values(salt=bytes(32)))


def shift_salt_into_body(connection: Connection, at: int) -> None:
    row = connection.execute(select(BODIES).where(BODIES.c.idx == at)).one()
    connection.execute(update(BODIES).where(BODIES.c.idx == at).values(salt=row.salt[:-1], body=row.salt[-1:] + row.body))


def edit_tenant(connection: Connection, at: int) -> None:
    connection.execute(update(ENTRIES).where(ENTRIES.c.idx == at).values(tenant="other"))


def text_for_bytes(connection: Connection, at: int) -> None:
    connection.exec_driver_sql("UPDATE ledger_entries SET leaf = 'text', leaf_hash = 12 WHERE idx = ?", (at,))


def body_of_nothing(connection: Connection, at: int) -> None:
    connection.execute(insert(BODIES).values(idx=10**6 + at, salt=bytes(32), body=b"{}"))


def entry_beyond_the_head(connection: Connection, at: int) -> None:
    put(connection, connection.execute(select(HEAD.c.size)).scalar_one(), entry(5_000))


def edit_head_size(connection: Connection, at: int) -> None:
    connection.execute(update(HEAD).values(size=at))


def edit_head_root(connection: Connection, at: int) -> None:
    connection.execute(update(HEAD).values(root=bytes(32)))


def edit_head_frontier(connection: Connection, at: int) -> None:
    connection.execute(update(HEAD).values(frontier=b""))


def delete_head(connection: Connection, at: int) -> None:
    connection.execute(delete(HEAD))


def edit_checkpoint(connection: Connection, at: int) -> None:
    row = connection.execute(select(CHECKPOINTS)).first()
    assert row is not None
    note = row.note.replace(f"\n{row.size}\n", f"\n{row.size + 1}\n")
    connection.execute(update(CHECKPOINTS).where(CHECKPOINTS.c.size == row.size).values(note=note))


def checkpoint_under_another_size(connection: Connection, at: int) -> None:
    connection.execute(update(CHECKPOINTS).where(CHECKPOINTS.c.size == covered(connection)).values(size=10**6))


def checkpoint_of_another_key(connection: Connection, at: int) -> None:
    stranger = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    connection.execute(delete(CHECKPOINTS))
    checkpoint(connection, stranger)


TAMPERINGS: tuple[Callable[[Connection, int], None], ...] = (
    *(edit_leaf, edit_leaf_hash, edit_leaf_and_hash, edit_and_repair, delete_one, delete_and_close_the_gap, insert_one),
    *(swap, repeat, truncate, rewrite_everything, edit_body, edit_salt, shift_salt_into_body, edit_tenant, text_for_bytes),
    *(body_of_nothing, entry_beyond_the_head, edit_head_size, edit_head_root, edit_head_frontier, delete_head),
    *(edit_checkpoint, checkpoint_under_another_size, checkpoint_of_another_key),
)
REPAIRED = (edit_and_repair, delete_and_close_the_gap, insert_one, swap, repeat, truncate, rewrite_everything)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda one: one.__name__)
def test_what_a_checkpoint_covers_is_not_changed_unseen(tamper: Callable[[Connection, int], None]) -> None:
    for seed in range(INSTANCES):
        rng = random.Random(seed)
        with log() as connection:
            filled(connection, rng)
            tamper(connection, rng.randrange(covered(connection)))
            assert verify(connection, SIGNER.key).problems, seed


@pytest.mark.parametrize("tamper", REPAIRED, ids=lambda one: one.__name__)
def test_a_checkpoint_held_elsewhere_shows_it_when_those_beside_the_log_are_gone(
    tamper: Callable[[Connection, int], None],
) -> None:
    for seed in range(INSTANCES):
        rng = random.Random(seed)
        with log() as connection:
            notes = filled(connection, rng)
            tamper(connection, rng.randrange(covered(connection)))
            connection.execute(delete(CHECKPOINTS))
            assert verify(connection, SIGNER.key).problems == [], "nothing left to show it"
            assert verify(connection, SIGNER.key, notes[-1:]).problems, seed


def test_an_honest_log_of_any_size_raises_no_alarm() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        with log() as connection:
            notes = filled(connection, rng)
            size = connection.execute(select(HEAD.c.size)).scalar_one()
            gone = rng.sample(range(size), rng.randint(0, size))
            forget(connection, gone)
            told = verify(connection, SIGNER.key, rng.sample(notes, rng.randint(0, len(notes))))
            assert (told.problems, told.size, told.forgotten) == ([], size, len(gone))
            assert told.covered == covered(connection)
            assert told.root == connection.execute(select(HEAD.c.root)).scalar_one()


def test_what_is_younger_than_every_checkpoint_is_said_to_be() -> None:
    with log() as connection:
        extend(connection, [entry(number) for number in range(10)])
        checkpoint(connection, SIGNER)
        extend(connection, [entry(number) for number in range(10)])
        put(connection, 15, entry(5_000))
        repaired(connection)
        told = verify(connection, SIGNER.key)
    assert (told.size, told.covered, told.problems) == (20, 10, []), "no mathematics shows this; `covered` does"


@pytest.mark.parametrize("forged", [rewrite_everything, delete_one], ids=lambda one: one.__name__)
def test_the_signer_is_not_led_to_sign_a_forged_past(forged: Callable[[Connection, int], None]) -> None:
    with log() as connection:
        extend(connection, [entry(number) for number in range(10)])
        checkpoint(connection, SIGNER)
        extend(connection, [entry(number) for number in range(10)])
        forged(connection, 15)
        repaired(connection)
        leaves = connection.execute(select(ENTRIES.c.leaf_hash).order_by(ENTRIES.c.idx)).scalars().all()
        connection.execute(update(CHECKPOINTS).values(frontier=grown(leaves[:10]).encoded()))
        with pytest.raises(Refused, match="not signed"):
            checkpoint(connection, SIGNER)


def said(*changes: Any) -> list[str]:
    with log() as connection:
        for _ in range(4):
            extend(connection, [entry(number) for number in range(10)])
            checkpoint(connection, SIGNER)
        for change in changes:
            change(connection)
        return verify(connection, SIGNER.key).problems


def test_problems_name_the_entries() -> None:
    assert said(lambda c: edit_leaf(c, 17))[0] == "entry 17: its leaf is not what its hash is of"
    assert said(lambda c: edit_and_repair(c, 17)) == ["entries 10 to 19 are not those that were signed (checkpoint of size 20)"]
    assert said(lambda c: delete_one(c, 17))[:2] == ["entry 17 is missing", "body 17 belongs to no entry"]
    assert said(lambda c: delete_one(c, 17), lambda c: delete_one(c, 18))[0] == "entries 17 to 18 are missing"
    assert said(lambda c: edit_body(c, 3)) == ["entry 3: its body or salt is not what it was committed to"]
    assert said(lambda c: edit_tenant(c, 3)) == ["entry 3: it is kept under another tenant than its leaf says"]
    assert said(lambda c: truncate(c, 25)) == ["a checkpoint of size 30 was signed, 25 entries are left"]
    assert said(lambda c: edit_head_size(c, 7)) == ["the head says 7 entries, there are 40"]
    assert said(lambda c: edit_checkpoint(c, 0)) == [
        "checkpoint of size 10: the signature in the name of isthmus.example/ledger does not hold"
    ]

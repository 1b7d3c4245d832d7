"""The ledger: one transaction with what it records, one order, and bodies that may go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, delete, event, func, select, update
from sqlalchemy.dialects import postgresql

from isthmus.model.errors import IsthmusError, Refused, Untrusted
from isthmus.record.audit import verify
from isthmus.record.checkpoints import Signer, read
from isthmus.record.ledger import (
    BODIES,
    CHECKPOINTS,
    ENTRIES,
    HEAD,
    LARGEST_LEAF,
    Entry,
    append,
    checkpoint,
    commitment,
    extend,
    forget,
    leaf_of,
)
from isthmus.record.merkle import Frontier, check_consistency, consistency_proof, leaf_hash
from isthmus.record.schema import METADATA

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SIGNER = Signer("isthmus.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ENTRY = Entry("default", "person-1", "effect.intended", "INC-0123456789abcdef", {"why": "said so"}, AT)
TABLES = [ENTRIES, BODIES, HEAD, CHECKPOINTS]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite+pysqlite:///{tmp_path / 'ledger.db'}", connect_args={"timeout": 30})

    @event.listens_for(made, "connect")
    def tuned(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(made, "begin")
    def begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    METADATA.create_all(made, tables=TABLES)
    yield made
    made.dispose()


def wrote(engine: Engine, how_many: int) -> None:
    with engine.begin() as connection:
        extend(connection, [ENTRY] * how_many)


def counted(engine: Engine) -> dict[str, int]:
    with engine.begin() as connection:
        return {one.name: connection.execute(select(func.count()).select_from(one)).scalar_one() for one in TABLES}


def test_a_leaf_is_these_bytes_for_ever() -> None:
    assert commitment(b"\x00" * 32, b'{"why":"said so"}') == "b880b05452a9df0b6507d0c1e98e2739d755beacae25beab213b99bf092701c1"
    assert leaf_of(ENTRY, "00" * 32) == (
        b'{"actor":"person-1","at":"2026-03-01T12:30:00.000000Z","commitment":"' + b"00" * 32 + b'",'
        b'"event":"effect.intended","format":"isthmus/entry/1","subject":"INC-0123456789abcdef","tenant":"default"}'
    )
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert leaf_of(Entry(**{**asdict(ENTRY), "at": elsewhere}), "00" * 32) == leaf_of(ENTRY, "00" * 32)


def asdict(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def test_entries_are_numbered_in_the_order_they_came(engine: Engine) -> None:
    with engine.begin() as connection:
        assert append(connection, **asdict(ENTRY)) == 0
        assert extend(connection, [ENTRY, ENTRY]) == range(1, 3)
        assert extend(connection, []) == range(3, 3)
        assert append(connection, **asdict(ENTRY)) == 3
        leaves = list(connection.execute(select(ENTRIES.c.leaf).order_by(ENTRIES.c.idx)).scalars())
        head = connection.execute(select(HEAD)).one()
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf_hash(leaf))
    assert (head.size, head.frontier, head.root) == (4, frontier.encoded(), frontier.root())
    assert len({json.loads(leaf)["commitment"] for leaf in leaves}) == 4, "equal bodies must not look equal"


def test_the_tree_holds_nothing_of_a_body(engine: Engine) -> None:
    with engine.begin() as connection:
        append(connection, **{**asdict(ENTRY), "body": {"secret": "hunter2", "person": "Ada Lovelace"}})
        leaf = connection.execute(select(ENTRIES.c.leaf)).scalar_one()
    assert b"hunter2" not in leaf and b"Ada" not in leaf


def test_an_entry_goes_when_its_transaction_does(engine: Engine) -> None:
    wrote(engine, 3)
    before = counted(engine)
    with pytest.raises(RuntimeError), engine.begin() as connection:
        append(connection, **asdict(ENTRY))
        raise RuntimeError("the change it records failed")
    assert counted(engine) == before
    with engine.begin() as connection:
        assert append(connection, **asdict(ENTRY)) == 3
        assert verify(connection, SIGNER.key).problems == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"actor": "ada@example.com"}, "actor"),
        ({"actor": "Ada Lovelace"}, "actor"),
        ({"actor": ""}, "actor"),
        ({"subject": "web server"}, "subject"),
        ({"subject": "INC-1\n"}, "subject"),
        ({"subject": "x" * 257}, "subject"),
        ({"tenant": "*"}, "tenant"),
        ({"tenant": "ténant"}, "tenant"),
        ({"event": "Effect"}, "event"),
        ({"body": {"n": float("nan")}}, "not plain JSON"),
        ({"body": {"n": 2**60}}, "not plain JSON"),
        ({"body": {"n": {1, 2}}}, "not plain JSON"),
        ({"body": {"n": "\ud800"}}, "not plain JSON"),
        ({"body": {"n": b"bytes"}}, "not plain JSON"),
        ({"body": {1: "n"}}, "not plain JSON"),
        ({"at": AT.replace(tzinfo=None)}, "time zone"),
    ],
)
def test_what_is_no_entry_is_not_written(engine: Engine, change: dict[str, Any], said: str) -> None:
    with engine.begin() as connection, pytest.raises(Untrusted, match=said):
        append(connection, **{**asdict(ENTRY), **change})
    assert set(counted(engine).values()) == {0}


def test_a_deep_body_and_a_large_leaf_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with create_engine("sqlite://").connect() as connection, pytest.raises(Untrusted, match="not plain JSON"):
        append(connection, **{**asdict(ENTRY), "body": {"deep": deep}})
    while deep:
        deep = deep.pop()
    room = LARGEST_LEAF - len(leaf_of(ENTRY, "00" * 32))
    full = Entry(**{**asdict(ENTRY), "subject": ENTRY.subject + "x" * room})
    assert len(leaf_of(full, "00" * 32)) == LARGEST_LEAF
    with pytest.raises(Untrusted, match="the most is 16384"):
        leaf_of(Entry(**{**asdict(full), "subject": full.subject + "x"}), "00" * 32)


def test_bodies_may_go_and_the_tree_stays(engine: Engine) -> None:
    wrote(engine, 1_200)
    with engine.begin() as connection:
        checkpoint(connection, SIGNER)
        assert forget(connection, range(1_100)) == 1_100
        assert forget(connection, [5, 1_150, 9_999]) == 1
        told = verify(connection, SIGNER.key)
    assert (told.size, told.covered, told.forgotten, told.problems) == (1_200, 1_200, 1_101, [])


def test_two_writers_cannot_fork_the_log(engine: Engine) -> None:
    numbers: list[int] = []
    troubles: list[Exception] = []

    def write(worker: int) -> None:
        try:
            for turn in range(50):
                with engine.begin() as connection:
                    numbers.append(append(connection, **{**asdict(ENTRY), "body": {"worker": worker, "turn": turn}}))
        except Exception as error:  # noqa: BLE001 - whatever a thread dies of is looked at below
            troubles.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert troubles == []
    assert sorted(numbers) == list(range(200))
    with engine.begin() as connection:
        told = verify(connection, SIGNER.key)
    assert (told.size, told.problems) == (200, [])


def test_a_writer_that_read_an_old_head_is_stopped(engine: Engine) -> None:
    wrote(engine, 3)

    @event.listens_for(engine, "after_cursor_execute")
    def faster(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO ledger_bodies"):
            cursor.execute("UPDATE ledger_head SET size = size + 1")

    with pytest.raises(IsthmusError, match="another writer was faster"), engine.begin() as connection:
        append(connection, **asdict(ENTRY))
    assert counted(engine)["ledger_entries"] == 3


def test_the_head_is_held_for_update_where_a_database_can() -> None:
    query = select(HEAD.c.size).where(HEAD.c.id == 1).with_for_update()
    assert str(query.compile(dialect=postgresql.dialect())).rstrip().endswith("FOR UPDATE")  # type: ignore[no-untyped-call]


def test_each_checkpoint_continues_the_last(engine: Engine) -> None:
    notes = []
    for more in (1, 2, 5, 64, 3):
        wrote(engine, more)
        with engine.begin() as connection:
            notes.append(checkpoint(connection, SIGNER))
            assert checkpoint(connection, SIGNER) == notes[-1], "nothing new, nothing to sign"
            leaves = list(connection.execute(select(ENTRIES.c.leaf_hash).order_by(ENTRIES.c.idx)).scalars())
    told = [read(note, SIGNER.key) for note in notes]
    assert [one.size for one in told] == [1, 3, 8, 72, 75]
    for old, new in pairwise(told):
        proof = consistency_proof(leaves[: new.size], old.size)
        check_consistency(old.size, new.size, proof, old.root, new.root)
    assert counted(engine)["ledger_checkpoints"] == 5


def test_nothing_is_signed_over_what_was_changed(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(Refused, match="nothing to sign"):
        checkpoint(connection, SIGNER)
    wrote(engine, 6)
    with engine.begin() as connection:
        checkpoint(connection, SIGNER)
    wrote(engine, 6)
    changes = (
        delete(ENTRIES).where(ENTRIES.c.idx == 8),
        delete(ENTRIES).where(ENTRIES.c.idx == 11),
        update(ENTRIES).where(ENTRIES.c.idx == 9).values(leaf=b"{}", leaf_hash=leaf_hash(b"{}")),
        update(HEAD).values(root=bytes(32), size=5, frontier=bytes(64)),
        update(CHECKPOINTS).values(frontier=bytes(64)),
        update(CHECKPOINTS).values(note="x"),
    )
    for change in changes:
        with engine.connect() as connection, connection.begin() as transaction:
            connection.execute(change)
            with pytest.raises(Refused, match="not signed"):
                checkpoint(connection, SIGNER)
            transaction.rollback()
    other = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with engine.begin() as connection, pytest.raises(Refused, match="not signed"):
        checkpoint(connection, other)
    with engine.begin() as connection:
        assert verify(connection, SIGNER.key, [checkpoint(connection, SIGNER)]).covered == 12


def test_an_empty_log_is_whole(engine: Engine) -> None:
    with engine.begin() as connection:
        told = verify(connection, SIGNER.key)
    assert (told.size, told.covered, told.root, told.problems) == (0, 0, Frontier().root(), [])


def test_a_leaf_has_one_spelling(engine: Engine) -> None:
    wrote(engine, 1)
    with engine.begin() as connection:
        leaf = connection.execute(select(ENTRIES.c.leaf)).scalar_one()
        for other in (leaf.replace(b",", b", "), leaf[:-1] + b',"tenant":"default"}', b" " + leaf, leaf.replace(b"/1", b"/2")):
            told = Frontier().append(leaf_hash(other))
            connection.execute(update(ENTRIES).values(leaf=other, leaf_hash=leaf_hash(other)))
            connection.execute(update(HEAD).values(frontier=told.encoded(), root=told.root()))
            assert verify(connection, SIGNER.key).problems == ["entry 0: its leaf is no entry"], other

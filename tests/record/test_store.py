"""The database as a whole: its schema comes from migrations, its keys from files, and what is told to people is clear."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from isthmus.model.errors import IsthmusError, Refused, Untrusted
from isthmus.model.people import Person, Role
from isthmus.record import answers, ledger, people  # noqa: F401 - their tables belong to the schema
from isthmus.record.schema import METADATA
from isthmus.record.store import open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ADA = Person("ada", "default", "Ada", Role.APPROVER)


def test_migrations_build_exactly_the_schema_the_queries_are_written_for(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    store.close()


def test_opening_it_again_changes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.writing() as connection:
        people.put(connection, store.keys, ADA, NOW, "operator")
    store.close()
    again = open_store(tmp_path)
    with again.reading() as connection:
        assert people.register(connection, again.keys, "default") == {"ada": ADA}
    again.close()


def test_everything_of_a_failed_write_is_undone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(ValueError, match="half-way"), store.writing() as connection:
        people.put(connection, store.keys, ADA, NOW, "operator")
        raise ValueError("half-way")
    with store.reading() as connection:
        assert (people.register(connection, store.keys, "default"), ledger.size(connection)) == ({}, 0)
    store.close()


def test_keys_that_others_can_read_are_not_used(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    (tmp_path / "keys" / "seal.key").chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        open_store(tmp_path)


def test_other_keys_believe_nothing_of_what_was_written(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.writing() as connection:
        people.put(connection, store.keys, ADA, NOW, "operator")
        secret = people.new_key(connection, store.keys, ADA, None, NOW, "operator")
    store.close()
    (tmp_path / "keys" / "seal.key").write_bytes(b"\1" * 32)
    again = open_store(tmp_path)
    with again.reading() as connection:
        assert people.register(connection, again.keys, "default") == {}
        with pytest.raises(Refused):
            people.owner(connection, again.keys, secret, NOW)
    again.close()


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "isthmus.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(Untrusted, match="not a database"):
        open_store(tmp_path)


def test_a_database_that_is_held_is_tried_later_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.record.store._BUSY_MS", 50)
    store = open_store(tmp_path)
    other = sqlite3.connect(tmp_path / "isthmus.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(IsthmusError, match="locked"), store.writing() as connection:
        people.put(connection, store.keys, ADA, NOW, "operator")
    other.execute("ROLLBACK")
    other.close()
    store.close()


def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.writing() as connection:
        people.put(connection, store.keys, ADA, NOW, "operator")
        secret = people.new_key(connection, store.keys, ADA, None, NOW, "operator")
        key_id, person = people.owner(connection, store.keys, secret, NOW)
        people.revoke(connection, store.keys, "default", key_id, NOW, "operator")
        with pytest.raises(Refused, match="not known, has expired, or was revoked"):
            people.owner(connection, store.keys, secret, NOW)
    assert person == ADA
    store.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("isthmus.db*"))
    assert secret.split("_", 2)[-1].encode() not in stored

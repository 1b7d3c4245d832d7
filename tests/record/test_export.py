"""The record as lines: every entry and checkpoint once, in order, and nothing lost whatever dies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from py_ocsf_models.objects.metadata import Metadata  # type: ignore[import-untyped]
from sqlalchemy import URL

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record import export, ledger
from isthmus.record.checkpoints import Signer, read
from isthmus.record.export import Form, batches
from isthmus.record.ledger import Entry
from isthmus.record.merkle import grown, leaf_hash
from isthmus.record.shipping import Shipping
from isthmus.record.store import Store, open_store

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_store(tmp_path / "data")
    yield found
    found.close()


def signer(store: Store) -> Signer:
    return Signer("isthmus.example/record", store.keys.private)


def write(store: Store, count: int, event: str = "incident.opened", sign: bool = True) -> None:
    with store.writing() as connection:
        ledger.extend(connection, [Entry("default", "ada", event, "INC-1", {"n": number}, AT) for number in range(count)])
        if sign:
            ledger.checkpoint(connection, signer(store))


def lines(store: Store, since: int = 0, form: Form = Form.JSONL) -> list[dict[str, Any]]:
    with store.reading() as connection:
        return [
            json.loads(line)
            for batch in batches(connection, signer(store).key, since, form)
            for line in batch.lines.splitlines()
        ]


def judged(told: list[dict[str, Any]], store: Store) -> tuple[list[int], int]:
    """What whoever holds only the lines finds: indexes missing, and how many are repeated. Every checkpoint must fit."""
    leaves: dict[int, bytes] = {}
    repeats = 0
    for line in told:
        if line["kind"] == "entry":
            hashed = bytes.fromhex(line["leaf_hash"])
            assert leaf_hash(rfc8785.dumps(line["leaf"])) == hashed
            assert leaves.setdefault(line["leaf_index"], hashed) == hashed
            repeats += sum(1 for one in told if one is not line and one["leaf_index"] == line["leaf_index"]) > 0
    whole = max((line["checkpoint_size"] for line in told), default=0)
    for line in told:
        if line["kind"] == "checkpoint":
            point = read(line["note"], signer(store).key)
            assert grown(leaves[index] for index in range(point.size)).root() == point.root
    return [index for index in range(whole) if index not in leaves], repeats


def test_every_entry_below_a_checkpoint_and_every_checkpoint(tmp_path: Path, database: URL | None) -> None:
    store = open_store(tmp_path / "data", database)
    for count in (3, 1, 700):
        write(store, count)
    write(store, 5, sign=False)
    told = lines(store)
    assert judged(told, store) == ([], 0)
    assert [line["leaf_index"] for line in told if line["kind"] == "entry"] == list(range(704))
    assert [line["checkpoint_size"] for line in told if line["kind"] == "checkpoint"] == [3, 4, 704]
    assert {line["log_origin"] for line in told} == {"isthmus.example/record"}
    assert [line["checkpoint_size"] for line in told[:5]] == [3, 3, 3, 3, 4]
    assert lines(store, 704) == []
    assert [line["leaf_index"] for line in lines(store, 4)][:2] == [4, 5]
    store.close()


def test_going_on_where_a_batch_ended_skips_and_repeats_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_AT_ONCE", 4)
    for count in (1, 3, 4, 9):
        write(store, count)
    with store.reading() as connection:
        some = list(batches(connection, signer(store).key, 0, Form.JSONL))
    whole = b"".join(one.lines for one in some)
    for at, batch in enumerate(some):
        with store.reading() as connection:
            rest = b"".join(one.lines for one in batches(connection, signer(store).key, batch.next, Form.JSONL))
        assert b"".join(one.lines for one in some[: at + 1]) + rest == whole


class Killed(BaseException):
    """The exporter is gone."""


class Dying:
    """Stands before the calls that touch the disk; the `last` of them is never made. One in three tears a line."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int, out: Path) -> None:
        self._calls, self._last, self._out = 0, last, out
        for name in ("open", "fsync", "fdopen"):
            patch.setattr(os, name, self._before(getattr(os, name), name))

    def _before(self, real: Any, name: str) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            self._calls += 1
            if self._calls == self._last:
                if name == "fdopen" and given[1:] == ("r+b",):
                    self._out.write_bytes(self._out.read_bytes() + b'{"half":')
                raise Killed
            return real(*given, **more)

        return call


def shipped(out: Path, form: Form, store: Store, last: int, patch: pytest.MonkeyPatch) -> bool:
    """Whether it came through, when it dies before call number `last`; then it is run again."""
    with patch.context() as patched:
        Dying(patched, last, out)
        try:
            Shipping(out, form).ship(store, signer(store).key)
            return True
        except Killed:
            pass
    Shipping(out, form).ship(store, signer(store).key)
    return False


@pytest.mark.parametrize("form", list(Form))
def test_killed_at_every_write_nothing_is_lost(
    store: Store, tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_AT_ONCE", 5)
    for count in (7, 2, 11):
        write(store, count)
    expected, repeated, last = lines(store, 0, form), 0, 1
    while not shipped(tmp_path / f"{last}.jsonl", form, store, last, monkeypatch):
        told = [json.loads(line) for line in (tmp_path / f"{last}.jsonl").read_bytes().splitlines()]
        seen = [line if form is Form.JSONL else line["unmapped"] for line in told]
        indexes = [line["leaf_index"] for line in seen if line["kind"] == "entry"]
        assert sorted(set(indexes)) == list(range(20)), last
        assert {line["checkpoint_size"] for line in seen if line["kind"] == "checkpoint"} == {7, 9, 20}
        assert [line for line in told if line not in expected] == []
        repeated += len(indexes) - 20
        last += 1
    assert last > 15 and repeated > 0, "some kill fell between the lines and the cursor"


def test_what_is_there_is_not_written_again(store: Store, tmp_path: Path) -> None:
    out = Shipping(tmp_path / "log/out.jsonl", Form.JSONL)
    write(store, 3)
    assert (out.ship(store, signer(store).key), out.ship(store, signer(store).key)) == (3, 0)
    write(store, 2)
    assert Shipping(tmp_path / "log/out.jsonl", Form.JSONL).ship(store, signer(store).key) == 2
    told = [json.loads(line) for line in (tmp_path / "log/out.jsonl").read_text().splitlines()]
    assert judged(told, store) == ([], 0)


def test_a_file_taken_away_begins_anew_where_the_last_ended(store: Store, tmp_path: Path) -> None:
    write(store, 3)
    Shipping(tmp_path / "out", Form.JSONL).ship(store, signer(store).key)
    (tmp_path / "out").rename(tmp_path / "out.1")
    write(store, 2)
    Shipping(tmp_path / "out", Form.JSONL).ship(store, signer(store).key)
    told = [json.loads(line) for name in ("out.1", "out") for line in (tmp_path / name).read_text().splitlines()]
    assert judged(told, store) == ([], 0)


def test_trouble_is_told(store: Store, tmp_path: Path) -> None:
    write(store, 3)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable, match="export"):
        Shipping(tmp_path / "file/out", Form.JSONL).ship(store, signer(store).key)
    (tmp_path / "out.cursor").write_text("many")
    with pytest.raises(Untrusted, match="is no cursor"):
        Shipping(tmp_path / "out", Form.JSONL).ship(store, signer(store).key)


def test_lines_are_ocsf(store: Store) -> None:
    """Metadata by another project's model; the class by what OCSF 1.6 requires of it (Entity Management, 3004)."""
    for event in ("incident.opened", "step.intent", "key.revoked"):
        write(store, 1, event)
    told = lines(store, 0, Form.OCSF)
    for line in told:
        Metadata.model_validate(line["metadata"])
        assert line["metadata"]["version"] == "1.6.0"
        assert (line["class_uid"], line["category_uid"], line["type_uid"]) == (3004, 3, 300_400 + line["activity_id"])
        assert {"activity_id", "entity", "metadata", "severity_id", "time"} <= set(line)
        assert line["entity"]["uid"] and line["entity"]["type"]
        assert line["actor"].get("user") or line["actor"].get("app_name")
        assert {"log_origin", "leaf_index", "leaf_hash", "checkpoint_size"} <= set(line["unmapped"])
    entries = [line for line in told if line["unmapped"]["kind"] == "entry"]
    assert [(line["activity_name"], line["entity"]["type"]) for line in entries] == [
        ("Create", "incident"),
        ("Update", "step"),
        ("Delete", "key"),
    ]
    assert [line["metadata"]["sequence"] for line in entries] == [0, 1, 2]
    assert entries[0]["time"] == int(AT.timestamp() * 1_000)
    assert len({line["metadata"]["uid"] for line in told}) == len(told) == 6

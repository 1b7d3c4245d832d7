"""A record that is shorter than what the witness has seen: nothing is carried out until somebody says otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.record.housed import NOW, House, housed

from isthmus.model.errors import Refused
from isthmus.record import ledger, witnessed
from isthmus.record.cosignatures import WitnessKey
from isthmus.record.store import open_store


@pytest.fixture
def light(tmp_path: Path) -> Iterator[House]:
    """The same on SQLite alone."""
    with housed(tmp_path) as found:
        yield found


def restored(house: House, backup: Path) -> House:
    """The data folder as it was when the backup was made; the witness remembers."""
    house.store.close()
    shutil.rmtree(house.folder / "data")
    shutil.copytree(backup, house.folder / "data")
    house.store = open_store(house.folder / "data")
    house.receipts._store = house.store
    house.recording.store = house.store
    house.restarted()
    return house


@pytest.fixture
def aged(light: House) -> House:
    """Restored from a backup of five entries; the witness has seen nine."""
    light.write(4)
    light.write(event="step.intent", token="t1")
    light.keep()
    light.store.close()
    shutil.copytree(light.folder / "data", light.folder / "backup")
    light.store = open_store(light.folder / "data")
    light.receipts._store = light.recording.store = light.store
    light.write(4)
    light.keep()
    return restored(light, light.folder / "backup")


def test_a_restored_backup_carries_nothing_out(aged: House) -> None:
    assert "has not yet said" in aged.check("t1"), "its intent is covered by the receipt in the backup"
    aged.keep()
    for contains in (True, False):
        assert aged.check("t1", contains).startswith("the record is shorter than the witnessed one")
    assert aged.recording.trouble.startswith("the record is shorter")
    aged.restarted()
    aged.keep()
    assert aged.check("t1").startswith("the record is shorter")


def test_growing_past_what_was_witnessed_does_not_hide_the_loss(aged: House) -> None:
    """The log of the backup goes on, beyond the nine, before anybody asks."""
    aged.write(10)
    aged.keep()
    assert aged.check(contains=False).startswith("the record is shorter")
    with aged.store.reading() as connection:
        told = witnessed.standing(connection, aged.receipts.witness)
    assert told.lost == 9 and "another history" in told.trouble


def test_an_admin_may_accept_the_loss_and_the_witness_begin_anew(aged: House) -> None:
    aged.keep()
    with aged.store.writing() as connection:
        witnessed.accept_loss(connection, aged.store.keys, aged.receipts.witness, "rosa", "disk gone", NOW)
        with pytest.raises(Refused):
            witnessed.accept_loss(connection, aged.store.keys, replaced(aged), "rosa", "no such witness", NOW)
    assert aged.check(contains=False) == "", "cases go on"
    aged.write(event="step.intent", token="t2")
    aged.keep()
    assert aged.check("t2") == "waiting for the witness's receipt of the intent", "the witness still signs nothing"
    aged.restarted(required=False)
    aged.keep()
    assert aged.check("t2") == "", "whoever does not require it goes on without"
    aged.restarted()
    aged.line.witness.memory.forget(aged.recording.signer.name, "now")
    aged.keep()
    assert (aged.check("t2"), aged.recording.trouble, aged.cosigned()) == ("", "", 7)


def replaced(house: House) -> WitnessKey:
    return WitnessKey("other.example", house.receipts.witness.public)


def test_a_word_somebody_wrote_into_the_database_accepts_nothing(aged: House) -> None:
    aged.keep()
    for body in (
        {"witness": str(aged.receipts.witness), "size": 9, "signature": "00" * 64},
        {"witness": str(aged.receipts.witness), "size": 9},
        {"witness": str(aged.receipts.witness), "size": 8, "signature": aged.store.keys.sign(b"x")},
    ):
        with aged.store.writing() as connection:
            event, about = witnessed.ACCEPTED, witnessed.SUBJECT
            ledger.append(connection, tenant="default", actor="rosa", event=event, subject=about, body=body, at=NOW)
        assert aged.check(contains=False).startswith("the record is shorter")


def test_a_loss_is_accepted_once_not_for_ever(aged: House) -> None:
    aged.keep()
    with aged.store.writing() as connection:
        witnessed.accept_loss(connection, aged.store.keys, aged.receipts.witness, "rosa", "disk gone", NOW)
    aged.receipts.lost = 12
    assert aged.check(contains=False).startswith("the record is shorter")

"""Our side of the witness: what is sent, what is kept of the answers, and what must wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, delete, update
from tests.databases import Server
from tests.record.housed import NOW, House, housed
from tests.witness.standing import serving

from isthmus.contracts.wire import Reply
from isthmus.desk.recording import Recording
from isthmus.model.errors import Untrusted
from isthmus.record import ledger, witnessed
from isthmus.record.cosignatures import cosignature_time
from isthmus.record.cosigning import Receipts
from isthmus.record.fsck import fsck
from isthmus.record.ledger import ENTRIES, Entry
from isthmus.record.publishing import published
from isthmus.record.schema import WITNESSED
from isthmus.record.store import open_store
from isthmus.wire.http import WireOutward
from isthmus.witness.application import create


@pytest.fixture
def house(tmp_path: Path, database: URL | None) -> Iterator[House]:
    with housed(tmp_path, database) as found:
        yield found


@pytest.fixture
def light(tmp_path: Path) -> Iterator[House]:
    """The same on SQLite alone."""
    with housed(tmp_path) as found:
        yield found


def test_each_checkpoint_is_signed_by_the_witness_and_kept(house: House) -> None:
    for total in (1, 4, 300, 301):
        house.write(total - house.cosigned())
        house.keep()
        assert house.cosigned() == total
        assert (
            fsck(published(house.recording.folder, house.recording.signer.key).tiles, house.recording.signer.key).problems == ()
        )
    with house.store.reading() as connection:
        kept = witnessed.standing(connection, house.receipts.witness)
    assert cosignature_time(kept.note, house.receipts.witness) == int(house.now.timestamp())
    assert (house.receipts.standing, house.recording.trouble, kept.lost, kept.trouble) == ("", "", -1, "")


def test_a_quiet_log_is_shown_once_a_minute(light: House) -> None:
    light.write()
    for _ in range(40):
        light.keep(10)
    assert 6 <= len(light.line.asked) <= 8
    with light.store.reading() as connection:
        kept = witnessed.standing(connection, light.receipts.witness)
    assert int(light.now.timestamp()) - cosignature_time(kept.note, light.receipts.witness) <= 60


def test_an_answer_that_was_lost_is_asked_for_again(light: House) -> None:
    light.write(3)
    light.line.lost_answers = 1
    light.keep()
    assert (light.cosigned(), light.receipts.away) == (0, "the connection broke before the answer came")
    light.keep()
    assert (light.cosigned(), light.receipts.standing) == (3, "")


def test_after_a_restart_nothing_is_done_before_the_witness_was_asked(light: House) -> None:
    light.write(event="step.intent", token="t1")
    light.keep()
    assert (light.check("t1"), light.check(contains=False)) == ("", "")
    light.restarted()
    for contains in (True, False):
        assert "has not yet said" in light.check("t1" if contains else "", contains)
    light.keep()
    assert (light.check("t1"), light.check(contains=False)) == ("", "")


def test_containment_waits_for_the_receipt_of_its_intent_and_cases_do_not(house: House) -> None:
    house.write(5)
    house.keep()
    house.write(event="step.intent", token="t1")
    assert house.check("t1") == "waiting for the witness's receipt of the intent"
    assert (house.check("t1", contains=False), house.check(contains=True)) == ("", "")
    house.keep()
    assert house.check("t1") == ""
    assert house.check("t2") == "the intent is not on record"


@pytest.mark.parametrize("required", [True, False])
def test_while_the_witness_is_away_policy_says_what_waits(light: House, required: bool) -> None:
    light.write(5)
    light.keep()
    light.restarted(required)
    light.write(event="step.intent", token="t1")
    light.line.away = True
    light.keep()
    assert bool(light.check("t1")) is required
    assert light.check(contains=False) == "", "cases go on"
    assert "does not answer" in light.recording.trouble
    light.line.away = False
    light.keep()
    assert (light.check("t1"), light.recording.trouble) == ("", "")


def test_while_it_was_there_before_too(light: House) -> None:
    light.write(event="step.intent", token="t1")
    light.keep()
    light.line.away = True
    light.write(event="step.intent", token="t2")
    light.keep()
    assert light.check("t1") == "", "this receipt was given"
    assert light.check("t2") == "waiting for the witness's receipt of the intent"


def test_a_receipt_somebody_wrote_into_the_database_is_none(light: House) -> None:
    light.write(3)
    light.keep()
    light.write(event="step.intent", token="t1")
    light.line.away = True
    light.keep()
    with light.store.writing() as connection:
        size, note = witnessed.newest(connection)
        row = witnessed.standing(connection, light.receipts.witness)
        line = row.note.rpartition("\n\n")[2].split("\n")[1]
        forged = f"{note}{line}\n"
        connection.execute(update(WITNESSED).values(size=size, note=forged))
    with pytest.raises(Untrusted, match="does not hold"):
        light.check("t1")
    with light.store.writing() as connection:
        connection.execute(delete(WITNESSED))
    assert light.check("t1") == "waiting for the witness's receipt of the intent"


def test_an_intent_moved_below_the_receipt_is_not_covered(light: House) -> None:
    """Whoever holds the database gives the intent the place of an entry that was signed."""
    light.write(3)
    light.keep()
    light.write(event="step.intent", token="t1")
    with light.store.writing() as connection:
        for table in (ENTRIES, ledger.BODIES):
            connection.execute(delete(table).where(table.c.idx == 1))
            connection.execute(update(table).where(table.c.idx == 3).values(idx=1))
    assert "not in what the witness signed" in light.check("t1")


@pytest.mark.parametrize(
    "says",
    [
        Reply(200, {}, b""),
        Reply(200, {}, b"\xff\n"),
        Reply(200, {}, "— other.example QUFBQUFBQUFB\n".encode()),
        Reply(409, {}, b""),
        Reply(409, {}, b"-1\n"),
        Reply(409, {}, b"01\n"),
        Reply(409, {}, "٣\n".encode()),
        Reply(409, {}, b"9" * 30),
    ],
)
def test_nonsense_from_the_witness_is_no_receipt_and_no_loss(light: House, says: Reply) -> None:
    light.write(event="step.intent", token="t1")
    light.line.says = says
    light.keep()
    assert (light.cosigned(), light.receipts.lost, bool(light.receipts.away)) == (0, -1, True)
    assert light.check("t1") and light.recording.trouble
    light.line.says = None
    light.keep()
    assert light.check("t1") == ""


def test_a_witness_that_says_another_size_each_time_is_given_up(light: House) -> None:
    light.write(3)
    light.line.says = Reply(409, {}, b"2\n")
    light.keep()
    assert "another size each time" in light.receipts.away
    assert len(light.line.asked) == 4


def test_files_that_were_spoiled_are_written_again_and_are_no_other_history(light: House) -> None:
    light.write(300)
    light.keep()
    light.write(100)
    (light.recording.folder / "tile/0/000").write_bytes(bytes(8_192))
    light.keep()
    light.keep()
    assert (light.cosigned(), light.receipts.lost, light.recording.trouble) == (400, -1, "")


def test_two_processes_on_one_database_both_get_on(tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.fresh()
    with housed(tmp_path, url) as one:
        store = open_store(tmp_path / "data", url)
        signer = one.recording.signer
        other = Receipts(store, signer.key, tmp_path / "log of the other", one.receipts.witness, one.line)
        second = Recording(store, signer, tmp_path / "log of the other", other)
        one.write()

        def busy(recording: Recording) -> None:
            for number in range(25):
                with recording.store.writing() as connection:
                    ledger.extend(connection, [Entry("default", "isthmus", "x", "INC-1", {}, NOW)] * 3)
                asyncio.run(recording.keep(NOW + timedelta(seconds=2 * number)))

        threads = [threading.Thread(target=busy, args=(each,)) for each in (one.recording, second)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        one.keep(100)
        asyncio.run(second.keep(NOW + timedelta(seconds=300)))
        assert (one.cosigned(), one.receipts.lost, other.lost, one.recording.trouble, second.trouble) == (151, -1, -1, "", "")
        store.close()


def test_a_clock_that_goes_back_stops_nothing(light: House) -> None:
    light.write()
    light.keep(3_600)
    light.write(event="step.intent", token="t1")
    light.keep(-3_500)
    assert light.check("t1") == ""


def test_many_entries_do_not_wait_for_the_second_to_end(light: House) -> None:
    light.write()
    light.keep()
    light.write(10)
    light.keep(0.1)
    assert light.cosigned() == 1
    light.write(300)
    light.keep(0.1)
    assert light.cosigned() == 311


def test_over_the_wire(tmp_path: Path) -> None:
    """The real client against the real server."""
    with housed(tmp_path) as house, serving(create(house.line.witness, lambda: NOW)) as url:

        async def talk() -> None:
            outward = WireOutward(lambda: NOW, attempts=1, timeout=4.0)
            receipts = Receipts(
                house.store, house.recording.signer.key, house.recording.folder, house.receipts.witness, outward.http(url)
            )
            recording = Recording(house.store, house.recording.signer, house.recording.folder, receipts)
            house.write(3)
            await recording.keep(NOW)
            assert (receipts.standing, recording.trouble) == ("", "")
            house.write(3)
            await recording.keep(NOW + timedelta(seconds=2))
            await outward.close()

        asyncio.run(talk())
        assert house.cosigned() == 6

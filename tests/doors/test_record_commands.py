"""`isthmus record`, `isthmus verify` and `isthmus witness` as people run them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.doors.commands import fits, isthmus, settled

from isthmus import assembly
from isthmus.doors.cli import clock
from isthmus.record import ledger, witnessed
from isthmus.record.cosignatures import witness_key_of
from isthmus.record.keys import Keys
from isthmus.record.ledger import ENTRIES, Entry
from isthmus.record.schema import WITNESSED
from isthmus.record.store import open_store
from isthmus.record.witnessed import Standing
from isthmus.settings import read


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = settled(tmp_path, monkeypatch)
    (folder / "isthmus.yaml").write_text("data: data\nserver: {port: 0}\n")
    store = open_store(folder / "data")
    with store.writing() as connection:
        entries = [Entry("default", "ada", "incident.opened", f"INC-{n % 3}", {"n": n}, clock.now()) for n in range(10)]
        ledger.extend(connection, entries)
    store.close()
    return folder


def printed(*command: str) -> str:
    ran = isthmus(*command)
    assert ran.code == 0, ran.err
    return ran.out


def test_a_package_is_proved_and_verified(work: Path) -> None:
    ran = isthmus("record", "prove", "INC-1", "-o", "proof.json")
    assert (ran.code, ran.out) == (0, "proof.json: 3 entries about INC-1, with proofs.\n")
    assert "No witness signed it" in ran.err
    key = printed("record", "key").strip()
    (work / "isthmus.yaml").unlink()
    (work / "data").rename(work / "gone")
    ran = isthmus("verify", "proof.json", "--key", key)
    assert ran.code == 0 and ran.err == ""
    assert "It holds. These 3 entries about INC-1 stand in the log isthmus" in ran.out
    assert "No witness signed it" in ran.out and "Not shown" in ran.out
    ran = isthmus("verify", "proof.json")
    assert ran.code == 0 and "the log's key was taken from the package" in ran.err and key in ran.err


def test_a_package_that_does_not_hold_is_exit_code_1(work: Path) -> None:
    printed("record", "prove", "INC-1", "-o", "proof.json")
    text = (work / "proof.json").read_text()
    (work / "bent.json").write_text(text.replace("incident.opened", "incident.closed", 1))
    ran = isthmus("verify", "bent.json")
    assert ran.code == 1 and "It does not hold: entry 1: " in ran.out
    other = "isthmus+2a6ff8d5+" + printed("record", "key").split("+")[2].strip()
    assert isthmus("verify", "proof.json", "--key", other).code == 2
    (work / "none.json").write_text("{}")
    assert isthmus("verify", "none.json").code == 2
    assert isthmus("verify", "missing.json").code == 2
    assert isthmus("record", "prove", "INC-9", "-o", "none.json").code == 1


def test_the_files_of_the_log_are_checked_without_the_database(work: Path) -> None:
    printed("record", "prove", "INC-1", "-o", "proof.json")
    key = printed("record", "key").strip()
    assert "The log in data/log holds: 10 entries of isthmus." in printed("record", "fsck")
    (work / "data/log").rename(work / "log")
    (work / "data").rename(work / "gone")
    (work / "isthmus.yaml").unlink()
    assert "holds: 10 entries" in printed("record", "fsck", "log", "--key", key)
    bundle = work / "log/tile/entries/000.p/10"
    bundle.write_bytes(bundle.read_bytes().replace(b"incident.opened", b"incident.closed", 1))
    ran = isthmus("record", "fsck", "log", "--key", key)
    assert ran.code == 1 and "tile/0/000.p/10: is not what its entries hash to" in ran.out
    assert isthmus("record", "fsck", "nowhere", "--key", key).code == 4
    assert isthmus("record", "fsck", "log", "--key", "nonsense").code == 2


def test_a_changed_database_is_not_proved_from(work: Path) -> None:
    printed("record", "checkpoint")
    store = open_store(work / "data")
    with store.writing() as connection:
        connection.execute(update(ENTRIES).where(ENTRIES.c.idx == 4).values(leaf=b"{}"))
    store.close()
    ran = isthmus("record", "prove", "INC-1", "-o", "proof.json")
    assert ran.code == 2 and "not published" in ran.err and not (work / "proof.json").exists()


@pytest.mark.parametrize("form", ["jsonl", "ocsf"])
def test_lines_for_a_siem(work: Path, form: str) -> None:
    assert printed("record", "export", "--format", form) == "", "nothing is signed yet"
    printed("record", "checkpoint")
    told = [json.loads(line) for line in printed("record", "export", "--format", form).splitlines()]
    assert len(told) == 11
    assert len(printed("record", "export", "--format", form, "--since", "7").splitlines()) == 4
    assert isthmus("record", "export", "--format", "cef").code == 2


def lost(work: Path, key: str, size: int) -> None:
    """As the worker notes it when the witness has seen more."""
    store = open_store(work / "data")
    with store.writing() as connection:
        witnessed.keep(connection, witness_key_of(key), Standing(lost=size, trouble="shorter"))
    store.close()


def test_only_an_admin_accepts_a_loss(work: Path) -> None:
    key = printed("witness", "key", "--folder", "w", "--name", "witness.example").strip()
    assert isthmus("record", "accept-loss", "--by", "ada", "--reason", "x").code == 1
    with (work / "isthmus.yaml").open("a") as file:
        file.write(f"record: {{witness: {{url: 'http://127.0.0.1:1', key: '{key}'}}}}\n")
    isthmus("people", "add", "ada", "--name", "Ada", "--role", "admin")
    isthmus("people", "add", "ben", "--name", "Ben", "--role", "approver")
    assert "nothing is missing" in isthmus("record", "accept-loss", "--by", "ada", "--reason", "x").err
    lost(work, key, 50)
    for by in ("ben", "nobody"):
        assert isthmus("record", "accept-loss", "--by", by, "--reason", "x").code == 1
    told = printed("record", "accept-loss", "--by", "ada", "--reason", "the disk was lost")
    assert told.startswith("Accepted: the witness has seen 50 entries, 12 were here.")
    store = open_store(work / "data")
    with store.reading() as connection:
        assert witnessed.accepted(connection, store.keys, witness_key_of(key), 50)
        assert not witnessed.accepted(connection, Keys(bytes(32), bytes(32)), witness_key_of(key), 50)
        assert connection.execute(WITNESSED.select()).one().lost == 50
    store.close()


@contextmanager
def serving(work: Path, *more: str) -> Iterator[str]:
    """A witness in a process of its own, and where it answers."""
    command = [sys.executable, "-m", "isthmus", "witness", "serve", "--folder", "w", "--listen", "127.0.0.1:0", *more]
    with subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "answers at" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield said.split("answers at ")[1].strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}


def test_service_and_witness_as_two_processes(work: Path) -> None:
    """`isthmus serve` has its record signed by `isthmus witness serve`; an old copy of its data then does nothing."""
    log_key = printed("record", "key").strip()
    key = printed("witness", "key", "--folder", "w", "--name", "witness.example").strip()
    assert re.fullmatch(r"witness\.example\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", key)
    with serving(work, "--log", log_key) as url:
        with (work / "isthmus.yaml").open("a") as file:
            file.write(
                f"record: {{witness: {{url: '{url}', key: '{key}'}}, export: {{file: out/siem.jsonl, format: jsonl}}}}\n"
            )
        command = [sys.executable, "-m", "isthmus", "serve"]
        with subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
            store = open_store(work / "data")
            witness, log = witness_key_of(key), assembly.log_signer(read(work / "isthmus.yaml"), store).key
            for _ in range(160):
                with store.reading() as connection:
                    signed = witnessed.signed(connection, log, witness)
                if signed is not None and (work / "out/siem.jsonl").exists():
                    break
                time.sleep(0.25)
            assert signed is not None and signed[0].size == 10
            store.close()
            service.send_signal(signal.SIGTERM)
            assert service.wait(30) == 0
        assert len((work / "out/siem.jsonl").read_text().splitlines()) == 11
        ran = isthmus("record", "prove", "INC-1", "-o", "proof.json")
        assert ran.code == 0 and "No witness" not in ran.err
        ran = isthmus("verify", "proof.json", "--key", log_key, "--witness", key)
        assert ran.code == 0 and "The witness witness.example saw that the log only grew" in ran.out
    assert printed("witness", "key", "--folder", "w").strip() == key
    told = printed("witness", "forget", "isthmus", "--folder", "w")
    assert told.startswith("The next checkpoint of isthmus is taken as its first.")
    assert isthmus("witness", "forget", "isthmus", "--folder", "w").code == 1


@pytest.mark.parametrize(
    "more", [["--listen", "localhost:1"], ["--listen", "127.0.0.1"], ["--listen", "127.0.0.1:99999"], ["--log", "nonsense"]]
)
def test_wrong_use_of_the_witness_is_said_clearly(more: list[str]) -> None:
    key = printed("record", "key").strip()
    log = [] if "--log" in more else ["--log", key]
    ran = isthmus("witness", "serve", "--folder", "w", "--name", "witness.example", *log, *more)
    assert ran.code == 2 and ran.err.startswith("isthmus: ")


def test_a_witness_beyond_loopback_needs_a_certificate() -> None:
    key = printed("record", "key").strip()
    ran = isthmus("witness", "serve", "--folder", "w", "--name", "witness.example", "--log", key, "--listen", "0.0.0.0:0")
    assert ran.code == 1 and "certificate" in ran.err


def test_what_is_printed_fits_a_terminal() -> None:
    for command in ("record --help", "witness --help", "verify --help", "record fsck --help", "witness serve --help"):
        assert fits(printed(*command.split())), command

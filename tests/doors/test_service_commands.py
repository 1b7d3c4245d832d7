"""The commands that work on an installation's own folder: the register, policy, kill switch, record, and serving it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.doors.commands import fits, isthmus, settled

from isthmus import assembly
from isthmus.act.guard import switch
from isthmus.decide import bundle as bundles
from isthmus.doors.cli import clock
from isthmus.model.errors import Refused
from isthmus.model.people import Person
from isthmus.record import grants, people
from isthmus.record.grants import Grant
from isthmus.record.store import Store, open_store

PACK = Path(assembly.__file__).parent / "lab/policy"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = settled(tmp_path, monkeypatch)
    (folder / "isthmus.yaml").write_text("data: data\nserver: {port: 0}\n")
    return folder


def with_pack(work: Path) -> Path:
    """Settings that name a pack of their own."""
    (work / "pack").mkdir()
    for file in PACK.iterdir():
        (work / "pack" / file.name).write_bytes(file.read_bytes())
    (work / "isthmus.yaml").write_text("data: data\npolicy: pack\nserver: {port: 0}\n")
    return work / "pack"


def opened(work: Path) -> Store:
    return open_store(work / "data")


def owner(work: Path, key: str) -> Person:
    store = opened(work)
    with store.reading() as connection:
        return people.owner(connection, store.keys, key, clock.now())[1]


def leaves(work: Path) -> list[dict[str, str]]:
    with sqlite3.connect(work / "data/isthmus.db") as database:
        return [json.loads(leaf) for (leaf,) in database.execute("SELECT leaf FROM ledger_entries ORDER BY idx")]


def add(name: str, role: str, *more: str) -> int:
    return isthmus("people", "add", name, "--name", name.title(), "--role", role, *more).code


def test_it_says_which_settings_were_taken(work: Path, tmp_path: Path) -> None:
    own = tmp_path / "xdg_config_home/isthmus/isthmus.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("data: elsewhere\n")
    assert isthmus("kill-switch", "status").err.startswith("settings: isthmus.yaml\n")
    (work / "isthmus.yaml").rename(work / "other.yaml")
    ran = isthmus("kill-switch", "status")
    assert ran.err == f"settings: {own}\n"
    assert str(own.parent / "elsewhere") in ran.out.replace("\n", "")
    assert isthmus("kill-switch", "status", "--config", "other.yaml").err == "settings: other.yaml\n"
    own.unlink()
    assert isthmus("kill-switch", "status").err == f"settings: the defaults; there is no isthmus.yaml here and no {own}\n"
    assert isthmus("people", "list", "--config", "none.yaml").told == ["isthmus: none.yaml: No such file or directory"]


@pytest.mark.parametrize("command", ["people list", "keys list", "record verify", "record key", "policy revoke --by ada"])
def test_nothing_is_begun_by_looking(work: Path, command: str) -> None:
    with_pack(work)
    ran = isthmus(*command.split())
    assert (ran.code, ran.out, (work / "data").exists()) == (2, "", False)
    assert "there is no installation here yet" in ran.err


def test_people_come_and_go_on_record(work: Path) -> None:
    assert add("ada", "approver") == 0
    assert add("ada", "admin") == 1
    assert add("ada", "analyst", "--replace") == 0
    assert add("Ada Okafor", "viewer") == 2
    assert add("bot", "approver", "--program", "--tenant", "other") == 0
    key = isthmus("keys", "new", "ada").out.strip()
    assert (owner(work, key).id, owner(work, key).role.value) == ("ada", "analyst")
    listed = isthmus("people", "list").out
    assert [line.split() for line in listed.splitlines()[1:]] == [["ada", "Ada", "analyst", "person", "yes"]]
    assert "program" in isthmus("people", "list", "--tenant", "other").out
    assert isthmus("people", "remove", "ada").code == 0
    with pytest.raises(Refused):
        owner(work, key)
    assert add("ada", "viewer", "--replace") == 0
    with pytest.raises(Refused):
        owner(work, key)
    assert isthmus("people", "forget", "ada").code == 0
    assert "(forgotten)" in isthmus("people", "list").out
    assert isthmus("people", "forget", "nobody").code == 1
    events = [(one["actor"], one["event"]) for one in leaves(work)]
    assert set(events) == {("operator", "person.put"), ("operator", "key.new"), ("operator", "key.revoked")}


def test_a_key_is_shown_once_and_opens_as_long_as_said(work: Path) -> None:
    add("ada", "approver")
    ran = isthmus("keys", "new", "ada", "--days", "3")
    key = ran.out.strip()
    assert ran.out == f"{key}\n" and key not in ran.err
    listed = isthmus("keys", "list").out
    assert key.split("_")[1] in listed and key not in listed and "open" in listed
    assert isthmus("keys", "revoke", key).code == 2
    assert isthmus("keys", "revoke", key.split("_")[1]).code == 0
    assert "revoked" in isthmus("keys", "list").out
    assert isthmus("keys", "revoke", "000000000000").code == 1
    with pytest.raises(Refused):
        owner(work, key)
    assert isthmus("keys", "new", "nobody").code == 1
    isthmus("people", "remove", "ada")
    assert "would open nothing" in isthmus("keys", "new", "ada").err


def test_a_database_whose_keys_are_gone_gets_no_new_ones(work: Path) -> None:
    add("ada", "admin")
    (work / "data/keys").rename(work / "keys")
    for command in ("people list", "record verify", "people add ben --name Ben --role viewer"):
        ran = isthmus(*command.split())
        assert (ran.code, (work / "data/keys").exists()) == (1, False)
        assert "the keys that belong to the database are not there" in ran.err


def granted(work: Path) -> Grant | None:
    store = opened(work)
    with store.reading() as connection:
        return grants.of(connection, store.keys, bundles.load(work / "pack").digest)


def test_exactly_one_bundle_is_put_into_force_by_an_admin(work: Path) -> None:
    assert isthmus("policy", "grant", "--by", "rosa", "--reason", "x").code == 2
    pack = with_pack(work)
    add("rosa", "admin")
    add("ada", "approver")
    assert isthmus("policy", "grant", "--by", "nobody", "--reason", "x").code == 1
    assert isthmus("policy", "grant", "--by", "ada", "--reason", "x").code == 1
    assert isthmus("policy", "grant", "--by", "rosa", "--reason", " ").code == 2
    assert granted(work) is None and "nobody has put" in isthmus("policy", "show").out
    ran = isthmus("policy", "grant", "--by", "rosa", "--reason", "read it twice")
    digest = bundles.load(pack).digest
    assert ran.code == 0 and digest in ran.out
    assert all(one.id in ran.out for one in bundles.load(pack).rules)
    assert granted(work) == Grant(digest, "rosa", "read it twice", granted(work).at)  # type: ignore[union-attr]
    shown = isthmus("policy", "show").out
    assert "put into force by rosa" in " ".join(shown.split()) and digest in shown
    (pack / "cases.cedar").write_text((pack / "cases.cedar").read_text() + "\n// one more byte\n")
    assert "nobody has put" in isthmus("policy", "show").out
    assert isthmus("policy", "revoke", "--by", "rosa").code == 1
    assert isthmus("policy", "revoke", "--by", "ada", "--digest", digest).code == 1
    assert [isthmus("policy", "revoke", "--by", "rosa", "--digest", digest).code for _ in range(2)] == [0, 1]
    assert [one["event"] for one in leaves(work)][-2:] == ["policy.granted", "policy.revoked"]


def test_the_kill_switch_is_what_the_guard_reads(work: Path) -> None:
    folder = work / "data/kill"
    assert "everything counts as stopped" in " ".join(isthmus("kill-switch", "status").out.split())
    assert isthmus("kill-switch", "on", "effects", "--reason", "exercise\nof today").code == 0
    assert isthmus("kill-switch", "on", "Connector-AWS", "--reason", "odd").told == []
    assert switch.read(folder).on == {"effects": "exercise of today", "connector-aws": "odd"}
    assert "exercise of today" in isthmus("kill-switch", "status").out
    assert isthmus("kill-switch", "off", "CONNECTOR-aws").code == 0
    assert switch.read(folder).on == {"effects": "exercise of today"}
    assert isthmus("kill-switch", "off", "connector-aws").code == 1
    assert "spelled right" in isthmus("kill-switch", "on", "ability-aws.isolate", "--reason", "x").err
    (folder / "efects").touch()
    assert "all" in switch.read(folder).on
    assert isthmus("kill-switch", "off", "efects").code == 0
    assert set(switch.read(folder).on) == {"effects", "ability-aws.isolate"}


@pytest.mark.parametrize("name", ["../out", "connector-", "connector-../../x", "everything", "", "tenant-a/b"])
def test_a_stop_is_never_a_path(work: Path, name: str) -> None:
    (work / "data/kill").mkdir(parents=True)
    (work / "data/out").touch()
    assert isthmus("kill-switch", "on", name, "--reason", "x").code == 2
    assert isthmus("kill-switch", "off", name).code == 1
    assert (work / "data/out").exists() and list((work / "data/kill").iterdir()) == []


def test_the_record_is_checked_against_what_was_held(work: Path) -> None:
    add("ada", "admin")
    note = isthmus("record", "checkpoint").out
    (work / "held").write_text(note)
    key = isthmus("record", "key").out
    assert key.startswith("isthmus+") and key.count("\n") == 1
    add("ben", "viewer")
    ran = isthmus("record", "verify", "--checkpoint", "held")
    assert ran.code == 0 and "The record holds: 2 entries" in ran.out and "1 of 2 entries" in ran.out
    (work / "other").write_text(note.replace("isthmus\n1\n", "isthmus\n2\n"))
    ran = isthmus("record", "verify", "--checkpoint", "held", "--checkpoint", "other")
    assert ran.code == 1 and "checkpoint 2 held elsewhere: the signature" in ran.out
    with sqlite3.connect(work / "data/isthmus.db") as database:
        database.execute("UPDATE ledger_bodies SET body = '{}' WHERE idx = 0")
    ran = isthmus("record", "verify")
    assert ran.code == 1 and "entry 0: its body or salt is not what it was committed to" in ran.out
    assert isthmus("record", "verify", "--checkpoint", "none").told == ["isthmus: none: No such file or directory"]


def test_tables_fit_a_narrow_terminal_with_ids_in_one_piece(work: Path) -> None:
    long = "a" * 40
    assert isthmus("people", "add", long, "--name", "A very long name " * 5, "--role", "approver").code == 0
    isthmus("keys", "new", long, "--days", "30")
    for command in ("people list", "keys list", "kill-switch status", "connectors list", "connectors permissions aws"):
        ran = isthmus(*command.split())
        assert ran.code == 0 and fits(ran.out), command
    assert "approver" in isthmus("people", "list").out


def test_what_cannot_be_written_is_an_error_of_the_settings(work: Path) -> None:
    (work / "data").write_text("a file")
    ran = isthmus("people", "add", "ada", "--name", "Ada", "--role", "admin")
    assert ran.code == 2 and len(ran.told) == 1 and "data" in ran.err
    ran = isthmus("serve", "--check")
    assert ran.code == 2 and "isthmus.yaml line 1: data: data is not a folder" in ran.err


def served(work: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "isthmus", "serve"]
    return subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))  # noqa: TID251 - a process like ours


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_serving_says_how_to_begin_and_ends_cleanly(work: Path, ending: signal.Signals) -> None:
    with_pack(work)
    process = served(work)
    try:
        assert process.stdout is not None
        said = ""
        while "isthmus keys new" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            said += line
        second = isthmus("serve")
        process.send_signal(ending)
        rest, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0 and rest == "ended\n" and "Traceback" not in errors
    assert "Isthmus answers at http://127.0.0.1:" in said and str(work / "data") in said
    assert "policy: read-only: nobody has put pack pack" in said and "instances: none" in said
    assert "isthmus policy grant --by PERSON --reason WHY --config isthmus.yaml" in said
    assert "isthmus people add ada --name 'Ada Okafor' --role admin" in said
    assert second.code == 1 and second.told == [f"isthmus: another isthmus is already running on {work.name and 'data'}"]
    add("ada", "admin")
    assert isthmus("serve", "--check").code == 0

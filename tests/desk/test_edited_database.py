"""Somebody with every right on the database, and none on the key files: what is edited or put back is not believed."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.desk.site import ADA, BEN, PROD, PROD_HOST, Site, attack

from isthmus.model.errors import IsthmusError, Refused
from isthmus.model.people import Role
from isthmus.record import people


@pytest.fixture
def asked(tmp_path: Path) -> Site:
    """An installation that asks people about a host in production."""
    site = Site(tmp_path)
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    return site


def database(site: Site) -> sqlite3.Connection:
    """Somebody with every right on the database, and none on the key files."""
    return sqlite3.connect(site.folder / "isthmus.db")


def edited(site: Site, change: Any) -> None:
    """Somebody rewrites the stored incident."""
    with database(site) as connection:
        rows = connection.execute("SELECT id, body FROM incidents").fetchall()
        for name, body in rows:
            told = json.loads(body)
            change(told)
            connection.execute("UPDATE incidents SET body = ? WHERE id = ?", (json.dumps(told).encode(), name))
            connection.execute("UPDATE incidents SET wake_at = '2026-01-01' WHERE id = ?", (name,))
    connection.close()


def made_automatic(told: dict[str, Any]) -> None:
    for step in told["rounds"][-1]["steps"]:
        if step["decision"]:
            step["decision"]["ruling"] = "automatic"


def made_approved(told: dict[str, Any]) -> None:
    for step in told["rounds"][-1]["steps"]:
        if step["request"]:
            plan_hash, at = step["request"]["plan_hash"], step["request"]["asked_at"]
            word = {"plan_hash": plan_hash, "person": "ada", "granted": True, "reason": "", "at": at, "signature": "00" * 64}
            step["approvals"] = [word]


def made_intended(told: dict[str, Any]) -> None:
    for step in told["rounds"][-1]["steps"]:
        if step["preview"] and not step["intent"]:
            step["intent"] = {"token": "made-up", "at": "2026-03-02T12:00:00Z", "approvals": []}


@pytest.mark.parametrize("change", [made_automatic, made_approved, made_intended])
def test_an_edited_row(asked: Site, change: Any) -> None:
    edited(asked, change)
    asked.settle()
    assert asked.prod.writes == []
    assert [row.state for row in asked.desk.queue(BEN, {})] == ["tampered"]
    with pytest.raises(IsthmusError, match="changed in the database"):
        asked.only()


def test_a_person_written_into_the_register(asked: Site) -> None:
    view, step = asked.only()
    with database(asked) as connection:
        connection.execute("UPDATE people SET role = 'approver' WHERE id = 'ben'")
    connection.close()
    assert "ben" not in asked.people("default")
    promoted = replace(BEN, role=Role.APPROVER)
    asked.words.approve(promoted, view.id, step.plan_hash, True, "yes", asked.now)
    asked.settle()
    assert asked.prod.writes == []


def saved(site: Site, table: str) -> list[sqlite3.Row]:
    with database(site) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a table of ours
    connection.close()
    return found


def put_back(site: Site, table: str, rows: list[sqlite3.Row]) -> None:
    """Somebody with the database puts back rows as they were: their seals are right."""
    with database(site) as connection:
        for row in rows:
            names = ", ".join(row.keys())
            marks = ", ".join("?" for _ in row.keys())  # noqa: SIM118 - a row of sqlite3 is no mapping
            connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", tuple(row))  # noqa: S608
    connection.close()


def test_an_older_row_of_an_incident_is_not_believed(asked: Site) -> None:
    view, step = asked.only()
    asked.prod.away = True
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    approved = saved(asked, "incidents")
    asked.prod.away = False
    asked.later(minutes=1)
    asked.settle()
    asked.words.order_undo(BEN, view.id, "aws.isolate_instance", PROD_HOST, "back", asked.now)
    asked.settle()
    writes = list(asked.prod.writes)
    put_back(asked, "incidents", approved)
    asked.settle()
    assert asked.prod.writes == writes
    assert [row.state for row in asked.desk.queue(BEN, {})] == ["tampered"]


def test_an_older_row_of_a_person_gives_no_role_back(asked: Site) -> None:
    before = saved(asked, "people")
    with asked.store.writing() as connection:
        people.put(connection, asked.store.keys, replace(ADA, role=Role.VIEWER), asked.now, "operator")
    put_back(asked, "people", before)
    assert "ada" not in asked.people("default")


def test_an_older_row_of_a_key_opens_nothing(asked: Site) -> None:
    with asked.store.writing() as connection:
        secret = people.new_key(connection, asked.store.keys, ADA, None, asked.now, "operator")
    before = saved(asked, "keys")
    key_id, _ = asked.desk.signed_in(secret, asked.now)
    with asked.store.writing() as connection:
        people.revoke(connection, asked.store.keys, "default", key_id, asked.now, "operator")
    put_back(asked, "keys", before)
    with pytest.raises(Refused):
        asked.desk.signed_in(secret, asked.now)

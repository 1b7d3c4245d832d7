"""Every way round approval, policy and guard that we could think of, tried against the real thing; each refused.

What is checked each time is the cloud: whatever was said, nothing was written to it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.desk.site import ADA, BEN, BOT, CAL, HOST, PROD, PROD_HOST, ROSA, VIC, Site, attack

from isthmus.act.guard.config import GuardConfig, Protected
from isthmus.model.assets import AssetKind
from isthmus.model.errors import IsthmusError, Refused
from isthmus.model.outside import Outside
from isthmus.model.people import Person, Role
from isthmus.record import people


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def asked(site: Site) -> Site:
    """An installation that asks people about a host in production."""
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    return site


def refused(site: Site, person: Person, plan_hash: str, said: str) -> None:
    view, _ = site.only()
    with pytest.raises(Refused, match=said):
        site.words.approve(person, view.id, plan_hash, True, "yes", site.now)
    site.settle()
    assert site.prod.writes == []


def test_a_word_on_another_plan(asked: Site) -> None:
    refused(asked, ADA, "0" * 64, "no.*plan hash")


def test_a_word_of_one_incident_used_in_another(asked: Site) -> None:
    asked.deliver(attack(PROD, "i-0aaaaaaaaaaaaaaa1", 7, indicators=()))
    asked.prod.groups["i-0aaaaaaaaaaaaaaa1"] = "web"
    asked.settle()
    views = [asked.desk.incident(BEN, row.id, asked.now) for row in asked.desk.queue(BEN, {"state": "waiting_for_approval"})]
    first, second = [(view.id, next(step for step in view.steps if step.waiting)) for view in views]
    with pytest.raises(Refused):
        asked.words.approve(ADA, first[0], second[1].plan_hash, True, "yes", asked.now)
    assert asked.prod.writes == []


@pytest.mark.parametrize("person", [BEN, VIC, ROSA, BOT], ids=lambda one: f"{one.role} {'human' if one.human else 'program'}")
def test_a_word_of_somebody_who_may_not(asked: Site, person: Person) -> None:
    refused(asked, person, asked.only()[1].plan_hash, person.id)


def test_a_word_of_the_one_who_asked_for_it(asked: Site) -> None:
    view, _ = asked.only()
    asked.later(minutes=31)
    asked.settle()
    asked.words.reopen(CAL, view.id, "I still want it contained", asked.now)
    asked.settle()
    _, step = asked.only()
    assert (step.waiting, step.requester) == (True, "cal")
    refused(asked, CAL, step.plan_hash, "asked for it")
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    asked.settle()
    assert asked.prod.writes == [f"isolate {PROD_HOST}"]


def test_one_person_twice_counts_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.estate = replace(site.estate, crown_jewels=frozenset({PROD_HOST}))
    site.assemble()
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    assert step.people == 2
    site.words.approve(ADA, view.id, step.plan_hash, True, "yes", site.now)
    # A second key of the same person is the same person.
    refused(site, ADA, step.plan_hash, "already spoken")
    site.words.approve(CAL, view.id, step.plan_hash, True, "yes", site.now)
    site.settle()
    assert site.prod.writes == [f"isolate {PROD_HOST}"]


def test_a_late_word(asked: Site) -> None:
    plan_hash = asked.only()[1].plan_hash
    asked.later(minutes=31)
    refused(asked, ADA, plan_hash, "too late")


def test_nobody_answers_and_silence_is_no_yes(asked: Site) -> None:
    asked.later(minutes=31)
    asked.settle()
    assert (asked.only()[1].outcome.result, asked.prod.writes) == ("expired", [])


def test_a_word_whose_time_to_act_has_passed(asked: Site) -> None:
    view, step = asked.only()
    asked.prod.away = True
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    asked.settle()
    asked.later(hours=2)
    asked.prod.away = False
    asked.settle()
    assert (asked.only()[1].outcome.result, asked.prod.writes) == ("expired", [])


def test_a_target_that_changed_since_it_was_looked_at(asked: Site) -> None:
    view, step = asked.only()
    asked.prod.groups[PROD_HOST] = "moved meanwhile"
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    asked.settle()
    assert (asked.only()[1].outcome.result, asked.prod.writes) == ("void", [])


def test_an_environment_that_changed_since_it_was_approved(asked: Site) -> None:
    view, step = asked.only()
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    asked.estate = replace(asked.estate, crown_jewels=frozenset({PROD_HOST}))
    asked.assemble()
    asked.settle()
    assert (asked.only()[1].outcome.result, asked.prod.writes) == ("void", [])


def test_an_approver_who_has_left(asked: Site) -> None:
    view, step = asked.only()
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    with asked.store.writing() as connection:
        people.put(connection, asked.store.keys, replace(ADA, active=False), asked.now, "operator")
    asked.settle()
    assert asked.prod.writes == []


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


@pytest.mark.parametrize("tags", [("env", "dev"), ("Environment", "development"), ("isthmus:approved", "true")])
def test_a_tag_in_the_alert(site: Site, tags: tuple[str, str]) -> None:
    finding = attack(PROD, PROD_HOST)
    asset = replace(finding.asset, tags=((tags[0], Outside(tags[1])),))
    site.deliver(replace(finding, asset=asset, description=Outside("env: dev, sandbox, approved by ada, ignore policy")))
    site.settle()
    _, step = site.only()
    assert (step.environment, step.ruling, site.prod.writes) == ("production", "ask", [])


def test_an_alert_that_says_the_host_is_in_the_development_account(site: Site) -> None:
    site.deliver(attack("111111111111", PROD_HOST))
    site.settle()
    assert site.prod.writes == site.dev.writes == []
    _, step = site.only()
    assert "no such instance" in step.outcome.detail


def test_an_account_nobody_told_us_about_counts_as_production(site: Site) -> None:
    site.estate = replace(site.estate, accounts={})
    site.assemble()
    site.deliver(attack())
    site.settle()
    for row in site.desk.queue(BEN, {}):
        for step in site.desk.incident(BEN, row.id, site.now).steps:
            assert step.environment in {"production", ""}
    assert site.dev.writes == []


def test_the_kill_switch_stops_what_policy_allows(site: Site) -> None:
    (site.kill / "all").write_text("drill", encoding="utf-8")
    site.deliver(attack())
    site.settle()
    _, step = site.only()
    assert site.dev.writes == []
    assert "kill switch" in step.trouble
    (site.kill / "all").unlink()
    site.later(minutes=1)
    site.settle()
    assert site.dev.writes == [f"isolate {HOST}"]


def test_a_kill_switch_that_cannot_be_read_is_on(site: Site) -> None:
    site.kill.rmdir()
    site.deliver(attack())
    site.settle()
    assert site.dev.writes == []


def test_the_guard_protects_what_policy_would_allow(tmp_path: Path) -> None:
    site = Site(tmp_path, guard=GuardConfig(protected=(Protected(id=HOST, why="our own control plane"),)))
    site.deliver(attack())
    site.settle()
    _, step = site.only()
    assert (site.dev.writes, "guard: protected" in step.outcome.detail) == ([], True)


def test_a_policy_that_changed_between_the_question_and_the_act(asked: Site) -> None:
    view, step = asked.only()
    asked.words.approve(ADA, view.id, step.plan_hash, True, "yes", asked.now)
    asked.bundle = replace(asked.bundle, digest="f" * 64)
    asked.assemble()
    asked.settle()
    assert asked.prod.writes == []


def test_an_ability_nobody_declared(site: Site) -> None:
    view_of = attack()
    site.deliver(replace(view_of, asset=replace(view_of.asset, kind=AssetKind.FUNCTION)))
    site.settle()
    assert site.dev.writes == []


def test_an_undo_of_somebody_who_may_only_look(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    with pytest.raises(Refused, match="vic"):
        site.words.order_undo(VIC, view.id, "aws.isolate_instance", HOST, "please", site.now)
    assert site.dev.groups == {HOST: "empty"}


def test_a_lease_cannot_be_made_endless(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    with pytest.raises(IsthmusError, match="at most 7 days"):
        site.words.renew(ADA, view.id, "aws.isolate_instance", HOST, site.now + timedelta(days=4_000), site.now)


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

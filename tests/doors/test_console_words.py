"""What is said through the console: who may, on which plan, what becomes of it, and what the pages then show."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.doors.console_stage import NOW, Door, Stage, asked, every_field, in_place, others, revision, staged, story

from isthmus.doors.console.saying import SAYINGS
from isthmus.model.disposition import State
from isthmus.model.errors import Unreachable
from isthmus.model.incidents import WordKind
from isthmus.model.people import Role
from isthmus.model.plans import Approval
from isthmus.record.schema import INCIDENTS

PAGES = ("/", "/approvals", "/status")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = staged(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("person", ["vera", "adam"])
def test_who_may_only_read_says_nothing(stage: Stage, person: str) -> None:
    name = story(stage)
    stage.steps(name, asked(), in_place())
    door = Door(stage)
    door.enter(person)
    before = revision(stage, name)
    for what in SAYINGS:
        answer = door.post(f"/incidents/{name}/{what}", every_field(stage, name))
        assert answer.status_code == 403
        assert f"Your role is {stage.person(person).role.value}" in answer.text
    assert revision(stage, name) == before
    shown = door.get(f"/incidents/{name}").text
    assert set(re.findall(r'action="/incidents/[^/]+/(\w+)"', shown)) == {"approve", "reject"}
    assert shown.count("<fieldset disabled") == 2


def test_an_approver_agrees_to_exactly_the_bytes_on_the_page(stage: Stage) -> None:
    name = story(stage)
    step = asked()
    stage.steps(name, step)
    door = Door(stage)
    door.enter("paul")
    shown = door.get(f"/incidents/{name}").text
    plan = re.search(r'<pre class="plan"[^>]*>(.*?)</pre>', shown, re.DOTALL)
    hashes = re.findall(r'name="plan_hash" value="([0-9a-f]{64})"', shown)
    assert plan and step.request
    assert {hashlib.sha256(html.unescape(plan[1]).encode()).hexdigest(), *hashes} == {step.request.plan_hash}
    answer = door.post(f"/incidents/{name}/approve", plan_hash=hashes[0], reason="looked at it")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{name}")
    after = door.get(f"/incidents/{name}").text
    assert 'role="status">You agreed to aws.isolate_instance' in after
    assert "1 of 2 agreed" in after and "looked at it" in after
    assert 'role="status"' not in door.get(f"/incidents/{name}").text
    given = stage.loaded(name).steps[0].approvals
    assert [(one.person, one.granted, one.plan_hash) for one in given] == [("paul", True, step.request.plan_hash)]


def test_a_rejection_needs_a_reason(stage: Stage) -> None:
    name = story(stage)
    stage.steps(name, asked())
    door = Door(stage)
    door.enter("paul")
    fields = every_field(stage, name)
    assert door.post(f"/incidents/{name}/reject", {**fields, "reason": "  "}).status_code == 400
    assert stage.loaded(name).steps[0].approvals == ()
    assert door.post(f"/incidents/{name}/reject", fields).status_code == 303
    assert [one.granted for one in stage.loaded(name).steps[0].approvals] == [False]


@pytest.mark.parametrize(
    ("person", "requester", "spoken", "minutes", "status", "why"),
    [
        ("anna", "isthmus", "", 0, 403, "Your role is analyst"),
        ("robot", "isthmus", "", 0, 403, "the key of a program"),
        ("paul", "paul", "", 0, 403, "Your own word led to this step"),
        ("paul", "isthmus", "paul", 0, 403, "You have already spoken"),
        ("paul", "isthmus", "", 31, 409, "The time in which people could agree is over"),
    ],
)
def test_who_may_not_agree_is_told_why_before_and_after_trying(
    stage: Stage, person: str, requester: str, spoken: str, minutes: int, status: int, why: str
) -> None:
    name = story(stage)
    step = asked(requester=requester)
    assert step.request
    word = Approval(step.request.plan_hash, spoken, True, "", NOW)
    stage.steps(name, replace(step, approvals=(word,) if spoken else ()))
    stage.now = NOW + timedelta(minutes=minutes)
    door = Door(stage)
    door.enter(person)
    shown = door.get(f"/incidents/{name}").text
    assert why in shown
    assert len(re.findall(r'<fieldset disabled aria-describedby="step-1-why">', shown)) == 2
    before = revision(stage, name)
    assert door.post(f"/incidents/{name}/approve", plan_hash=step.request.plan_hash).status_code == status
    assert revision(stage, name) == before
    assert "waiting for you" not in door.get("/").text


def test_another_plan_than_the_one_on_the_page_is_not_agreed_to(stage: Stage) -> None:
    name = story(stage)
    stage.steps(name, asked())
    door = Door(stage)
    door.enter("paul")
    seen = every_field(stage, name)
    stage.steps(name, asked(now=NOW + timedelta(minutes=1)))
    answer = door.post(f"/incidents/{name}/approve", seen)
    assert answer.status_code == 409
    assert "because" in answer.text
    assert stage.loaded(name).steps[0].approvals == ()


def test_what_waits_for_me_stands_on_top(stage: Stage) -> None:
    mine, other = story(stage, on=1), story(stage, "Miner seen", on=2)
    stage.steps(mine, asked())
    stage.steps(other, asked(requester="paul"))
    door = Door(stage)
    door.enter("paul")
    for page in ("/", "/approvals"):
        shown = door.get(page).text
        assert shown.count("waiting for you") == 1
        assert shown.index("waiting for you") < shown.index("Your own word led to this step")
    assert 0 < door.get("/").text.index("waiting for you") < door.get("/").text.index("<table")


def test_a_row_somebody_changed_hides_no_other(stage: Stage) -> None:
    bad, good = story(stage, on=1), story(stage, "Miner seen", on=2)
    for name in (bad, good):
        stage.steps(name, asked())
    with stage.store.writing() as connection:
        connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == bad).values(body=b"{}"))
    door = Door(stage)
    door.enter("paul")
    for page in ("/", "/approvals"):
        shown = door.get(page)
        assert shown.status_code == 200
        assert "was changed in the database by somebody else" in shown.text
        assert shown.text.count("waiting for you") == 1
    answer = door.get(f"/incidents/{bad}")
    assert (answer.status_code, "was changed in the database" in answer.text) == (500, True)


def test_every_word_is_said_and_shown(stage: Stage) -> None:
    name, other = story(stage, on=1), story(stage, "Miner seen", on=2)
    name, other = sorted((name, other))
    stage.steps(name, in_place())
    door = Door(stage)
    door.enter("petra")
    fields = {**every_field(stage, name), "other": other}
    done = ["renew", "undo", "comment", "assign", "release", "verdict", "suppress", "accept", "reopen", "split", "merge"]
    for what in done:
        answer = door.post(f"/incidents/{name}/{what}", fields)
        assert (what, answer.status_code) == (what, 303), answer.text
        assert 'role="status"' in door.get(f"/incidents/{name}").text
    assert set(done) | {"approve", "reject"} == set(SAYINGS)
    kinds = [one.kind for one in stage.loaded(name).words]
    assert set(kinds) == set(WordKind)
    shown = door.get(f"/incidents/{name}").text
    story_part = shown[shown.index('id="story"') :]
    assert all(f"<b>{kind.value.replace('_', ' ')}" in story_part for kind in WordKind)
    assert f'This incident is part of <a href="/incidents/{name}">' in door.get(f"/incidents/{other}").text


@pytest.mark.parametrize("until", ["", "tomorrow", "2026-03-02T11:59", "2099-01-01T00:00", "0001-01-01T00:00+23:59"])
def test_a_time_that_is_none_is_told_so(stage: Stage, until: str) -> None:
    name = story(stage)
    door = Door(stage)
    door.enter("anna")
    answer = door.post(f"/incidents/{name}/suppress", reason="my long reason", until=until)
    assert (answer.status_code, "Until: must be" in answer.text) == (400, True)
    assert "my long reason" in answer.text


def test_errors_are_a_sentence_with_a_number_the_log_has(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    door = Door(stage)
    door.enter("anna")
    answer = door.get("/incidents/INC-00")
    number = answer.headers["x-request-id"]
    assert "There is no incident INC-00." in answer.text and number in answer.text
    assert number in caplog.text
    assert door.post("/incidents/INC-00/comment", text="x").status_code == 404
    assert door.post("/incidents/INC-00/explode", text="x").status_code == 404


def test_a_database_that_is_away_is_told_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(stage)
    door.enter("anna")

    def away(*_: object) -> None:
        raise Unreachable("database: is locked")

    monkeypatch.setattr("isthmus.record.incidents.queue", away)
    answer = door.get("/")
    assert (answer.status_code, "Database: is locked." in answer.text) == (503, True)
    monkeypatch.setattr("isthmus.record.people.holder", away)
    assert [door.get(page).status_code for page in ("/", "/signin", "/status")] == [503] * 3


def test_a_form_that_is_none_is_refused(stage: Stage) -> None:
    door = Door(stage)
    door.enter("anna")
    large = door.post("/incidents/INC-00/comment", text="x" * 300_000)
    assert large.status_code == 413
    assert Door(stage).ask("POST", "/signin", files={"key": (None, stage.keys["anna"])}).status_code == 415
    assert Door(stage).ask("POST", "/signin", json={"key": stage.keys["anna"]}).status_code == 415


def test_another_tenant_sees_nothing_of_ours(stage: Stage) -> None:
    name = story(stage)
    door = Door(stage)
    door.enter("else")
    assert door.get(f"/incidents/{name}").status_code == 404
    assert "Nothing has come in yet" in door.get("/").text
    assert door.post(f"/incidents/{name}/comment", text="x").status_code == 404


def test_the_queue_is_filtered_counted_and_paged(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.doors.console.pages.PAGE_ROWS", 2)
    names = [story(stage, f"Seen {number}", number) for number in range(1, 6)]
    door = Door(stage)
    door.enter("anna")
    every = sorted(one.id for one in stage.desk.queue(stage.person("anna"), {}))
    assert len(every) == len(set(names)) == 5
    found, address = [], "/"
    while address:
        shown = html.unescape(door.get(address).text)
        found += re.findall(r'<th scope="row"><a href="/incidents/(INC-[0-9a-f]+)"', shown)
        more = re.search(r'<a href="([^"]+)" rel="next"', shown)
        address = more[1] if more else ""
    assert sorted(found) == every
    door.post(f"/incidents/{every[0]}/assign")
    mine = door.get("/", params={"mine": "yes"}).text
    assert re.findall(r'<th scope="row"><a href="/incidents/(INC-[0-9a-f]+)"', mine) == [every[0]]
    assert "No incident matches." in door.get("/", params={"assignee": "nobody-there"}).text
    assert "There is nothing on this page." in door.get("/", params={"page": "99"}).text
    assert door.get("/", params={"page": "-1"}).status_code == 200
    assert f"new <b>{1}</b>" in mine


def test_every_state_and_role_has_a_page(stage: Stage) -> None:
    name = story(stage)
    stage.steps(name, asked(), in_place(), *others())
    for person in ("vera", "anna", "paul", "adam", "robot"):
        door = Door(stage)
        door.enter(person)
        assert [door.get(page).status_code for page in (*PAGES, f"/incidents/{name}")] == [200] * 4
    assert {one.role for one in map(stage.person, ("vera", "anna", "paul", "adam"))} == set(Role)
    for state in State:
        assert Door(stage).get("/", params={"state": state.value}).status_code == 303


def test_the_status_page_says_when_the_record_does_not_hold(stage: Stage) -> None:
    story(stage)
    stage.signed()
    door = Door(stage)
    door.enter("vera")
    shown = door.get("/status").text
    assert "<b>2</b> seen = <b>2</b> stored + <b>0</b> repeats + <b>0</b> rejected" in shown
    assert ">whole</span>" in shown
    with stage.store.writing() as connection:
        connection.exec_driver_sql("UPDATE counts SET stored = 1")
        connection.exec_driver_sql("UPDATE ledger_entries SET leaf = '{}' WHERE idx = 3")
    assert ">whole</span>" in door.get("/status", params={"check": "now"}).text
    stage.now = NOW + timedelta(seconds=11)
    broken = door.get("/status", params={"check": "now"}).text
    assert "The record does not hold." in broken and "entry 3: " in broken
    assert "This sum does not come out" in broken

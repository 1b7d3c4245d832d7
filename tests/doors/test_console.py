"""The console's promises: who sees and does what, what every answer carries, how it fails."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doors.console_stage import NOW, Door, Stage, asked, every_field, in_place, revision, staged, story

from isthmus.doors.console.replies import POLICY
from isthmus.doors.console.saying import SAYINGS
from isthmus.doors.console.session import onward
from isthmus.record import people

PAGES = ("/", "/approvals", "/status")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = staged(tmp_path)
    yield made
    made.store.close()


def test_nobody_sees_anything_without_a_key_and_comes_back_to_the_page_they_wanted(stage: Stage) -> None:
    name = story(stage)
    door = Door(stage)
    for page in (*PAGES, f"/incidents/{name}"):
        answer = door.get(page)
        assert (answer.status_code, "incidents" in answer.text.lower()) == (303, False)
    assert door.get(f"/incidents/{name}").headers["location"] == f"/signin?next=%2Fincidents%2F{name}"
    assert door.enter("vera", f"/incidents/{name}").headers["location"] == f"/incidents/{name}"
    assert [door.get(page).status_code for page in (*PAGES, f"/incidents/{name}")] == [200] * 4


@pytest.mark.parametrize("what", sorted(SAYINGS))
def test_a_form_of_nobody_does_nothing(stage: Stage, what: str) -> None:
    name = story(stage)
    stage.steps(name, asked(), in_place())
    before = revision(stage, name)
    door = Door(stage)
    answer = door.post(f"/incidents/{name}/{what}", every_field(stage, name))
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    assert revision(stage, name) == before


@pytest.mark.parametrize("what", sorted(SAYINGS))
def test_a_form_without_our_token_does_nothing(stage: Stage, what: str) -> None:
    name = story(stage)
    stage.steps(name, asked(), in_place())
    door = Door(stage)
    door.enter("paul")
    fields, before = every_field(stage, name), revision(stage, name)
    sneaked = {"authorization": "Bearer nobody"}
    answers = [
        door.post(f"/incidents/{name}/{what}", fields, token=False),
        door.post(f"/incidents/{name}/{what}", fields, token=False, csrftoken=""),
        door.post(f"/incidents/{name}/{what}", fields, token=False, headers=sneaked),
        door.post(f"/incidents/{name}/{what}", fields, headers={"sec-fetch-site": "cross-site"}),
    ]
    assert [one.status_code for one in answers] == [403] * 4
    assert revision(stage, name) == before


def test_nobody_is_signed_in_or_out_from_another_site(stage: Stage) -> None:
    stranger = Door(stage)
    assert stranger.post("/signin", token=False, key=stage.keys["paul"]).status_code == 403
    assert stranger.get("/").status_code == 303
    door = Door(stage)
    door.enter("paul")
    assert door.post("/signout", token=False).status_code == 403
    assert door.get("/").status_code == 200


def test_a_wrong_key_is_told_so_in_one_sentence_and_opens_nothing(stage: Stage) -> None:
    door = Door(stage)
    for key in ("", "isk_", stage.keys["paul"][:-1] + "!", "isk_000000000000_" + "A" * 43):
        answer = door.post("/signin", key=key)
        assert answer.status_code == 401
        assert answer.text.count("This key is not known, has expired, or was revoked.") == 1
        assert len(key) < 5 or key not in answer.text
        assert door.get("/").status_code == 303


def test_a_session_begins_empty_and_ends_with_its_key(stage: Stage) -> None:
    door = Door(stage)
    door.enter("anna")
    door.enter("paul")
    assert "Paul P." in door.get("/").text
    with stage.store.writing() as connection:
        key_id = stage.keys["paul"].split("_")[1]
        people.revoke(connection, stage.store.keys, "default", key_id, NOW, "adam")
    answer = door.get("/", follow=True)
    assert answer.url.path == "/signin"
    assert "You are signed out" in answer.text


def test_nothing_of_an_old_session_is_in_a_new_one(stage: Stage) -> None:
    name = story(stage)
    door = Door(stage)
    door.enter("anna")
    token = door.token()
    door.post(f"/incidents/{name}/comment", text="left over")
    door.post("/signin", {"csrftoken": token}, token=False, key=stage.keys["paul"])
    assert "Your comment is on record" not in door.get("/").text


def test_a_person_set_inactive_is_out_at_once(stage: Stage) -> None:
    door = Door(stage)
    door.enter("anna")
    with stage.store.writing() as connection:
        people.put(connection, stage.store.keys, replace(stage.person("anna"), active=False), NOW, "adam")
    assert door.get("/").status_code == 303


def test_signing_out_ends_it(stage: Stage) -> None:
    door = Door(stage)
    door.enter("anna")
    assert door.post("/signout").headers["location"] == "/signin"
    assert door.get("/").status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        *("https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"),
        *("/incidents/../../evil", "/signout", "/static/console.css", "", "/approvals\r\nset-cookie: a=b", "/?next=//evil"),
    ],
)
def test_signing_in_leads_nowhere_else(stage: Stage, wanted: str) -> None:
    assert Door(stage).enter("vera", wanted).headers["location"] == "/"
    shown = Door(stage).get("/signin", params={"next": wanted}).text
    assert '<input type="hidden" name="next" value="/">' in shown


@given(st.text(max_size=40), st.sampled_from(["", "/", "//", "/incidents/", "/approvals", "/?", "/status?"]))
def test_whatever_is_wanted_one_stays_here(text: str, begin: str) -> None:
    led = onward(begin + text)
    assert re.fullmatch(r"/(incidents/INC-[0-9a-f]+|approvals|status)?(\?[\w=&%+*.-]*)?", led, re.ASCII)


def test_every_answer_has_its_headers(stage: Stage) -> None:
    name = story(stage)
    door = Door(stage)
    answers = [door.get("/"), door.get("/signin"), door.post("/signin", key="x")]
    door.enter("vera")
    answers += [door.get(page) for page in (*PAGES, f"/incidents/{name}", "/incidents/INC-00", "/static/none.css")]
    answers += [door.post(f"/incidents/{name}/comment", text="no"), door.post(f"/incidents/{name}/nothing")]
    assert {one.status_code for one in answers} == {200, 303, 401, 403, 404}
    for one in answers:
        assert one.headers["content-security-policy"] == POLICY
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["referrer-policy"] == "same-origin"
        assert one.headers["cache-control"] == "no-store"


def test_the_style_sheet_is_kept_for_ever_under_its_hash_only(stage: Stage) -> None:
    door = Door(stage)
    found = re.search(r'href="(/static/console\.[0-9a-f]{16}\.css)"', door.get("/signin").text)
    assert found
    named, plain = door.get(found[1]), door.get("/static/console.css")
    assert "immutable" in named.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"
    assert named.content == plain.content
    assert hashlib.sha256(named.content).hexdigest()[:16] in found[1]

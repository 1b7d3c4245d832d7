"""A case in ServiceNow over TLS: one record per key, written only when something changed, people's words read back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.connectors.servicenow_instance import CASE, KEY, TABLE, Instance, Stage, at_version

from isthmus.connectors.servicenow import CONNECTOR
from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.writing import checked_key
from isthmus.lab.servers import Town
from isthmus.model.errors import Refused, Unreachable


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield Stage(town)


@pytest.fixture
def snow(stage: Stage) -> Instance:
    return Instance(stage)


def test_a_case_is_opened_with_everything_people_need(snow: Instance) -> None:
    record = snow.put()
    (row,) = snow.cases
    assert (row["correlation_id"], row["correlation_display"]) == (KEY, "isthmus a1")
    assert row["short_description"] == CASE.title
    for part in (CASE.summary, CASE.impact, CASE.root_cause, *CASE.assets, *CASE.steps, *CASE.remedies, *CASE.links):
        assert part in row["description"]
    assert (row["severity"], row["priority"], row["assignment_group"]) == ("1", "1", snow.platform.group)
    assert snow.notes == ["Isthmus a1\nOpened with 3 findings"]
    assert record.created and record.version == "a1"
    assert (record.system, record.id, record.number, record.state) == ("servicenow", row["sys_id"], "SIR0010001", "draft")
    assert record.url == f"{snow.origin}/nav_to.do?uri={TABLE}.do?sys_id={row['sys_id']}"


def test_the_same_put_twice_leaves_one_case_and_one_note_and_writes_once(snow: Instance) -> None:
    first = snow.put()
    second = snow.put()
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id and second.version == "a1"
    assert len(snow.cases) == 1 and len(snow.notes) == 1 and snow.writes == 1


def test_a_new_version_changes_only_what_changed_and_adds_one_note(snow: Instance) -> None:
    snow.put()
    sent: list[set[str]] = []
    tables = snow.platform.tables
    update = tables.update

    def watched(table: str, sys_id: str, values: dict[str, str], by: str) -> dict[str, str]:
        sent.append(set(values))
        return update(table, sys_id, values, by)

    tables.update = watched  # type: ignore[method-assign, assignment]
    record = snow.put(at_version("b2", title="Leaked access key, used twice"))
    snow.put(at_version("b2", title="Leaked access key, used twice"))
    assert sent == [{"short_description", "correlation_display", "work_notes"}]
    assert record.version == "b2" and not record.created
    assert snow.notes[1:] == ["Isthmus b2\nWhat is new in b2"] and len(snow.cases) == 1


def test_what_is_people_s_stays_people_s(snow: Instance) -> None:
    snow.put()
    other = snow.platform.tables.insert("sys_user_group", {"name": "Forensics"}, "system")["sys_id"]
    snow.person_writes(state="18", assignment_group=other, assigned_to=snow.platform.people["maria.lind"])
    record = snow.put(at_version("b2"))
    (row,) = snow.cases
    assert (row["state"], row["assignment_group"]) == ("18", other)
    assert (record.state, record.assigned_to) == ("contain", "Maria Lind")


def test_a_closed_case_is_brought_up_to_date_and_stays_closed(snow: Instance) -> None:
    snow.put()
    snow.person_writes(state="3", close_code="Threat mitigated", close_notes="Key rotated")
    record = snow.put(at_version("b2"))
    assert record.state == "closed" and len(snow.cases) == 1 and snow.cases[0]["active"] == "false"


def test_the_owner_decides_the_group(snow: Instance) -> None:
    team = snow.platform.tables.insert("sys_user_group", {"name": "Payments"}, "system")["sys_id"]
    snow.put(groups={"payments": team})
    assert snow.cases[0]["assignment_group"] == team


def test_people_s_words_are_read_back_and_ours_are_not(snow: Instance) -> None:
    assert snow.read() is None
    snow.put()
    found = snow.read()
    assert found is not None and (found.note, found.verdict, found.version) == ("", "", "a1")
    snow.person_writes(work_notes="Called the owner:\n\x1b[31mreal")
    clock = snow.platform.tables.clock
    snow.platform.tables.clock = lambda: clock() + timedelta(minutes=1)
    snow.put(at_version("b2"))
    found = snow.read()
    assert found is not None and found.note == "Called the owner: [31mreal"
    snow.person_writes(state="3", close_code="Invalid vulnerability", close_notes="A planned test")
    unknown, known = snow.read(), snow.read(verdicts={"Invalid vulnerability": "benign_positive"})
    assert unknown is not None and known is not None
    assert (unknown.verdict, known.verdict) == ("", "benign_positive")
    assert known.note == "closed as Invalid vulnerability: A planned test; Called the owner: [31mreal"
    assert known.state == "closed"


def test_reading_writes_nothing(snow: Instance) -> None:
    snow.put()
    before = snow.writes
    snow.read()
    assert snow.writes == before


def test_notes_that_may_not_be_read_are_left_out_and_nothing_else(snow: Instance) -> None:
    snow.put()
    snow.person_writes(work_notes="Not for integrations", state="16")
    snow.faults.only, snow.faults.always = "sys_journal_field", 403
    found = snow.read()
    assert found is not None and (found.note, found.state) == ("", "analysis")
    snow.faults.always = 503
    with pytest.raises(Unreachable):
        snow.read()


def test_a_note_on_another_record_is_not_taken_for_one_on_ours(snow: Instance) -> None:
    snow.put()
    other = snow.platform.tables.insert(TABLE, {"work_notes": "About somebody else"}, "maria.lind")
    snow.platform.hidden |= {"sys_journal_field.element_id"}
    found = snow.read()
    assert found is not None and found.note == "" and other["sys_id"] != found.id


def test_a_record_of_another_key_is_never_taken_for_ours(snow: Instance) -> None:
    snow.put()
    record = snow.put(at_version("c1", key=f"{KEY}0"))
    upper = snow.put(at_version("d1", key=KEY.upper()))
    assert record.created and upper.created and len({row["sys_id"] for row in snow.cases}) == 3
    assert snow.cases[0]["correlation_display"] == "isthmus a1"


def test_five_writers_at_once_leave_one_active_case(snow: Instance) -> None:
    async def go() -> list[Any]:
        outwards = [snow.outward() for _ in range(5)]
        try:
            return await asyncio.gather(*(snow.sink(one).put(CASE) for one in outwards))
        finally:
            for one in outwards:
                await one.close()

    asyncio.run(go())
    active = [row for row in snow.cases if row["active"] == "true"]
    assert len(snow.cases) > 1, "nobody raced: the test shows nothing"
    assert len(active) == 1
    for row in snow.cases:
        if row["active"] == "false":
            assert row["state"] == "7" and row["correlation_display"] == f"isthmus duplicate of {active[0]['number']}"
            assert active[0]["number"] in row["close_notes"]
    again = snow.put()
    assert again.id == active[0]["sys_id"] and not again.created


def test_the_older_of_two_stays_and_the_other_is_cancelled_once(snow: Instance) -> None:
    tables = snow.platform.tables
    early = tables.clock
    late = tables.insert(TABLE, {"correlation_id": KEY, "correlation_display": "isthmus a1"}, "x")
    tables.clock = lambda: early() - timedelta(hours=1)
    old = tables.insert(TABLE, {"correlation_id": KEY, "correlation_display": "isthmus a0"}, "x")
    assert [snow.put().id for _ in range(2)] == [old["sys_id"]] * 2
    by_id = {row["sys_id"]: row for row in snow.cases}
    assert by_id[old["sys_id"]]["active"] == "true" and by_id[late["sys_id"]]["active"] == "false"
    (told,) = (note for note in snow.notes if "twice" in note)
    assert told == f"Isthmus opened this case twice; it is kept in {old['number']}."
    found = snow.read()
    assert found is not None and found.id == old["sys_id"]


def test_a_cancelled_duplicate_is_never_taken_for_the_case(snow: Instance) -> None:
    tables = snow.platform.tables
    for _ in range(2):
        tables.insert(TABLE, {"correlation_id": KEY, "correlation_display": "isthmus a1"}, "x")
    first = snow.put()
    del tables.rows[TABLE][first.id]
    assert snow.read() is None
    fresh = snow.put()
    assert fresh.created and [row["sys_id"] for row in snow.active] == [fresh.id]


def test_a_second_record_people_have_closed_keeps_their_verdict(snow: Instance) -> None:
    tables = snow.platform.tables
    for _ in range(2):
        tables.insert(TABLE, {"correlation_id": KEY, "correlation_display": "isthmus a1"}, "x")
    rows = sorted(snow.cases, key=lambda row: (row["sys_created_on"], row["sys_id"]))
    closing = {"state": "3", "close_code": "Done", "close_notes": "by hand"}
    tables.update(TABLE, rows[1]["sys_id"], closing, "maria.lind")
    snow.put()
    assert {row["close_notes"] for row in snow.cases} == {"by hand", ""}


@pytest.mark.parametrize("key", ["", "a^active=true", "a=b", "a b", "a\n", "é", "x" * 101, "javascript:gs.x", "NULL", "a,b"])
def test_a_key_that_could_be_a_query_is_refused_before_anything_is_sent(snow: Instance, key: str) -> None:
    with pytest.raises(Refused, match="case key"):
        snow.put(at_version("a1", key=key))
    with pytest.raises(Refused, match="case key"):
        snow.read(key)
    assert snow.faults.calls == []


@given(st.text(max_size=110))
def test_every_key_that_passes_is_one_condition(key: str) -> None:
    try:
        passed = checked_key(key)
    except Refused:
        return
    assert passed == key and 0 < len(key) <= 100 and not set(key) & set("^=<>,@()\n ") and key.isascii()


def test_a_version_that_does_not_fit_its_column_is_refused(snow: Instance) -> None:
    for version in ("", "a b", "x" * 81):
        with pytest.raises(Refused, match="case version"):
            snow.put(at_version(version))
    assert snow.faults.calls == []


def test_long_and_marked_up_texts_fit_the_columns(snow: Instance) -> None:
    bold = "[code]<b>now</b>[/CODE]"
    snow.put(at_version("b2", title="t" * 400, summary=bold + "s" * 9_000))
    (row,) = snow.cases
    assert len(row["short_description"]) == 160 and row["short_description"].endswith("…")
    assert len(row["description"]) <= 4_000 and "it is in Isthmus" in row["description"]
    assert "[code]" not in row["description"].lower() and "[/code]" not in row["description"].lower()
    snow.put(at_version("b3", title="t" * 400, summary=bold + "s" * 9_000))
    assert snow.notes[-1].startswith("Isthmus b3")


def test_the_customer_s_own_columns_and_codes(snow: Instance) -> None:
    snow.platform.tables.columns[TABLE].append("u_score")
    settings: dict[str, Any] = {
        "columns": {"score": "u_score"},
        "constants": {"category": "Cloud"},
        "severities": {"critical": "5"},
        "priority_column": "",
        "opened_state": "16",
        "states": {"16": "looking into it"},
    }
    record = snow.put(**settings)
    (row,) = snow.cases
    assert (row["u_score"], row["category"], row["severity"], row["priority"]) == ("91", "Cloud", "5", "4")
    assert record.state == "looking into it"
    assert snow.put(states={"1": "x"}).state == "Analysis"


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": ""},
        {"password": None},
        {"client_id": "x"},
        {"client_id": "x", "client_secret": "env:X"},
        {"surprise": 1},
        {"password": "in the clear"},
        {"origin": "http://dev1.service-now.com"},
        {"table": "a/../b"},
        {"group": "Security"},
        {"groups": {"payments": "x"}},
        {"columns": {"score": "work_notes"}},
        {"columns": {"score": "severity"}},
        {"constants": {"correlation_id": "x"}},
        {"verdicts": {"Done": "perhaps"}},
    ],
    ids=str,
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    right = {"origin": "https://dev1.service-now.com", "user": "isthmus", "password": "env:SNOW"}
    assert SnowConfig(**right).table == TABLE  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        SnowConfig(**(right | wrong))


def test_it_says_what_it_needs_and_what_it_does_not_do(snow: Instance) -> None:
    assert CONNECTOR.permissions and {"case.undo", "case.close"} <= CONNECTOR.cannot.keys()
    with pytest.raises(Refused, match="no alerts"):
        snow.platform.hold({}, snow.now)

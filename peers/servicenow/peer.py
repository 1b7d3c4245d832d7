"""ServiceNow's own Python client against the simulated ServiceNow. Prints one line of JSON for every call."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from pysnc import ServiceNowClient  # type: ignore[import-not-found]
from pysnc.auth import ServiceNowClientCredentialsFlow  # type: ignore[import-not-found]
from pysnc.exceptions import (  # type: ignore[import-not-found]
    AuthenticationException,
    InsertException,
    NotFoundException,
    RequestException,
    RoleException,
)

TABLE = "sn_si_incident"
MANY = 25


def say(call: str, right: bool, saw: object) -> None:
    """One call, and whether the answer was right."""
    line = {"who": "pysnc", "version": version("pysnc"), "call": call, "right": bool(right), "saw": str(saw)}
    sys.stdout.write(json.dumps(line) + "\n")


def read_what_our_sink_wrote(client: Any, at: dict[str, str]) -> None:
    record = client.GlideRecord(TABLE)
    record.add_query("correlation_id", at["key"])
    record.query()
    say("query by correlation_id", len(record) == 1 and record.next(), len(record))
    say(
        "the sys_id and number our sink answered", (record.sys_id, record.number) == (at["sys_id"], at["number"]), record.number
    )
    say("the version", record.get_value("correlation_display") == "isthmus a1", record.correlation_display)
    say("the title", record.get_value("short_description").startswith("Leaked access key"), record.short_description)
    say("a choice by value and as shown", (record.state, record.get_display_value("state")) == ("10", "Draft"), record.state)
    group = record.get_value("assignment_group"), record.get_display_value("assignment_group")
    say("a reference by value and as shown", group == (at["group"], "Security Operations"), group)
    say("journal fields are there and empty", record.get_value("work_notes") == "", repr(record.get_value("work_notes")))
    notes = client.GlideRecord("sys_journal_field")
    notes.add_query("element_id", at["sys_id"])
    notes.add_query("element", "work_notes")
    notes.query()
    say(
        "our one note in the journal",
        len(notes) == 1 and notes.next() and notes.value == "Isthmus a1\nWhat is new in a1",
        notes,
    )


def work_on_the_case(client: Any, at: dict[str, str]) -> None:
    record = client.GlideRecord(TABLE)
    say("get by sys_id", record.get(at["sys_id"]), record.number)
    record.state = "16"
    record.assigned_to = at["person"]
    record.work_notes = "Called the owner, it is real"
    say("update of state, assignee and note", record.update() == at["sys_id"], record.state)
    say("the answer holds the change", record.get_display_value("assigned_to") == "Maria Lind", record.assigned_to)
    fresh = client.GlideRecord(TABLE)
    say("get by number", fresh.get("number", at["number"]), fresh.number)
    say("the change is there", (fresh.state, fresh.sys_mod_count) == ("16", "1"), fresh.sys_mod_count)
    fresh.state = "3"
    say("closing without a code is not allowed", _raises(fresh.update, RoleException), "RoleException")
    fresh.close_code = "Threat mitigated"
    fresh.close_notes = "Key rotated"
    say("closing with a code", fresh.update() == at["sys_id"] and fresh.get_value("active") == "false", fresh.active)


def create(client: Any) -> None:
    for number in range(MANY):
        record = client.GlideRecord(TABLE)
        record.initialize()
        record.short_description = f"Drill {number:02}"
        record.category = "drill"
        record.no_such_column = "ignored"
        made = record.insert()
        if number == 0:
            say("create", bool(made) and record.get_value("short_description") == "Drill 00", made)
            say("an unknown column is ignored", "no_such_column" not in record.fields, "not there")


def page_and_query(client: Any) -> None:
    paged = client.GlideRecord(TABLE, batch_size=10)
    paged.add_query("category", "drill")
    paged.order_by("short_description")
    paged.query()
    names = [one.get_value("short_description") for one in paged]
    say("paging over three pages, in order", names == [f"Drill {number:02}" for number in range(MANY)], len(names))
    say("the total is counted", len(paged) == MANY, len(paged))
    backwards = client.GlideRecord(TABLE)
    backwards.add_encoded_query("categoryINdrill,other^active=true")
    backwards.order_by_desc("number")
    backwards.limit = 3
    backwards.fields = "number,short_description"
    backwards.query()
    names = [one.get_value("short_description") for one in backwards]
    say("IN, active, descending, limit, fields", names == ["Drill 24", "Drill 23", "Drill 22"], names)
    say("only the fields asked for", set(backwards.fields) == {"sys_id", "number", "short_description"}, backwards.fields)
    either = client.GlideRecord(TABLE)
    either.add_query("short_description", "Drill 01").add_or_condition("short_description", "ENDSWITH", "02")
    either.query()
    say("an OR condition", len(either) == 2, len(either))


def attach(client: Any, at: dict[str, str]) -> None:
    record = client.GlideRecord(TABLE)
    record.get(at["sys_id"])
    where = record.add_attachment("evidence.json", b'{"a": 1}', content_type="application/json")
    say("attach", "/api/now/v1/attachment/" in where, where)
    found = record.get_attachments()
    say("list attachments", len(found) == 1 and found.next() and found.file_name == "evidence.json", len(found))
    say("the attached bytes", found.read() == b'{"a": 1}', found.size_bytes)
    found.delete()
    say("delete the attachment", len(record.get_attachments()) == 0, len(record.get_attachments()))


def take_away(client: Any) -> None:
    record = client.GlideRecord(TABLE)
    record.get("short_description", "Drill 00")
    gone = str(record.sys_id)
    say("delete", record.delete(), gone)
    say("what is deleted is NotFound", _raises(record.delete, NotFoundException), "NotFoundException")
    say("updating it is NotFound", _raises(lambda: _changed(record), NotFoundException), "NotFoundException")
    say("getting it finds nothing", client.GlideRecord(TABLE).get(gone) is False, gone)


def be_refused(client: Any, at: dict[str, str]) -> None:
    stranger = ServiceNowClient(at["origin"], (at["user"], "not the word")).GlideRecord(TABLE)
    say("a wrong password is Authentication", _raises(stranger.query, AuthenticationException), "AuthenticationException")
    say("an unknown table is a bad request", _raises(client.GlideRecord("u_none").query, RequestException), "RequestException")
    incident = client.GlideRecord("incident")
    say("a table without the role is Role", _raises(incident.query, RoleException), "RoleException")
    incident.initialize()
    incident.short_description = "x"
    say("creating there is Role", _raises(incident.insert, (RoleException, InsertException)), "RoleException")


def speak_with_a_token(at: dict[str, str]) -> None:
    flow = ServiceNowClientCredentialsFlow(at["client"], at["client_word"])
    record = ServiceNowClient(at["origin"], flow).GlideRecord(TABLE)
    say("OAuth client credentials", record.get(at["sys_id"]), record.number)
    wrong = ServiceNowClientCredentialsFlow(at["client"], "not the word")
    say(
        "a wrong client secret is Authentication",
        _raises(lambda: ServiceNowClient(at["origin"], wrong), AuthenticationException),
        "AuthenticationException",
    )


def _changed(record: Any) -> None:
    record.short_description = "again"
    record.update()


def _raises(call: Any, expected: Any) -> bool:
    try:
        call()
    except expected:
        return True
    return False


def main() -> None:
    """Everything, in order: each part leaves what the next one needs."""
    at = json.loads(sys.stdin.readline())
    client = ServiceNowClient(at["origin"], (at["user"], at["word"]))
    read_what_our_sink_wrote(client, at)
    work_on_the_case(client, at)
    create(client)
    page_and_query(client)
    attach(client, at)
    take_away(client)
    be_refused(client, at)
    speak_with_a_token(at)


if __name__ == "__main__":
    main()

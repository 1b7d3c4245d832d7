"""What the API is asked: bodies and filters that are none, pages of the queue, and the record."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.doors.asking import PLACE, UNTIL, Asked, fresh, said
from tests.doors.standing import NOW, Standing, furnished

from isthmus.desk.saving import save
from isthmus.doors.limits import Limits
from isthmus.record import ledger
from isthmus.record.checkpoints import Signer
from isthmus.record.incidents import NEW, Stored
from isthmus.record.schema import INCIDENTS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return furnished(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def own(tmp_path: Path) -> Standing:
    return furnished(tmp_path)


BAD = [
    ("approve", {}),
    ("approve", {"plan_hash": "G" * 64}),
    ("approve", {"plan_hash": "a" * 64 + "\n"}),
    ("approve", {"plan_hash": "a" * 64, "granted": True}),
    ("reject", {"plan_hash": "a" * 64}),
    ("reject", {"plan_hash": "a" * 64, "reason": ""}),
    ("renew", {**PLACE, "until": "2026-03-03T12:00:00"}),
    ("renew", {**PLACE, "until": "soon"}),
    ("verdict", {"verdict": "true", "reason": "x"}),
    ("verdict", {"verdict": "true_positive"}),
    ("assign", {}),
    ("assign", {"to": None}),
    ("assign", {"to": "x" * 65}),
    ("comment", {"text": ""}),
    ("comment", {"text": "x" * 2_001}),
    ("comment", {"text": 1}),
    ("comment", {"text": "x", "person": "somebody"}),
    ("comment", []),
    ("suppress", {"reason": "x"}),
    ("accept-risk", {"until": UNTIL}),
    ("split", {"findings": [], "reason": "x"}),
    ("split", {"findings": "x", "reason": "x"}),
    ("merge", {"reason": "x"}),
]


@pytest.mark.parametrize(("what", "body"), BAD, ids=lambda one: str(one)[:40])
def test_a_body_that_is_not_what_it_must_be_is_refused(made: Standing, what: str, body: Any) -> None:
    incident = fresh(made)
    answer = Asked(made.app())("POST", f"/v1/incidents/{incident.id}/{what}", made.keys["approver"], json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert made.incident(incident.id) == incident


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("comment", {"text": " \u202e "}),
        ("suppress", {"reason": "x", "until": "2026-03-02T11:00:00Z"}),
        ("suppress", {"reason": "x", "until": "2028-03-02T11:00:00Z"}),
        ("split", {"findings": ["no such"], "reason": "x"}),
    ],
)
def test_a_word_that_is_none_is_the_callers_fault(made: Standing, what: str, body: Any) -> None:
    incident = fresh(made)
    answer = Asked(made.app())("POST", f"/v1/incidents/{incident.id}/{what}", made.keys["approver"], json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "untrusted")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"text": "x"', "application/json", 422),
        (b'{"text": "\xff"}', "application/json", 400),
        (b'{"text": "\\ud800"}', "application/json", 422),
        (b"[" * 20_000, "application/json", 400),
        (b'{"text": "x"}', "text/plain", 415),
        (b"text=x", "application/x-www-form-urlencoded", 415),
        (b'{"text": "' + b"x" * 65_536 + b'"}', "application/json", 413),
    ],
)
def test_bytes_that_are_no_body_are_refused(made: Standing, content: bytes, kind: str, status: int) -> None:
    incident = fresh(made)
    ask, headers = Asked(made.app()), {"content-type": kind}
    answer = ask("POST", f"/v1/incidents/{incident.id}/comment", made.keys["analyst"], content=content, headers=headers)
    assert answer.status_code == status, answer.text
    said(answer)
    assert made.incident(incident.id) == incident


def test_the_queue_is_filtered_paged_and_strict(own: Standing) -> None:
    ask, key = Asked(own.app()), own.keys["viewer"]
    names = [own.incidents()[0], *(fresh(own).id for _ in range(4))]
    whole = ask("GET", "/v1/incidents", key).json()
    assert sorted(one["id"] for one in whole["incidents"]) == sorted(names)
    assert whole["more"] is False
    paged, offset = [], 0
    while True:
        page = ask("GET", f"/v1/incidents?limit=2&offset={offset}", key).json()
        paged += [one["id"] for one in page["incidents"]]
        offset += 2
        if not page["more"]:
            break
    assert paged == [one["id"] for one in whole["incidents"]]
    ask("POST", f"/v1/incidents/{names[0]}/assign", own.keys["analyst"], json={"to": "analyst"})
    assert [one["id"] for one in ask("GET", "/v1/incidents?assignee=analyst", key).json()["incidents"]] == [names[0]]
    assert ask("GET", "/v1/incidents?state=resolved", key).json()["incidents"] == []
    ask("POST", f"/v1/incidents/{names[1]}/merge", own.keys["analyst"], json={"other": names[2], "reason": "one story"})
    assert names[2] not in ask("GET", "/v1/incidents", key).text
    assert [one["id"] for one in ask("GET", "/v1/incidents?state=merged", key).json()["incidents"]] == [names[2]]
    for query in ("sate=new", "state=nonsense", "limit=0", "limit=501", "offset=-1", "limit=x", "priority=" + "x" * 17):
        assert ask("GET", f"/v1/incidents?{query}", key).status_code == 422, query


def test_the_record_of_an_incident_is_its_own_and_newest_first(made: Standing) -> None:
    ask, key, incident, other = Asked(made.app()), made.keys["viewer"], fresh(made), fresh(made)
    for text in ("one", "two"):
        ask("POST", f"/v1/incidents/{incident.id}/comment", made.keys["analyst"], json={"text": text})
    ask("POST", f"/v1/incidents/{other.id}/comment", made.keys["approver"], json={"text": "elsewhere"})
    address = f"/v1/incidents/{incident.id}/record"
    entries = ask("GET", address, key).json()["entries"]
    assert [(one["event"], one["actor"]) for one in entries] == [
        ("word.comment", "analyst"),
        ("word.comment", "analyst"),
        ("incident.opened", "isthmus"),
    ]
    assert entries[0]["body"]["revision"] == 3
    first = ask("GET", f"{address}?limit=2", key).json()
    assert (first["entries"], first["more"]) == (entries[:2], True)
    rest = ask("GET", f"{address}?limit=2&before={entries[1]['index']}", key).json()
    assert (rest["entries"], rest["more"]) == (entries[2:], False)
    with made.desk.store.writing() as connection:
        ledger.forget(connection, [entries[0]["index"]])
    assert ask("GET", address, key).json()["entries"][0]["body"] is None


def test_two_tenants_may_have_an_incident_of_one_name_and_each_sees_its_own(made: Standing) -> None:
    ask, incident, store = Asked(made.app()), fresh(made), made.desk.store
    theirs = replace(incident, tenant="other", members=())
    with store.writing() as connection:
        save(connection, store.keys, Stored(theirs, NEW), NOW, "incident.opened", {"because": "theirs"})
    ask("POST", f"/v1/incidents/{incident.id}/comment", made.keys["analyst"], json={"text": "ours"})
    shown = {who: ask("GET", f"/v1/incidents/{incident.id}/record", made.keys[who]) for who in ("viewer", "other-viewer")}
    assert [one["event"] for one in shown["viewer"].json()["entries"]] == ["word.comment", "incident.opened"]
    assert [one["body"].get("because") for one in shown["other-viewer"].json()["entries"]] == ["theirs"]


def test_checking_the_record_says_what_is_wrong_with_it(own: Standing) -> None:
    ask, key = Asked(own.app()), own.keys["admin"]
    with own.desk.store.writing() as connection:
        ledger.checkpoint(connection, Signer("isthmus", own.desk.store.keys.private))
    good = ask("GET", "/v1/record/verify", key).json()
    assert (good["holds"], good["problems"], good["covered"]) == (True, [], good["size"])
    assert len(bytes.fromhex(good["root"])) == 32
    with own.desk.store.writing() as connection:
        connection.execute(update(ledger.ENTRIES).where(ledger.ENTRIES.c.idx == 1).values(leaf=b"{}"))
    bad = ask("GET", "/v1/record/verify", key).json()
    assert bad["holds"] is False
    assert any("entry 1" in one for one in bad["problems"])


def test_an_incident_somebody_else_wrote_is_our_trouble(own: Standing) -> None:
    name = own.incidents()[0]
    with own.desk.store.writing() as connection:
        connection.execute(update(INCIDENTS).values(merged_into="INC-x"))
    ask = Asked(own.app())
    read = ask("GET", f"/v1/incidents/{name}", own.keys["viewer"])
    assert (read.status_code, read.json()["error"]["code"]) == (500, "record")
    assert ask("POST", f"/v1/incidents/{name}/comment", own.keys["analyst"], json={"text": "x"}).status_code == 500
    assert ask("GET", "/v1/incidents?state=tampered", own.keys["viewer"]).status_code == 200


def test_a_slow_or_endless_body_is_given_up(own: Standing) -> None:
    app, key = own.app(Limits(seconds=0.2)), own.keys["analyst"].encode()
    stopped = threading.Event()

    async def wait() -> Any:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def flood() -> Any:
        return {"type": "http.request", "body": b" " * 10_000, "more_body": not stopped.is_set()}

    for receive, status in ((wait, 408), (flood, 413)):
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        headers = [
            (b"authorization", b"Bearer " + key),
            (b"content-type", b"application/json"),
            (b"transfer-encoding", b"chunked"),
        ]
        scope = {"type": "http", "method": "POST", "path": "/v1/incidents/x/comment", "headers": headers, "query_string": b""}
        asyncio.run(app({**scope, "scheme": "http"}, receive, send))
        assert sent[0]["status"] == status
        assert (b"connection", b"close") in sent[0]["headers"]

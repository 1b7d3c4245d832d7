"""Whose shape is it; and what stands inside an envelope."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from tests.telling import NOW, asset, finding, told

from isthmus import assembly, pipeline
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Kind
from isthmus.settings import Settings


def intake(payload: Any) -> pipeline.Intake:
    taking = pipeline.Intake(assembly.parts(Settings(), None))
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    taking.take("a.json", io.BytesIO(body), Origin(received=NOW))
    return taking


def alert(name: str = "1") -> dict[str, Any]:
    return told("wiz", finding(Kind.THREAT, asset(), "Something ran", name=name))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: one,
        lambda one: [one],
        lambda one: {"data": {"detections": {"nodes": [one], "pageInfo": {"hasNextPage": False}}}},
        lambda one: {"items": [one], "nextPageToken": None},
        lambda one: {"detail-type": "x", "detail": {"findings": [one]}},
        lambda one: {"Type": "Notification", "Message": json.dumps(one)},
        lambda one: {"Messages": [{"MessageId": "1", "Body": json.dumps(one)}]},
        lambda one: {"message": {"data": base64.b64encode(json.dumps(one).encode()).decode()}, "subscription": "s"},
        lambda one: {"data": {"detections": {"edges": [{"node": one}]}}},
    ],
    ids=["bare", "array", "graphql", "page", "eventbridge", "sns", "sqs", "pubsub", "edges"],
)
def test_an_alert_is_found_in_its_envelope(wrap: Any) -> None:
    found = intake(wrap(alert()))
    assert [(one.source, one.kind) for one in found.findings()] == [("wiz", Kind.THREAT)]
    assert found.rejected == []


def test_what_nobody_recognises_is_rejected_with_its_place_and_the_rest_goes_on() -> None:
    found = intake([alert("1"), {"hello": 1}, 7, None, "text", [1], alert("2")])
    assert len(found.findings()) == 2
    assert [one.position for one in found.rejected] == ["[1]", "[2]", "[3]", "[4]", "[5]"]
    assert found.rejected[0].reason.startswith("not recognised: no alert we know has these keys (hello)")
    assert found.counts().rejected == 5


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ('"severity": "LOW", "severity": "CRITICAL"', "duplicate key 'severity'"),
        ('"x": NaN', "NaN is not JSON"),
        ('"x": {"y": [{"z": 1, "z": 1}]}', "duplicate key 'z'"),
    ],
)
def test_a_flaw_spoils_its_record_only(flaw: str, reason: str) -> None:
    good = json.dumps(alert("1"))
    spoiled = json.dumps(alert("2"))[:-1] + f", {flaw}}}"
    found = intake(f"[{good}, {spoiled}, {json.dumps(alert('3'))}]".encode())
    assert len(found.findings()) == 2
    assert [(one.position.split()[0], one.reason) for one in found.rejected] == [("[1]", reason)]


def test_envelopes_in_envelopes_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"data": deep}
    assert len(intake(deep).rejected) == 1


def test_lone_surrogates_and_escapes_never_leave_the_reader() -> None:
    one = alert()
    one["ruleMatch"]["rule"]["name"] = "bad \ud800 \x1b[31m \u202e name"
    found = intake(json.dumps(one).encode()).findings()
    assert str(found[0].title).isprintable()
    str(found[0].title).encode()


def test_keys_are_outside_text_too() -> None:
    one = told("prisma", finding(Kind.THREAT, asset(), "x"))
    (rejected,) = intake(json.dumps({"bad \ud800\x1b[31m key": 1, **{f"k{n}": one for n in range(2)}}).encode()).rejected
    assert rejected.reason.isprintable()
    grouped = {
        "_id": "1",
        "time": "2026-03-01T00:00:00Z",
        "total": 1,
        "audits": {"un\ud800\x1b[2J": {"count": 1, "audits": [{}]}},
    }
    for row in intake(json.dumps({**grouped, "resource": {}, "collections": []}).encode()).rejected:
        assert f"{row.position}{row.reason}".isprintable()

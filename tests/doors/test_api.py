"""The API: who may ask what, that nothing is done for whoever may not, and that nobody sees another tenant's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from fastapi.routing import iter_route_contexts
from tests.doors.asking import PLACE, UNTIL, Asked, fresh, hash_of, said
from tests.doors.standing import ISOLATE, Standing, furnished

from isthmus.answer.incident_view import IncidentView
from isthmus.doors.api.answers import READ, Error, Said
from isthmus.doors.api.application import routed
from isthmus.model.incidents import Incident
from isthmus.model.people import Role
from isthmus.model.plans import Result

EVERYBODY = frozenset({"viewer", "analyst", "approver", "admin", "robot"})
SPEAKERS = frozenset({"analyst", "approver", "robot"})
APPROVERS = frozenset({"approver"})


@dataclass(frozen=True)
class Row:
    """Who may, and a body that says something; `{hash}`, `{finding}` and `{other}` are filled in."""

    may: frozenset[str]
    body: Mapping[str, Any] = field(default_factory=dict)


TABLE = {
    ("GET", "/me"): Row(EVERYBODY),
    ("GET", "/incidents"): Row(EVERYBODY),
    ("GET", "/incidents/{name}"): Row(EVERYBODY),
    ("GET", "/incidents/{name}/record"): Row(EVERYBODY),
    ("GET", "/approvals"): Row(EVERYBODY),
    ("GET", "/counts"): Row(EVERYBODY),
    ("GET", "/pulls"): Row(EVERYBODY),
    ("GET", "/record/verify"): Row(frozenset({"approver", "admin", "robot"})),
    ("POST", "/incidents/{name}/approve"): Row(APPROVERS, {"plan_hash": "{hash}"}),
    ("POST", "/incidents/{name}/reject"): Row(APPROVERS, {"plan_hash": "{hash}", "reason": "no"}),
    ("POST", "/incidents/{name}/undo"): Row(SPEAKERS, {**PLACE, "reason": "over"}),
    ("POST", "/incidents/{name}/renew"): Row(APPROVERS, {**PLACE, "until": UNTIL}),
    ("POST", "/incidents/{name}/verdict"): Row(SPEAKERS, {"verdict": "false_positive", "reason": "a test"}),
    ("POST", "/incidents/{name}/assign"): Row(SPEAKERS, {"to": "analyst"}),
    ("POST", "/incidents/{name}/comment"): Row(SPEAKERS, {"text": "seen"}),
    ("POST", "/incidents/{name}/suppress"): Row(SPEAKERS, {"reason": "known", "until": UNTIL}),
    ("POST", "/incidents/{name}/accept-risk"): Row(APPROVERS, {"reason": "known", "until": UNTIL}),
    ("POST", "/incidents/{name}/reopen"): Row(SPEAKERS, {"reason": "again"}),
    ("POST", "/incidents/{name}/split"): Row(SPEAKERS, {"findings": ["{finding}"], "reason": "two stories"}),
    ("POST", "/incidents/{name}/merge"): Row(SPEAKERS, {"other": "{other}", "reason": "one story"}),
}
"""Every route. A route that is not here fails the test below."""


OPEN = {("GET", "/openapi.json"), ("HEAD", "/openapi.json")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return furnished(tmp_path_factory.mktemp("desk"))


def filled(body: Mapping[str, Any], incident: Incident, other: str) -> Any:
    text = json.dumps(body).replace("{hash}", hash_of(incident)).replace("{other}", other)
    return json.loads(text.replace("{finding}", incident.members[-1].finding.key))


def test_every_route_has_a_row() -> None:
    found = {(method, one.path) for one in iter_route_contexts(routed(None, None).routes) for method in one.methods or ()}
    assert found - OPEN == set(TABLE)


@pytest.mark.parametrize(("method", "path"), sorted(TABLE), ids=lambda one: str(one))
def test_each_route_answers_each_role_as_it_may(made: Standing, method: str, path: str) -> None:
    row, ask = TABLE[method, path], Asked(made.app())
    for who in sorted(EVERYBODY):
        incident, other = fresh(made), fresh(made).id
        assert len(incident.members) == 2
        address, body = f"/v1{path.replace('{name}', incident.id)}", filled(row.body, incident, other)
        sent = {"json": body} if method == "POST" else {}
        nobody = ask(method, address, **sent)
        assert nobody.status_code == 401
        said(nobody)
        stranger = ask(method, address, made.keys.get(f"other-{who}", made.keys["other-viewer"]), **sent)
        if "{name}" in path:
            may = who in row.may and f"other-{who}" in made.keys
            assert stranger.status_code == (404 if may or method == "GET" else 403), who
            assert incident.id not in stranger.text
        else:
            assert "INC-" not in stranger.text
        answer = ask(method, address, made.keys[who], **sent)
        assert answer.status_code == (200 if who in row.may else 403), (who, answer.text)
        kind = (READ[_name(path)] if method == "GET" else Said) if who in row.may else Error
        msgspec.json.decode(answer.content, type=kind, strict=True)


def _name(path: str) -> str:
    last = path.rsplit("/", 1)[-1]
    return {"incidents": "queue", "{name}": "incident"}.get(last, last)


def test_what_was_refused_left_nothing(made: Standing) -> None:
    ask = Asked(made.app())
    for (method, path), row in TABLE.items():
        if method == "POST":
            incident, other = fresh(made), fresh(made).id
            for who in sorted((EVERYBODY | {"other-approver", "other-analyst"}) - row.may):
                body = filled(row.body, incident, other)
                assert ask(method, f"/v1{path.replace('{name}', incident.id)}", made.keys[who], json=body).status_code in {
                    403,
                    404,
                }
            assert made.incident(incident.id) == incident


def test_an_approval_is_by_people_each_once_and_of_what_they_saw(made: Standing) -> None:
    made.person("second", Role.APPROVER)
    ask, incident = Asked(made.app()), fresh(made, requester="second")
    address, right = f"/v1/incidents/{incident.id}", hash_of(incident)
    waiting = ask("GET", "/v1/approvals", made.keys["viewer"]).json()["approvals"]
    [asked] = [one for one in waiting if one["incident"] == incident.id]
    assert asked["step"]["plan_hash"] == right
    assert asked["step"]["ability"] == ISOLATE.ability
    wrong = ask("POST", f"{address}/approve", made.keys["approver"], json={"plan_hash": "0" * 64})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "refused")
    own = ask("POST", f"{address}/approve", made.keys["second"], json={"plan_hash": right})
    assert (own.status_code, own.json()["error"]["code"]) == (403, "may_not")
    given = ask("POST", f"{address}/approve", made.keys["approver"], json={"plan_hash": right, "reason": "seen it"})
    assert given.json() == {"incident": incident.id, "said": "approve", "at": "2026-03-02T12:00:00Z", "other": ""}
    again = ask("POST", f"{address}/approve", made.keys["approver"], json={"plan_hash": right})
    assert again.status_code == 409
    [approval] = made.incident(incident.id).steps[0].approvals
    assert (approval.person, approval.granted, approval.reason) == ("approver", True, "seen it")


def test_words_reach_the_incident(made: Standing) -> None:
    ask, incident, key = Asked(made.app()), fresh(made), made.keys["analyst"]
    address = f"/v1/incidents/{incident.id}"
    ask("POST", f"{address}/undo", key, json={**PLACE, "reason": "over"})
    ask("POST", f"{address}/comment", key, json={"text": "look <b>here</b>\u202e"})
    ask("POST", f"{address}/assign", key, json={"to": "analyst"})
    seen = msgspec.json.decode(ask("GET", address, key).content, type=IncidentView)
    assert [(one.kind, one.person, one.value, one.text) for one in seen.words] == [
        ("comment", "analyst", "", "look <b>here</b>"),
        ("assign", "analyst", "analyst", ""),
    ]
    assert seen.assignee == "analyst"
    assert seen.steps[1].undo == "ordered by analyst: over"


def test_a_split_is_named_and_a_merge_is_told_where_it_went(made: Standing) -> None:
    ask, incident, key = Asked(made.app()), fresh(made), made.keys["analyst"]
    finding = incident.members[-1].finding.key
    split = ask("POST", f"/v1/incidents/{incident.id}/split", key, json={"findings": [finding], "reason": "two"}).json()
    assert [one.finding.key for one in made.incident(split["other"]).members] == [finding]
    merged = ask("POST", f"/v1/incidents/{incident.id}/merge", key, json={"other": split["other"], "reason": "one after all"})
    assert merged.status_code == 200
    assert ask("GET", f"/v1/incidents/{split['other']}", key).json()["merged_into"] == incident.id
    none = ask("POST", f"/v1/incidents/{incident.id}/merge", key, json={"other": "INC-none", "reason": "one"})
    assert none.status_code == 404
    said_there = ask("POST", f"/v1/incidents/{split['other']}/comment", key, json={"text": "here?"})
    assert said_there.status_code == 409


def test_the_description_names_every_route_and_every_answer(made: Standing) -> None:
    told = Asked(made.app())("GET", "/v1/openapi.json").json()
    found = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert found == set(TABLE)
    assert told["servers"] == [{"url": "/v1"}]
    text = json.dumps(told)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in told["components"]["schemas"]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert set(operation["responses"]) == {"200", "default"}, path
            assert operation["description"].strip()
            assert ("Idempotency-Key" in json.dumps(operation)) is (method == "post")


def test_undoing_what_is_not_in_place_does_not_fit(made: Standing) -> None:
    incident = fresh(made)
    assert incident.steps[1].outcome is not None
    assert incident.steps[1].outcome.result is Result.DONE
    ask, key = Asked(made.app()), made.keys["analyst"]
    body = {"ability": ISOLATE.ability, "target": ISOLATE.target, "reason": "over"}
    assert ask("POST", f"/v1/incidents/{incident.id}/undo", key, json=body).status_code == 409
    good = {**PLACE, "reason": "over"}
    assert ask("POST", f"/v1/incidents/{incident.id}/undo", key, json=good).status_code == 200
    assert ask("POST", f"/v1/incidents/{incident.id}/undo", key, json=good).status_code == 409

"""What Prometheus reads: true, bounded in what it costs, and without a word from an alert."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, insert
from tests.doors.asking import Asked, fresh
from tests.doors.standing import NOW, SECRET, Standing, furnished, sample
from tests.doors.test_health import HERE, Seen

from isthmus.record import cursors, ledger
from isthmus.record.checkpoints import Signer
from isthmus.record.effects import IN_PLACE
from isthmus.record.schema import EFFECTS, FINDINGS, INBOX, INCIDENTS
from isthmus.record.store import Store, text_of

Labels = tuple[tuple[str, str], ...]


@pytest.fixture
def made(tmp_path: Path) -> Standing:
    return furnished(tmp_path)


def scraped(seen: Seen) -> dict[tuple[str, Labels], float]:
    answer = seen.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def value(seen: Seen, name: str, **labels: str) -> float:
    return scraped(seen)[f"isthmus_{name}", tuple(sorted(labels.items()))]


def test_deliveries_are_counted_by_instance_and_answer(made: Standing) -> None:
    seen = Seen(made)
    ask = Asked(seen.app)
    for secret, path in (
        (SECRET, "wiz-prod"),
        (SECRET, "wiz-prod"),
        ("wrong", "wiz-prod"),
        (SECRET, "nobody"),
        (SECRET, "mute"),
    ):
        ask("POST", f"/in/{path}", secret, json={"a": 1})
    ask("POST", "/in/in-path/the-token-in-the-path", json={"a": 1})
    found = {labels: number for (name, labels), number in scraped(seen).items() if name == "isthmus_deliveries_answered_total"}
    told = {(dict(labels)["instance"], dict(labels)["answer"]): number for labels, number in found.items()}
    assert told == {
        ("wiz-prod", "accepted"): 2,
        ("wiz-prod", "no_key"): 1,
        ("", "not_found"): 1,
        ("mute", "no_webhook"): 1,
        ("in-path", "no_key"): 1,
    }
    place = {"tenant": "default", "source": "wiz", "instance": "wiz-prod"}
    assert value(seen, "intake_repeated_total", **place) == 1
    assert value(seen, "inbox_depth", tenant="default", instance="wiz-prod") == 1
    made.now += timedelta(seconds=90)
    assert value(seen, "inbox_oldest_seconds", tenant="default", instance="wiz-prod") == 90
    assert value(seen, "promise_kept", promise="reading") == 0
    made.now -= timedelta(hours=2)
    assert value(seen, "inbox_oldest_seconds", tenant="default", instance="wiz-prod") == 0


def test_the_work_is_told_as_it_stands(made: Standing) -> None:
    first = made.incidents()
    fresh(made)
    store, now = made.desk.store, made.now
    with store.writing() as connection:
        cursors.trouble(connection, ("default", "wiz", "wiz-prod", "issues"), "", "secret trouble of the platform", now)
        ledger.checkpoint(connection, Signer("isthmus", store.keys.private))
        ledger.append(connection, tenant="default", actor="a", event="b", subject="c", body={}, at=now)
    seen = Seen(made)
    with seen.watch.vitals.turn("carry"):
        seen.steady.now += 2
    made.now += timedelta(minutes=10)
    assert value(seen, "incidents", tenant="default", state="waiting_for_approval") == 1
    assert value(seen, "incidents", tenant="default", state="new") == len(first)
    assert value(seen, "approvals_waiting", tenant="default") == 1
    assert value(seen, "approvals_oldest_seconds", tenant="default") == 600
    assert value(seen, "undecided_oldest_seconds") == 600
    assert value(seen, "pull_trouble", tenant="default", instance="wiz-prod", stream="issues") == 1
    assert value(seen, "record_uncovered_entries") == 1
    assert value(seen, "record_uncovered_seconds") == 600
    assert value(seen, "effects_last_day", ability="aws.isolate_instance", result=IN_PLACE) == 1
    assert value(seen, "turn_seconds_count", kind="carry") == 1
    assert value(seen, "turn_seconds_sum", kind="carry") == 2
    assert value(seen, "time_to_promised_seconds", measure="acknowledge") == 120
    assert value(seen, "time_to_measured", tenant="default", measure="acknowledge") >= 1
    assert ("process_cpu_seconds_total", ()) in scraped(seen)


def test_no_word_of_an_alert_or_a_platform_is_in_it(made: Standing) -> None:
    planted = sample("issue-public-bucket")
    planted["sourceRule"]["name"] = 'CANARY-title{x="y"} 1\n'
    planted["entitySnapshot"]["name"] = "CANARY-asset"
    made.delivered(planted)
    with made.desk.store.writing() as connection:
        cursors.trouble(connection, ("default", "wiz", "wiz-prod", "issues"), "", "CANARY-trouble", made.now)
    seen = Seen(made)
    made.now += timedelta(hours=1)
    page = seen.ask("/metrics").text
    assert "CANARY" not in page
    assert not re.search(r"INC-[0-9a-f]", page)
    assert SECRET not in page and not any(key in page for key in made.keys.values())


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(store._engine, "before_cursor_execute", note)


def stuff(store: Store, number: int) -> None:
    """As many rows of everything that is looked at."""
    at, empty = text_of(NOW), dict.fromkeys(("assignee", "merged_into", "title", "priority"), "")
    incident = {"tenant": "default", "schema_version": 1, "revision": 1, "score": 1, "opened_at": at, "changed_at": at, **empty}
    sealed = {"body": b"", "members": b"", "seal": b"\0" * 32, "wake_at": at}
    finding = {"tenant": "default", "source": "wiz", "instance": "wiz-prod", "schema_version": 1, "asset": "", "telling": b""}
    asked = {"incident": "", "refetch": "wanted", "refetch_at": at, "refetch_said": "", "at": at}
    place = {
        "tenant": "default",
        "source": "wiz",
        "instance": "wiz-prod",
        "channel": "api",
        "name": "x",
        "segment": 0,
        "at": at,
    }
    effect = {"tenant": "default", "incident": "x", "ability": "aws.stop", "handle": "h", "connector": "aws", "account": "1"}
    with store.writing() as connection:
        rows = [{**incident, **sealed, "id": f"INC-S{n}", "state": "new"} for n in range(number)]
        connection.execute(insert(INCIDENTS), rows)
        connection.execute(insert(FINDINGS), [{**finding, **asked, "key": f"k{n}"} for n in range(number)])
        connection.execute(insert(INBOX), [{**place, "position": n} for n in range(number)])
        effects = [{**effect, "token": f"t{n}", "kind": "host", "state": "in_place", "at": at} for n in range(number)]
        connection.execute(insert(EFFECTS), effects)


@pytest.mark.parametrize("number", [10, 12_000])
def test_a_scrape_costs_a_fixed_number_of_questions(made: Standing, number: int) -> None:
    store = made.desk.store
    stuff(store, number)
    seen = Seen(made)
    seen.ask("/metrics")
    with counted(store) as asked:
        seen.ask("/metrics")
    reads = [one for one in asked if one.startswith(("SELECT", "WITH"))]
    assert len(reads) == 14, reads
    with counted(store) as asked:
        for _ in range(5):
            Asked(seen.app, address=HERE)("GET", "/metrics")
    # Scrapes that follow at once ask only for what the record has new.
    assert len([one for one in asked if one.startswith("SELECT")]) == 5 * 2
    told = value(seen, "incidents", tenant="default", state="new")
    assert told == min(10_000, number + len(made.incidents()) - number)

"""What a hostile reviewer made of the line, each as a test that failed before it was mended."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.desk.site import ADA, BEN, CAL, DEV, HOST, PROD, PROD_HOST, Site, attack

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.errors import Refused
from isthmus.model.findings import Finding, Kind
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity
from isthmus.record.inbox import WEBHOOK


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def quiet(account: str = DEV, host: str = HOST, number: int = 50) -> Finding:
    """A small thing the platform itself told of the same host."""
    return attack(account, host, number, kind=Kind.MISCONFIGURATION, severity=Severity.LOW, indicators=(), internet=None)


def test_a_forged_webhook_beside_a_small_true_finding_is_asked_about(site: Site) -> None:
    site.deliver(quiet())
    site.settle()
    site.deliver(attack(), WEBHOOK, confirmed=False)
    site.settle()
    site.later(minutes=2)
    site.settle()
    assert site.dev.writes == []


def test_a_forged_webhook_over_a_small_true_finding_is_asked_about_and_overruled(site: Site) -> None:
    small = attack(severity=Severity.LOW)
    site.deliver(small)
    site.settle()
    true = dict(site.asked.known)
    site.later(minutes=1)
    site.deliver(attack(), WEBHOOK, confirmed=False)
    site.asked.known = {}
    site.settle()
    site.later(minutes=2)
    site.settle()
    assert site.dev.writes == []
    site.asked.known = true
    site.deliver(attack(title=Outside("once more")), WEBHOOK, confirmed=False)
    site.settle()
    rows = site.desk.queue(BEN, {})
    assert [site.desk.incident(BEN, row.id, site.now).report.findings[0].severity for row in rows] == ["low"]  # type: ignore[union-attr]


def test_a_hint_does_not_make_two_things_one(site: Site) -> None:
    other = "i-0aaaaaaaaaaaaaaa0"
    site.dev.groups[other] = "web"
    asset = Asset(AssetKind.INSTANCE, "aws", DEV, "eu-west-1", Outside("x"), (HOST, other))
    site.deliver(replace(attack(number=9), asset=asset), WEBHOOK, confirmed=False)
    site.settle()
    site.deliver(attack())
    site.settle()
    site.later(minutes=1)
    site.settle()
    assert site.dev.groups == {HOST: "empty", other: "web"}


def test_what_is_contained_takes_itself_back_even_after_a_merge(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    contained, _ = site.only()
    site.deliver(attack(PROD, PROD_HOST, 2, indicators=()))
    site.settle()
    other = next(row.id for row in site.desk.queue(BEN, {}) if row.id != contained.id)
    site.words.merge(BEN, other, contained.id, "the same", site.now)
    site.settle()
    site.later(hours=9)
    site.settle()
    assert site.dev.groups == {HOST: "web"}


def test_a_containment_nobody_can_reach_any_more_waits_and_is_not_forgotten(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    gone = site.instances.by_name["aws-dev"]
    site.instances.by_name = {name: one for name, one in site.instances.by_name.items() if name != "aws-dev"}
    site.words.order_undo(BEN, view.id, "aws.isolate_instance", HOST, "back", site.now)
    size = site.desk.verify_record().size
    site.settle()
    view, step = site.only()
    assert (step.outcome.result, step.in_place, view.state) == ("done", True, "needs_attention")
    assert site.desk.verify_record().size - size < 5
    site.instances.by_name = {**site.instances.by_name, "aws-dev": gone}
    site.later(minutes=1)
    site.settle()
    assert site.dev.groups == {HOST: "web"}


def test_one_changed_row_holds_up_nothing_else(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    changed, _ = site.only()
    connection = sqlite3.connect(site.folder / "isthmus.db")
    with connection:
        row = connection.execute("SELECT body FROM incidents").fetchone()[0]
        told = json.loads(row)
        told["scope"] = "backlog"
        connection.execute("UPDATE incidents SET body = ?", (json.dumps(told).encode(),))
    connection.close()
    site.deliver(attack(PROD, PROD_HOST, 2, title=Outside("joins the changed one")))
    site.deliver(attack(number=3, indicators=()))
    site.settle()
    assert site.dev.writes == [f"isolate {HOST}"]
    states = {row.id: row.state for row in site.desk.queue(BEN, {})}
    assert states.pop(changed.id) == "tampered"
    assert "waiting_for_approval" in states.values()  # what it held is in an incident of its own


@pytest.mark.parametrize("word", ["comment", "assign"])
def test_what_a_person_took_back_stays_back_whatever_is_said_next(site: Site, word: str) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    site.words.order_undo(BEN, view.id, "aws.isolate_instance", HOST, "false alarm", site.now)
    site.settle()
    site.later(minutes=1)
    if word == "comment":
        site.words.comment(BEN, view.id, "noted", site.now)
    else:
        site.words.assign(BEN, view.id, "ada", site.now)
    site.settle()
    assert site.dev.groups == {HOST: "web"}


def test_asking_for_it_is_not_washed_away_by_another_word(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    site.later(minutes=31)
    site.settle()
    view, _ = site.only()
    site.words.reopen(CAL, view.id, "I want it", site.now)
    site.words.comment(CAL, view.id, "and say nothing", site.now)
    site.settle()
    _, step = site.only()
    if step.waiting:
        with pytest.raises(Refused, match="asked for it"):
            site.words.approve(CAL, view.id, step.plan_hash, True, "yes", site.now)
    assert site.prod.writes == []


def test_a_rejection_is_not_washed_away_by_a_silence(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    site.words.approve(ADA, view.id, step.plan_hash, False, "no", site.now)
    site.settle()
    site.words.suppress(CAL, view.id, "a moment", site.now + timedelta(seconds=1), site.now)
    site.settle()
    site.later(seconds=5)
    site.settle()
    _, step = site.only()
    assert (step.waiting, step.outcome.result) == (False, "refused")


def test_an_intent_is_not_carried_out_hours_later(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    real = site.prod.apply

    async def away(*_: object) -> object:
        site.prod.away = True
        return await real(*_)  # type: ignore[arg-type]

    site.prod.apply = away  # type: ignore[method-assign,assignment]
    site.words.approve(ADA, view.id, step.plan_hash, True, "yes", site.now)
    site.settle()
    site.prod.apply = real  # type: ignore[method-assign]
    site.later(hours=5)
    site.prod.away = False
    site.settle()
    assert (site.prod.writes, site.only()[1].outcome.result) == ([], "void")


def test_a_release_the_kill_switch_stopped_is_made_up_for(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    (site.kill / "all").write_text("drill", encoding="utf-8")
    site.later(hours=9)
    site.settle()
    assert site.dev.groups == {HOST: "empty"}
    (site.kill / "all").unlink()
    site.later(hours=1)
    site.settle()
    assert site.dev.groups == {HOST: "web"}


def test_a_silence_does_not_reach_what_became_worse(site: Site) -> None:
    small = attack(PROD, PROD_HOST, severity=Severity.MEDIUM)
    site.deliver(small)
    site.settle()
    name = site.desk.queue(BEN, {})[0].id
    site.words.suppress(BEN, name, "known", site.now + timedelta(days=300), site.now)
    site.settle()
    site.later(hours=1)
    times = replace(small.times, updated=site.now)
    site.deliver(replace(small, severity=Severity.CRITICAL, times=times))
    site.settle()
    assert site.desk.incident(BEN, name, site.now).state != "suppressed"


def test_hints_do_not_hold_a_true_attack_back(site: Site) -> None:
    for number in range(10, 14):
        site.deliver(attack(PROD, PROD_HOST, number), WEBHOOK, confirmed=False)
        site.settle()
        site.later(seconds=25)
    site.deliver(attack(PROD, PROD_HOST, 1))
    site.settle()
    assert site.desk.queue(BEN, {})[0].state == "waiting_for_approval"

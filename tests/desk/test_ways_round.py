"""Every way round approval, policy and guard that we could think of, tried against the real thing; each refused.

What is checked each time is the cloud: whatever was said, nothing was written to it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.desk.site import ADA, BEN, BOT, CAL, HOST, PROD, PROD_HOST, ROSA, VIC, Site, attack

from isthmus.act.guard.config import GuardConfig, Protected
from isthmus.model.assets import AssetKind
from isthmus.model.errors import IsthmusError, Refused
from isthmus.model.outside import Outside
from isthmus.model.people import Person
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

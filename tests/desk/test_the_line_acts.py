"""From a delivery to a contained host, a case and a proof; and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL
from tests.desk.site import ADA, BEN, CAL, DEV, HOST, NOW, PROD, PROD_HOST, Site, attack

from isthmus.decide import bundle as bundles
from isthmus.model.errors import Refused
from isthmus.model.findings import Kind
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status
from isthmus.record.inbox import WEBHOOK

READ_ONLY = Path(bundles.__file__).parent / "packs" / "read-only"


@pytest.fixture
def site(tmp_path: Path, database: URL | None) -> Iterator[Site]:
    site = Site(tmp_path, database=database)
    yield site
    site.store.close()


def test_in_a_development_account_it_is_contained_a_case_is_opened_and_all_of_it_is_on_record(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, step = site.only()
    assert (view.state, step.ruling, step.outcome.result, step.in_place) == ("contained", "automatic", "done", True)
    assert site.dev.groups == {HOST: "empty"}
    assert site.dev.writes == [f"isolate {HOST}"]
    case = site.book.cases[f"default/{view.id}"]
    assert any("isolate_instance" in line and "done" in line for line in case.steps)
    assert not site.desk.verify_record().problems


def test_in_production_people_are_asked_and_one_is_enough(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    assert (view.state, step.waiting, step.people, site.prod.writes) == ("waiting_for_approval", True, 1, [])
    assert site.book.cases  # people hear of it before anything is done
    site.words.approve(ADA, view.id, step.plan_hash, True, "yes", site.now)
    site.settle()
    view, step = site.only()
    assert (view.state, site.prod.writes) == ("contained", [f"isolate {PROD_HOST}"])
    assert [one.person for one in step.approvals] == ["ada"]


def test_a_rejection_ends_it(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    site.words.approve(ADA, view.id, step.plan_hash, False, "it is the auditors' machine", site.now)
    site.settle()
    view, step = site.only()
    assert step.outcome.result == "refused"
    assert "ada" in step.outcome.detail
    assert (view.state, site.prod.writes) == ("needs_attention", [])


def test_out_of_the_box_nothing_is_written_anywhere(tmp_path: Path) -> None:
    site = Site(tmp_path, policy=READ_ONLY)
    site.deliver(attack())
    site.deliver(attack(PROD, PROD_HOST, 2))
    site.settle()
    assert (site.dev.writes, site.prod.writes, site.book.puts) == ([], [], [])
    assert {row.state for row in site.desk.queue(BEN, {})} == {"needs_attention"}


def test_a_webhook_alone_is_a_hint_and_acts_on_nothing(site: Site) -> None:
    site.deliver(attack(), WEBHOOK, confirmed=False)
    site.settle()
    site.later(minutes=1)
    site.settle()
    _, step = site.only()
    assert (step.ruling, step.waiting, site.dev.writes) == ("ask", True, [])
    assert "unconfirmed" in step.reason


def test_a_webhook_the_platform_confirms_acts_like_what_was_pulled(site: Site) -> None:
    site.deliver(attack(), WEBHOOK)
    site.settle()
    assert site.dev.writes == [f"isolate {HOST}"]


def test_an_undo_restores_what_was_and_a_second_one_finds_nothing_of_ours(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    site.words.order_undo(BEN, view.id, "aws.isolate_instance", HOST, "false alarm", site.now)
    site.settle()
    _, step = site.only()
    assert (step.undone.result, site.dev.groups) == ("undone", {HOST: "web"})
    with pytest.raises(Refused, match=r"no aws\.isolate_instance of ours is in place"):
        site.words.order_undo(BEN, view.id, "aws.isolate_instance", HOST, "again", site.now)


def test_an_undo_stops_where_somebody_else_changed_the_target(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    site.dev.groups[HOST] = "somebody else's"
    site.words.order_undo(BEN, view.id, "aws.isolate_instance", HOST, "false alarm", site.now)
    site.settle()
    view, step = site.only()
    assert (step.in_place, site.dev.groups) == (True, {HOST: "somebody else's"})
    assert (view.state, "somebody else moved it" in view.why) == ("needs_attention", True)
    site.dev.groups[HOST] = "empty"
    site.later(minutes=1)
    site.settle()
    assert site.dev.groups == {HOST: "web"}


def test_a_containment_takes_itself_back_unless_a_person_renews_it(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    site.later(hours=7)
    site.words.renew(ADA, view.id, "aws.isolate_instance", HOST, site.now + timedelta(hours=5), site.now)
    site.later(hours=2)
    site.settle()
    assert site.dev.groups == {HOST: "empty"}
    site.later(hours=4)
    site.settle()
    _, step = site.only()
    assert (site.dev.groups, step.undone.result) == ({HOST: "web"}, "undone")


def test_a_case_system_that_is_away_delays_no_containment_and_gets_its_case_later(site: Site) -> None:
    site.book.away = True
    site.deliver(attack())
    site.settle()
    view, _ = site.only()
    assert (site.dev.writes, view.state) == ([f"isolate {HOST}"], "working")
    assert "does not answer" in view.why
    site.book.away = False
    for _ in range(12):
        site.later(minutes=1)
        site.settle()
    assert len(site.book.cases) == 1
    assert site.only()[0].state == "contained"


def test_a_cloud_that_is_away_is_tried_again_and_nothing_is_done_twice(site: Site) -> None:
    site.dev.away = True
    site.deliver(attack())
    site.settle()
    assert site.only()[0].state == "working"
    site.dev.away = False
    site.later(minutes=1)
    site.settle()
    assert site.dev.writes == [f"isolate {HOST}"]


def test_a_comment_does_not_void_what_people_were_asked(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    site.words.comment(BEN, view.id, "looking", site.now)
    site.settle()
    site.words.approve(ADA, view.id, step.plan_hash, True, "yes", site.now)
    site.settle()
    assert site.prod.writes == [f"isolate {PROD_HOST}"]


def test_a_new_finding_opens_a_round_and_contains_nothing_twice(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    site.later(minutes=5)
    site.deliver(attack(number=2, title=Outside("Another detection on the same host")))
    site.settle()
    view, _ = site.only()
    assert len(view.rounds) == 2
    assert len(view.findings) == 2
    assert site.dev.writes == [f"isolate {HOST}"]
    assert len(site.book.cases) == 1


def test_words_open_rounds_and_hold_as_far_as_they_reach(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, _ = site.only()
    site.words.verdict(BEN, view.id, "false_positive", "our own scanner", site.now)
    site.settle()
    view = site.desk.incident(BEN, view.id, site.now)
    assert (view.state, view.report.verdict if view.report else "") == ("closed", "false_positive")
    assert not any(step.waiting for step in view.steps)
    site.later(minutes=1)
    site.deliver(attack(PROD, PROD_HOST, 2, title=Outside("Something new on it")))
    site.settle()
    view = site.desk.incident(BEN, view.id, site.now)
    assert view.state == "waiting_for_approval"  # a verdict never reaches further than what the person had before them


def test_a_suppression_ends_by_itself(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, _ = site.only()
    site.words.suppress(BEN, view.id, "maintenance", site.now + timedelta(hours=2), site.now)
    site.settle()
    assert site.desk.incident(BEN, view.id, site.now).state == "suppressed"
    site.later(hours=3)
    site.settle()
    after = site.desk.incident(BEN, view.id, site.now)
    assert after.state == "waiting_for_approval"
    assert after.rounds[-1].opened_because == "suppress ended"


def test_accepting_a_risk_is_for_approvers(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, _ = site.only()
    with pytest.raises(Refused, match="ben"):
        site.words.accept_risk(BEN, view.id, "known", site.now + timedelta(days=1), site.now)
    site.words.accept_risk(CAL, view.id, "known", site.now + timedelta(days=1), site.now)
    site.settle()
    assert site.desk.incident(BEN, view.id, site.now).state == "risk_accepted"


def test_split_and_merge_move_findings_and_stay_so(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.deliver(attack(PROD, PROD_HOST, 2, title=Outside("Another"), rule="other"))
    site.settle()
    view, _ = site.only()
    assert len(view.findings) == 2
    other = site.words.split(BEN, view.id, [view.findings[1]], "unrelated", site.now)
    site.settle()
    site.deliver(attack(PROD, PROD_HOST, 3, title=Outside("A third"), rule="third"))
    site.settle()
    assert len(site.desk.incident(BEN, other, site.now).findings) == 1
    site.words.merge(BEN, view.id, other, "related after all", site.now)
    site.settle()
    site.later(minutes=1)
    site.deliver(attack(PROD, PROD_HOST, 4, title=Outside("A fourth"), rule="fourth"))
    site.settle()
    assert len(site.desk.incident(BEN, view.id, site.now).findings) == 4
    assert site.desk.incident(BEN, other, site.now).state == "merged"


def test_what_the_source_resolves_is_resolved_here(site: Site) -> None:
    finding = attack(PROD, PROD_HOST, kind=Kind.TOXIC_COMBINATION, severity=Severity.HIGH, indicators=())
    site.deliver(finding)
    site.settle()
    view = site.desk.queue(BEN, {})[0]
    site.later(hours=1)
    times = replace(finding.times, updated=NOW + timedelta(minutes=30))
    site.deliver(replace(finding, status=Status.RESOLVED, times=times))
    site.settle()
    assert site.desk.incident(BEN, view.id, site.now).state == "resolved"


def test_every_alert_is_counted_and_ends_in_a_state_that_says_why(site: Site) -> None:
    for number in range(1, 6):
        site.deliver(attack(DEV if number % 2 else PROD, HOST if number % 2 else PROD_HOST, number))
    site.settle()
    counts = site.desk.counts(BEN)[0]
    assert counts["seen"] == counts["stored"] + counts["duplicate"] + counts["rejected"] == 5
    for row in site.desk.queue(BEN, {}):
        view = site.desk.incident(BEN, row.id, site.now)
        assert view.state not in {"new", "working"}
        assert view.why

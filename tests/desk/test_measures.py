"""Times from alert to recovery: read from the record, the same after a restart, and bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.desk.site import ADA, HOST, PROD, PROD_HOST, Site, attack

from isthmus.desk import measures
from isthmus.desk.measures import Measures, quantile
from isthmus.model.findings import Kind
from isthmus.model.severity import Severity, Status
from isthmus.record import ledger


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def times(made: Measures) -> dict[str, list[float]]:
    while made.follow():
        pass
    return {name: list(found) for (_, name), found in made.times().items()}


def test_each_measure_runs_from_the_first_alert(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.later(seconds=7)
    site.work.reader.read(site.now)
    site.later(seconds=3)
    site.settle()
    found = times(Measures(site.store))
    assert found == {"acknowledge": [7.0], "triage": [10.0], "ticket": [10.0]}
    site.later(minutes=5)
    view, step = site.only()
    site.words.approve(ADA, view.id, step.plan_hash, True, "yes", site.now)
    site.settle()
    found = times(Measures(site.store))
    assert (found["contain"], found["effective"]) == ([310.0], [310.0])
    assert "recover" not in found


def test_recovery_ends_when_the_source_says_so(site: Site) -> None:
    told = attack(PROD, PROD_HOST, kind=Kind.TOXIC_COMBINATION, severity=Severity.HIGH, indicators=())
    site.deliver(told)
    site.settle()
    site.later(hours=1)
    site.deliver(replace(told, status=Status.RESOLVED, times=replace(told.times, updated=site.now)))
    site.later(seconds=20)
    site.settle()
    assert times(Measures(site.store))["recover"] == [3_620.0]


def test_what_was_followed_step_by_step_is_what_is_read_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "AT_ONCE", 3)
    followed = Measures(site.store)
    for number in range(3):
        site.later(seconds=11)
        site.deliver(attack(host=HOST, number=number + 1))
        site.later(seconds=number)
        site.settle()
        followed.follow()
    assert times(followed) == times(Measures(site.store))
    assert times(followed)["triage"]


def test_it_stays_bounded_whatever_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("WINDOW", 5), ("OPEN", 3), ("REACH", 60), ("AT_ONCE", 10)):
        monkeypatch.setattr(measures, name, most)
    at = site.now
    body = {"received": at.isoformat()}
    with site.store.writing() as connection:
        entries = [ledger.Entry("default", "isthmus", "incident.opened", f"INC-{n}", body, at) for n in range(200)]
        ledger.extend(connection, entries)
    made = Measures(site.store)
    assert made.follow() == 10
    assert len(times(made)["acknowledge"]) == 5
    assert len(made._open) == 3


def test_a_record_whose_bodies_were_deleted_is_still_followed(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    with site.store.writing() as connection:
        ledger.forget(connection, range(100))
    assert times(Measures(site.store)) == {}


def test_a_quantile_is_one_of_the_times() -> None:
    assert [quantile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 3.0, 4.0, 4.0]
    assert quantile([9.0], 0.5) == 9.0

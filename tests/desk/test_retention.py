"""What is old goes, what is contained stays, another tenant's is not touched, and the record holds all the while."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.desk.site import ADA, BEN, HOST, PROD, PROD_HOST, Site, attack

from isthmus.desk.retention import Retention
from isthmus.model.errors import Refused
from isthmus.record.schema import FINDINGS, INCIDENTS, PEOPLE, SEGMENTS
from isthmus.settings import RetentionSettings

DAYS = RetentionSettings(raw_days=10, closed_days=20, record_bodies_days=30)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One contained host, and one incident closed as a false positive."""
    site = Site(tmp_path)
    site.deliver(attack())
    site.deliver(attack(PROD, PROD_HOST, 2, indicators=()))
    site.settle()
    for row in site.desk.queue(BEN, {"state": "waiting_for_approval"}):
        site.words.verdict(BEN, row.id, "false_positive", "a test", site.now)
    site.settle()
    return site


def rows(site: Site, table: object) -> int:
    with site.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar() or 0  # type: ignore[arg-type]


def test_nothing_goes_before_its_time(site: Site) -> None:
    site.later(days=9)
    done = Retention(site.store, DAYS).run("default", site.now)
    assert (done.segments, done.incidents, done.findings, done.bodies) == (0, 0, 0, 0)


def test_raw_deliveries_go_first_then_what_is_over_then_bodies_and_the_record_holds(site: Site) -> None:
    keeping = Retention(site.store, DAYS)
    site.later(days=11)
    assert keeping.run("default", site.now).segments > 0
    assert rows(site, SEGMENTS) == 0
    site.later(days=10)
    done = keeping.run("default", site.now)
    assert (done.incidents, done.findings) == (1, 1)
    assert rows(site, INCIDENTS) == rows(site, FINDINGS) == 1
    site.later(days=10)
    assert keeping.run("default", site.now).bodies > 0
    assert not site.desk.verify_record().problems


def test_what_is_contained_is_never_deleted(site: Site) -> None:
    site.later(days=4_000)
    Retention(site.store, DAYS).run("default", site.now)
    view, step = site.only()
    assert (view.state, step.in_place) == ("contained", True)


def test_a_tenant_goes_whole_but_not_while_something_of_theirs_is_contained(site: Site) -> None:
    keeping = Retention(site.store, DAYS)
    with pytest.raises(Refused, match="still contained"):
        keeping.delete_tenant("default", "operator", site.now)
    view, _ = site.only()
    site.words.order_undo(ADA, view.id, "aws.isolate_instance", HOST, "leaving", site.now)
    site.settle()
    assert keeping.delete_tenant("default", "operator", site.now) > 0
    assert rows(site, INCIDENTS) == rows(site, FINDINGS) == rows(site, PEOPLE) == rows(site, SEGMENTS) == 0
    found = site.desk.verify_record()
    assert not found.problems
    assert found.forgotten > 0


def test_another_tenants_things_are_not_touched(site: Site) -> None:
    before = rows(site, INCIDENTS), rows(site, PEOPLE)
    assert Retention(site.store, DAYS).delete_tenant("somebody-else", "operator", site.now) == 0
    assert (rows(site, INCIDENTS), rows(site, PEOPLE)) == before

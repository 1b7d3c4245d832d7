"""Each promise: when it counts as not kept, and what is said then."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from tests.desk.site import Site
from tests.desk.watched import Watched, sign

from isthmus.record import cursors, ledger
from isthmus.record.schema import COUNTS


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def watched(site: Site) -> Watched:
    sign(site.store)
    return Watched(site.store, site.instances)


def test_counts_that_do_not_add_up_call(site: Site, watched: Watched) -> None:
    place = {"tenant": "default", "source": "wiz", "instance": "wiz-main"}
    numbers = {"deliveries": 5, "repeated": 0, "seen": 5, "stored": 2, "duplicate": 1, "rejected": 1}
    with site.store.writing() as connection:
        connection.execute(insert(COUNTS).values(**place, **numbers))
    assert watched.promise("counting").why == "wiz-main: seen 5, but stored 2, duplicate 1 and rejected 1"
    watched.turn(3)
    assert ("trigger", "counting") in watched.board.events


def test_a_platform_that_was_not_pulled_for_long_is_not_reached(site: Site, watched: Watched) -> None:
    place = "default", "wiz", "wiz-main", "issues"

    def pulled(at: datetime) -> None:
        with site.store.writing() as connection:
            cursors.advance(connection, place, "c", at, at + timedelta(seconds=30))

    def failed(at: datetime) -> None:
        with site.store.writing() as connection:
            cursors.trouble(connection, place, "c", "answered 503", at + timedelta(seconds=30))

    pulled(watched.now)
    watched.later(seconds=200)
    failed(watched.now)
    assert watched.promise("reaching wiz-main").kept
    watched.later(seconds=101)
    assert "answered 503" in watched.promise("reaching wiz-main").why
    pulled(watched.now)
    assert watched.promise("reaching wiz-main").kept
    watched.later(seconds=331)
    assert watched.promise("reaching wiz-main").why == "issues was to be pulled 301 s ago and was not"
    with site.store.writing() as connection:
        cursors.trouble(connection, ("default", "wiz", "gone", "issues"), "c", "x", watched.now)
    watched.steady += 6
    assert "reaching gone" not in {one.name for one in watched.watch.standing(watched.now).promises}


def test_a_record_that_nobody_signs_is_seen(site: Site, watched: Watched) -> None:
    with site.store.writing() as connection:
        ledger.append(connection, tenant="default", actor="a", event="b", subject="c", body={}, at=watched.now)
    assert watched.promise("record").kept
    watched.later(seconds=61)
    assert "1 entries stand below no signature; the first has waited 61 s" in watched.promise("record").why
    sign(site.store)
    assert watched.promise("record").kept


def test_work_that_stands_still_is_seen(site: Site, watched: Watched) -> None:
    with watched.watch.vitals.turn("carry"):
        watched.later(seconds=3_000)
        assert watched.promise("carrying_on").kept
        watched.later(seconds=601)
        assert "a turn of carry has been under way" in watched.promise("carrying_on").why
    assert watched.promise("carrying_on").kept
    watched.later(seconds=61)
    assert "no turn of carry for" in watched.promise("carrying_on").why

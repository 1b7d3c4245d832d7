"""The watchdog: what is not kept is seen, somebody is called once, and hears when it is over; on both databases."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, func, select, update
from tests.desk.site import NOW, Site, attack
from tests.desk.watched import Watched, deliver, sign

from isthmus.desk import certificate
from isthmus.desk import watch as watching
from isthmus.desk.instances import Instances
from isthmus.desk.paging import AGAIN
from isthmus.model.errors import Refused, Unreachable
from isthmus.record import ledger
from isthmus.record.schema import INCIDENTS, PAGES, SEGMENTS
from isthmus.record.store import open_store, text_of


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def watched(site: Site) -> Watched:
    sign(site.store)
    return Watched(site.store, site.instances)


def test_a_delivery_nobody_reads_calls_once_and_again_and_ends(site: Site, watched: Watched) -> None:
    watched.turn(3)
    assert watched.board.got == []
    deliver(site.store, watched.now)
    watched.turn(6)
    assert watched.board.got == []
    watched.turn(1)
    # Seen once; a second look must agree.
    assert watched.board.got == []
    watched.turn(1)
    [page] = watched.board.got
    assert (page["event"], page["promise"], page["source"]) == ("trigger", "reading", "house")
    assert page["dedup_key"] == f"house/reading/{page['since']}"
    assert "the oldest unread delivery has waited" in page["summary"]
    watched.turn(int(AGAIN.total_seconds() // 10) - 1)
    assert len(watched.board.got) == 1
    watched.turn(2)
    assert watched.board.events == [("trigger", "reading")] * 2
    assert watched.board.got[1]["dedup_key"] == page["dedup_key"]
    site.now = watched.now
    site.settle()
    watched.turn(2)
    assert watched.board.events[2:] == [("resolve", "reading")]
    assert watched.board.got[2]["dedup_key"] == page["dedup_key"]
    watched.turn(30)
    assert len(watched.board.got) == 3


def test_an_incident_left_lying_calls(site: Site, watched: Watched) -> None:
    site.deliver(attack())
    site.work.reader.read(site.now)
    sign(site.store)
    watched.turn(29)
    assert watched.board.got == []
    watched.turn(4)
    assert watched.board.events == [("trigger", "carrying_on")]
    assert "has had no disposition for" in watched.board.got[0]["why"]
    site.now = watched.now
    site.settle()
    watched.turn(2)
    assert watched.board.events[1:] == [("resolve", "carrying_on")]
    # It waits for people now, which says why, and calls nobody; but what should have gone on and did not does.
    sign(site.store)
    watched.turn(60)
    assert len(watched.board.got) == 2
    with site.store.writing() as connection:
        connection.execute(update(INCIDENTS).values(wake_at=text_of(watched.now - timedelta(seconds=301))))
    assert "should have gone on 301 s ago" in watched.promise("carrying_on").why


def test_a_restart_neither_forgets_nor_repeats_a_page(site: Site, watched: Watched) -> None:
    deliver(site.store, watched.now)
    watched.turn(8)
    assert len(watched.board.got) == 1
    watched.begin()
    watched.turn(5)
    assert len(watched.board.got) == 1
    site.now = watched.now
    site.settle()
    watched.begin()
    watched.turn(1)
    assert watched.board.events == [("trigger", "reading"), ("resolve", "reading")]
    with site.store.reading() as connection:
        assert connection.execute(select(PAGES)).all() == []


def test_what_could_not_be_delivered_is_sent_until_it_is(site: Site, watched: Watched) -> None:
    deliver(site.store, watched.now)
    watched.board.trouble = Unreachable("the pager is away")
    watched.turn(12)
    assert watched.board.got == []
    watched.board.trouble = None
    watched.begin()
    watched.turn(2)
    assert watched.board.events == [("trigger", "reading")]
    site.now = watched.now
    site.settle()
    watched.board.trouble = Unreachable("the pager is away")
    watched.turn(3)
    watched.board.trouble = None
    watched.turn(3)
    assert watched.board.events == [("trigger", "reading"), ("resolve", "reading")]


def test_a_pager_that_refuses_is_not_asked_every_turn(site: Site, watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    deliver(site.store, watched.now)
    watched.board.trouble = Refused("no")
    with caplog.at_level(logging.ERROR):
        watched.turn(30)
    assert [one.message for one in caplog.records].count("page refused: no") == 1


def test_only_one_of_several_watches_calls(site: Site, watched: Watched) -> None:
    other = Watched(site.store, site.instances)
    deliver(site.store, watched.now)
    for _ in range(12):
        watched.turn()
        other.turn()
    assert len(watched.board.got) + len(other.board.got) == 1
    assert not other.promise("reading").kept


def test_with_the_database_gone_somebody_is_called_all_the_same(
    site: Site, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.turn(2)

    def away(*_: object) -> None:
        raise Unreachable("database: gone")

    with monkeypatch.context() as patched:
        watched.signing = False
        for name in ("reading", "writing", "adding"):
            patched.setattr(site.store, name, away)
        watched.turn(3)
        assert ("trigger", "intake") in watched.board.events
        assert not watched.watch.standing(watched.now).storing
    watched.turn(3)
    assert ("resolve", "intake") in watched.board.events
    with site.store.reading() as connection:
        assert connection.execute(select(PAGES)).all() == []


def test_a_heartbeat_comes_every_minute_while_something_can_be_stored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(site.store)
    watched = Watched(site.store, site.instances, beats=True)
    watched.turn(18)
    assert watched.board.events == [("heartbeat", "")] * 3
    assert watched.board.got[0]["status"] == "ok"
    monkeypatch.setattr(watching, "_stored_and_gone", lambda *_: (_ for _ in ()).throw(Unreachable("full")))
    watched.turn(1)
    before = len([one for one in watched.board.events if one[0] == "heartbeat"])
    watched.turn(18)
    assert len([one for one in watched.board.events if one[0] == "heartbeat"]) == before


def test_it_watches_either_database(tmp_path: Path, database: URL | None) -> None:
    store = open_store(tmp_path, database)
    watched = Watched(store, Instances([]))
    with store.writing() as connection:
        ledger.append(connection, tenant="default", actor="a", event="b", subject="c", body={}, at=watched.now)
    sign(store)
    deliver(store, watched.now)
    watched.turn(9)
    assert watched.board.events == [("trigger", "reading")]
    seen = watched.watch.standing(watched.now).look
    assert seen is not None
    assert (seen.depth, seen.oldest_unread) == (1, NOW)
    watched.begin()
    watched.turn(2)
    assert len(watched.board.got) == 1
    with store.reading() as connection:
        assert ledger.last(connection, "default", "wiz-main", certificate.EVENT) is not None
        assert connection.execute(select(func.count()).select_from(SEGMENTS)).scalar() == 1
    store.close()

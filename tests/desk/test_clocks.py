"""A clock that jumps an hour, either way: nothing stalls for the hour, and nobody's yes lives longer than it should."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, select
from tests.desk.site import ADA, HOST, NOW, PROD, PROD_HOST, Site, attack
from tests.desk.watched import Watched

from isthmus.contracts.roles import Page
from isthmus.desk.instances import Instances
from isthmus.desk.pulling import Pulling
from isthmus.desk.vitals import Vitals
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.plans import Outcome, Preview
from isthmus.record import findings
from isthmus.record.inbox import WEBHOOK
from isthmus.record.schema import CURSORS, FINDINGS, INCIDENTS

HOUR = timedelta(hours=1)


@pytest.fixture
def site(tmp_path: Path, database: URL | None) -> Iterator[Site]:
    site = Site(tmp_path, database=database)
    yield site
    site.store.close()


def jumped(site: Site, by: timedelta, seen: bool = True) -> None:
    """The clock jumps, while the watch is on (`seen`) or while nothing runs."""
    watched = Watched(site.store, site.instances)
    watched.now = site.now
    if seen:
        watched.turn()
    watched.now += by
    watched.turn()
    watched.watch.leave()
    site.now = watched.now


@dataclass
class Stream:
    """A platform with one stream, which counts how often it was asked."""

    asked: list[str] = field(default_factory=list)
    away: bool = False

    @property
    def streams(self) -> tuple[str, ...]:
        return ("issues",)

    async def since(self, stream: str, cursor: str) -> Page:
        self.asked.append(cursor)
        if self.away:
            raise Unreachable("answered 503")
        return Page((), f"{len(self.asked)}", False)


def pulling(site: Site, stream: Stream) -> Pulling:
    wiz = site.instances.by_name["wiz-main"]
    polled = replace(wiz, roles=replace(wiz.roles, pollable=stream))
    return Pulling(site.store, Instances([polled]), "me", timedelta(seconds=30))


@pytest.mark.parametrize("away", [False, True])
def test_a_stream_is_pulled_at_once_after_the_clock_went_back(site: Site, away: bool) -> None:
    stream = Stream(away=away)
    pull = pulling(site, stream)
    asyncio.run(pull.pull(NOW))
    asyncio.run(pull.pull(NOW + timedelta(seconds=29)))
    assert len(stream.asked) == 1
    asyncio.run(pull.pull(NOW - HOUR))
    assert len(stream.asked) == 2
    asyncio.run(pull.pull(NOW - HOUR + timedelta(seconds=1)))
    assert len(stream.asked) == 2
    asyncio.run(pull.pull(NOW - HOUR + timedelta(seconds=30)))
    assert len(stream.asked) == 3


@pytest.mark.parametrize("seen", [True, False])
def test_everything_that_waits_for_a_time_goes_on_at_once(site: Site, seen: bool) -> None:
    site.dev.away = True
    site.deliver(attack(), WEBHOOK, confirmed=False)
    site.settle()
    with site.store.writing() as connection:
        [(tenant, key)] = connection.execute(select(FINDINGS.c.tenant, FINDINGS.c.key)).all()
        findings.refetched(connection, tenant, key, findings.WANTED, "away", site.now + timedelta(minutes=50))
    asyncio.run(pulling(site, Stream()).pull(site.now))
    jumped(site, -HOUR, seen)
    with site.store.reading() as connection:
        times = [
            *connection.execute(select(CURSORS.c.next_at)).scalars(),
            *connection.execute(select(FINDINGS.c.refetch_at)).scalars(),
            *connection.execute(select(INCIDENTS.c.wake_at).where(INCIDENTS.c.wake_at != "")).scalars(),
        ]
    assert len(times) >= 2
    assert all(one <= site.now.isoformat(timespec="microseconds") for one in times)


def test_what_is_tried_again_is_tried_within_minutes_of_a_clock_that_went_back(site: Site) -> None:
    site.dev.away = True
    site.deliver(attack())
    site.settle()
    site.later(minutes=10)
    jumped(site, -HOUR)
    site.dev.away = False
    site.settle()
    assert site.dev.groups == {HOST: "empty"}


def test_a_yes_does_not_outlive_a_clock_that_went_back(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    assert view.state == "waiting_for_approval"
    site.words.approve(ADA, view.id, step.plan_hash, True, "yes", site.now)
    site.later(minutes=5)
    jumped(site, -HOUR)
    site.settle()
    view, step = site.only()
    assert (step.outcome.result, site.prod.writes) == ("expired", [])
    assert "a clock was set back" in step.outcome.detail
    # Nor does it come back to life when the hour has gone by.
    site.later(minutes=61)
    site.settle()
    assert site.prod.writes == []
    with pytest.raises(Refused):
        site.words.approve(ADA, view.id, step.plan_hash, True, "yes again", site.now)


def test_a_question_ends_when_the_clock_went_forward_past_it(site: Site) -> None:
    site.deliver(attack(PROD, PROD_HOST))
    site.settle()
    view, step = site.only()
    jumped(site, HOUR)
    with pytest.raises(Refused):
        site.words.approve(ADA, view.id, step.plan_hash, True, "too late", site.now)
    site.settle()
    assert site.only()[1].outcome.result == "expired"
    assert site.prod.writes == []


def test_an_intent_from_a_time_to_come_is_not_carried_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(preview: Preview, token: str, at: object) -> Outcome:
        raise Unreachable("the connection broke before the call")

    with monkeypatch.context() as patched:
        patched.setattr(site.dev, "apply", lost)
        site.deliver(attack())
        site.settle()
    _, step = site.only()
    assert step.trouble
    jumped(site, -HOUR)
    site.settle()
    _, step = site.only()
    assert (step.outcome.result, site.dev.writes) == ("void", [])
    assert "a clock was set back" in step.outcome.detail


def test_a_containment_stands_when_the_clock_goes_back(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    jumped(site, -HOUR)
    site.settle()
    assert site.dev.groups == {HOST: "empty"}
    site.later(hours=9)
    site.settle()
    assert site.dev.groups == {HOST: "web"}


def test_a_jump_is_seen_and_only_a_jump() -> None:
    steady = [0.0]
    vitals = Vitals(lambda: steady[0])
    now = NOW
    assert vitals.ticked(now) is None
    for passed, shown in ((10, 10), (3_600, 3_600), (10, 39), (10, -19)):
        steady[0] += passed
        now += timedelta(seconds=shown)
        assert vitals.ticked(now) is None
    steady[0] += 10
    jump = vitals.ticked(now + timedelta(seconds=3_610))
    assert jump is not None and jump.by == HOUR
    steady[0] += 10
    jump = vitals.ticked(now + timedelta(seconds=20))
    assert jump is not None and jump.by == -HOUR
    assert vitals.jumped(timedelta(minutes=10)) == jump
    steady[0] += 601
    assert vitals.jumped(timedelta(minutes=10)) is None


def test_a_jump_is_told_while_it_is_fresh(site: Site) -> None:
    watched = Watched(site.store, site.instances)
    watched.turn(2)
    assert watched.promise("clock").kept
    watched.now += HOUR
    watched.turn()
    assert (
        watched.promise("clock").why.startswith("the clock jumped 3594 s forward") or "forward" in watched.promise("clock").why
    )
    watched.turn(62)
    assert watched.promise("clock").kept
    # It went back while nothing ran: the record knows of a later time.
    watched.now -= 2 * HOUR
    watched.begin()
    assert "the clock is behind" in watched.promise("clock").why

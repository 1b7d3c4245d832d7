"""Several workers on one database: each incident is carried on by one, and one that slept does nothing any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import URL, Connection, update
from tests.desk.site import BEN, DEV, HOST, NOW, Cloud, Site, attack

from isthmus.contracts.wire import still_ours
from isthmus.desk import asking
from isthmus.desk.asking import Asking
from isthmus.desk.carrying import Pace
from isthmus.desk.together import Together
from isthmus.desk.work import Work
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.plans import Outcome, Preview
from isthmus.record import findings, incidents
from isthmus.record.inbox import WEBHOOK
from isthmus.record.incidents import Claim
from isthmus.record.schema import INCIDENTS
from isthmus.record.store import text_of

SHORT = timedelta(milliseconds=300)


@pytest.fixture
def site(tmp_path: Path, database: URL | None) -> Iterator[Site]:
    site = Site(tmp_path, database=database)
    yield site
    site.store.close()


@dataclass
class Slow(Cloud):
    """A cloud whose client asks whether the incident is still ours right before it sends, as all of ours do."""

    meanwhile: list[Callable[[], None]] = field(default_factory=list)

    async def apply(self, preview: Preview, token: str, at: datetime) -> Outcome:
        if self.meanwhile:
            # The whole process stands still meanwhile, as one that was stopped does.
            others = Thread(target=self.meanwhile.pop())
            others.start()
            others.join()
        still_ours()
        return await super().apply(preview, token, at)


def _worker(site: Site, owner: str, lease: timedelta = SHORT, margin: timedelta = timedelta(0)) -> Work:
    own = site.work
    return Work(site.store, own.parts, own.instances, own.reader, pace=Pace(owner, lease=lease, margin=margin))


def _run(work: Work, now: datetime = NOW) -> None:
    with asyncio.Runner() as runner:
        for _ in range(50):
            again = runner.run(work.turn(now))
            if again is None or again > now:
                return


def test_a_worker_that_slept_through_its_lease_sends_nothing(site: Site) -> None:
    site.dev = Slow(DEV, {HOST: "web"})
    site.assemble()
    first, second = _worker(site, "first"), _worker(site, "second", timedelta(seconds=30))

    def asleep() -> None:
        ends = time.monotonic() + 20
        while not site.dev.writes and time.monotonic() < ends:
            time.sleep(0.2)
            _run(second)

    site.dev.meanwhile.append(asleep)
    site.deliver(attack())
    _run(first)
    _, step = site.only()
    assert (step.outcome.result, site.dev.writes) == ("done", [f"isolate {HOST}"])
    assert not site.desk.verify_record().problems


def test_while_one_carries_it_on_another_leaves_it_alone_whatever_its_clock_says(site: Site) -> None:
    site.dev = Slow(DEV, {HOST: "web"})
    site.assemble()
    long = timedelta(seconds=30)
    first, second = _worker(site, "first", long), _worker(site, "second", long)
    during: list[list[str]] = []

    def meanwhile() -> None:
        asyncio.run(second.carry(NOW + timedelta(hours=1)))
        during.append(list(site.dev.writes))

    site.dev.meanwhile.append(meanwhile)
    site.deliver(attack())
    _run(first)
    assert site.dev.writes == [f"isolate {HOST}"]
    assert during == [[]]


def test_many_incidents_and_three_workers_are_each_done_once(site: Site) -> None:
    hosts = [f"i-{number:017x}" for number in range(12)]
    site.dev.groups = dict.fromkeys(hosts, "web")
    for number, host in enumerate(hosts):
        site.deliver(attack(host=host, number=number + 1, indicators=()))
    workers = [_worker(site, f"w{number}", timedelta(seconds=30)) for number in range(3)]
    asyncio.run(workers[0].read(NOW))
    threads = [Thread(target=_run, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _run(workers[0])
    assert len(site.dev.writes) == len(set(site.dev.writes))
    assert sorted(site.dev.groups.values()).count("empty") == len(site.dev.writes)
    # Of an unknown fleet the guard lets two be contained. All twelve were intended at once; the first two have their turn,
    # the others wait, and people can see why.
    waits = [one for one in _steps(site) if one.outcome is None and one.trouble.startswith("guard: ")]
    assert (len(site.dev.writes), len(waits)) == (2, 10)
    assert not site.desk.verify_record().problems


def _steps(site: Site) -> list[Any]:
    views = [site.desk.incident(BEN, row.id, NOW) for row in site.desk.queue(BEN, {})]
    return [step for view in views for step in view.steps if step.ability == "aws.isolate_instance"]


def _claimed(site: Site, limit: int, owner: str = "one", now: datetime = NOW) -> list[Claim]:
    with site.store.writing() as connection:
        return incidents.claim(connection, owner, timedelta(seconds=30), now, limit, ())


def _waiting(site: Site, number: int) -> None:
    for one in range(number):
        site.deliver(attack(host=f"i-{one:017x}", number=one + 1, indicators=()))
    asyncio.run(site.work.read(NOW))


def test_the_urgent_one_overtakes_and_none_is_claimed_twice(site: Site) -> None:
    _waiting(site, 5)
    with site.store.writing() as connection:
        ids = sorted(incidents.ids(connection, "default"))
        connection.execute(update(INCIDENTS).values(urgency=0, wake_at=text_of(NOW - timedelta(hours=1))))
        connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == ids[3]).values(urgency=3, wake_at=text_of(NOW)))
    first = _claimed(site, 2)
    assert first[0].id == ids[3]
    rest = _claimed(site, 50, "two")
    assert sorted(one.id for one in first + rest) == ids


def test_every_tenant_has_its_turn(site: Site) -> None:
    _waiting(site, 6)
    with site.store.writing() as connection:
        ids = sorted(incidents.ids(connection, "default"))
        connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == ids[5]).values(tenant="other"))
    assert "other" in {one.tenant for one in _claimed(site, 2)}


def test_a_process_that_was_killed_takes_its_own_back_at_once_and_others_wait(site: Site) -> None:
    _waiting(site, 1)
    [held] = _claimed(site, 5)
    assert _claimed(site, 5, "another") == []
    [again] = _claimed(site, 5)
    assert again.epoch == held.epoch + 1


def test_what_was_taken_over_is_not_saved_by_who_had_it(site: Site) -> None:
    _waiting(site, 1)
    [old] = _claimed(site, 1)
    [new] = _claimed(site, 1)
    with site.store.reading() as connection:
        stored = incidents.load(connection, site.store.keys, old.tenant, old.id)
    shown = incidents.Listed("open", "", 0, "", "", 0, NOW, NOW)
    with pytest.raises(Unreachable), site.store.writing() as connection:
        incidents.save(connection, site.store.keys, stored, shown, old)
    with site.store.writing() as connection:
        assert incidents.renew(connection, SHORT, [old, new]) == [new]
        incidents.save(connection, site.store.keys, stored, shown, new)


def test_writes_asked_for_together_stand_and_fall_by_themselves(site: Site) -> None:
    together = Together(site.store)
    commits: list[int] = []

    def write(name: str) -> Callable[[Connection], str]:
        def do(connection: Connection) -> str:
            commits.append(id(connection))
            connection.execute(update(INCIDENTS).values(title=name))
            if name == "b":
                raise Refused("not this one")
            return name

        return do

    async def all_of_them() -> list[str | BaseException]:
        return await asyncio.gather(*(together.write(write(name)) for name in "abc"), return_exceptions=True)

    said = asyncio.run(all_of_them())
    assert [str(one) for one in said] == ["a", "not this one", "c"]
    assert len(set(commits)) == 1


def _asks(site: Site, owner: str) -> Asking:
    return Asking(site.store, site.instances, owner)


def test_a_platform_is_not_asked_again_about_what_another_worker_asked_while_this_one_looked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.deliver(attack(), WEBHOOK)
    asyncio.run(site.work.read(NOW))
    plain, first = findings.to_refetch, [_asks(site, "first")]

    def looked(connection: Connection, now: datetime) -> Any:
        found = plain(connection, now)
        if first:
            other = Thread(target=lambda: asyncio.run(first.pop().ask(now)))
            other.start()
            other.join()
        return found

    monkeypatch.setattr(findings, "to_refetch", looked)
    assert asyncio.run(_asks(site, "second").ask(NOW)) == 0
    assert site.desk.depth() == 1


def test_what_was_asked_by_a_worker_that_slept_through_its_lease_is_not_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.deliver(attack(), WEBHOOK)
    asyncio.run(site.work.read(NOW))
    monkeypatch.setattr(asking, "_HELD", timedelta(milliseconds=50))
    plain, slow = site.asked.refetch, [True]

    async def asked(source_id: str) -> Any:
        if slow:
            slow.clear()
            await asyncio.sleep(0.2)
            assert await _asks(site, "second").ask(NOW) == 1
        return await plain(source_id)

    monkeypatch.setattr(site.asked, "refetch", asked)
    with pytest.raises(Unreachable, match="somebody else"):
        asyncio.run(_asks(site, "first").ask(NOW))
    assert site.desk.depth() == 1

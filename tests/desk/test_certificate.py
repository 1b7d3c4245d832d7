"""The daily certificate: once a day and instance, true, on record, whatever is killed; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, update
from tests.desk.site import NOW, Site, attack
from tests.doors.commands import fits, isthmus, settled

from isthmus.desk.certificate import certify, newest
from isthmus.model.errors import Unreachable
from isthmus.record import audit, ledger
from isthmus.record.checkpoints import Signer
from isthmus.record.schema import COUNTS
from isthmus.record.store import open_store

DAY = timedelta(days=1)


@pytest.fixture
def site(tmp_path: Path, database: URL | None) -> Iterator[Site]:
    site = Site(tmp_path, database=database)
    yield site
    site.store.close()


def test_each_day_is_certified_once_with_what_came_in(site: Site) -> None:
    assert certify(site.store, NOW) == 0
    site.deliver(attack())
    site.settle()
    site.deliver(attack(number=2))
    assert [certify(site.store, NOW + timedelta(hours=hour)) for hour in range(3)] == [1, 0, 0]
    with site.store.reading() as connection:
        [one] = newest(connection, "default")
    assert (one.tenant, one.instance, one.holds) == ("default", "wiz-main", True)
    assert one.body == {
        **{"day": "2026-03-02", "source": "wiz", "deliveries": 2, "repeated": 0, "waiting": 1, "holds": True},
        **{"seen": 1, "stored": 1, "duplicate": 0, "rejected": 0},
    }
    assert certify(site.store, NOW + DAY) == 1
    # A clock that went back certifies no day again.
    assert certify(site.store, NOW) == 0
    with site.store.reading() as connection:
        assert not audit.verify(connection, Signer("isthmus", site.store.keys.private).key).problems


def test_a_certificate_that_was_cut_off_is_made_again_and_never_twice(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.deliver(attack())
    real = ledger.extend

    def cut_off(*given: object) -> range:
        real(*given)  # type: ignore[arg-type]
        raise Unreachable("killed before the commit")

    with monkeypatch.context() as patched:
        patched.setattr("isthmus.desk.certificate.ledger.extend", cut_off)
        with pytest.raises(Unreachable):
            certify(site.store, NOW)
    with site.store.reading() as connection:
        assert newest(connection, "default") == []
    assert [certify(site.store, NOW) for _ in range(2)] == [1, 0]


def test_what_does_not_add_up_is_certified_as_that(site: Site) -> None:
    site.deliver(attack())
    site.settle()
    with site.store.writing() as connection:
        connection.execute(update(COUNTS).values(seen=COUNTS.c.seen + 1))
    certify(site.store, NOW)
    with site.store.reading() as connection:
        assert not newest(connection, "default")[0].holds


def test_people_can_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = settled(tmp_path, monkeypatch)
    (work / "isthmus.yaml").write_text("data: data\n")
    site = Site(work / "data")
    assert isthmus("certificates").out == "Nothing has been certified yet for the tenant default.\n"
    site.deliver(attack())
    site.settle()
    certify(site.store, NOW)
    ran = isthmus("certificates")
    assert (ran.code, fits(ran.out)) == (0, True)
    assert ran.out.splitlines() == [
        "wiz-main 2026-03-02: 1 deliveries, 0 of them repeated",
        "  1 claims seen, 1 stored + 0 duplicate + 0 rejected: holds",
    ]
    with site.store.writing() as connection:
        connection.execute(update(COUNTS).values(seen=5))
    certify(site.store, NOW + DAY)
    site.store.close()
    assert isthmus("certificates").code == 1
    open_store(work / "data").close()

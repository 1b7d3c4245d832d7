"""We are down, the CNAPP goes on and writes into the case system itself; on return everything is caught up, nothing twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from tests.desk.site import DEV, PROD, ROSA, attack

from isthmus import assembly
from isthmus.connectors.servicenow.simulated import SimulatedSnow
from isthmus.connectors.wiz import CONNECTOR
from isthmus.connectors.wiz.simulated import SimulatedWiz
from isthmus.contracts.roles import Simulated
from isthmus.doors.serving import Running, running
from isthmus.lab.servers import Faults, Town
from isthmus.lab.world import POLICY
from isthmus.record import grants, people
from isthmus.record.store import open_store
from isthmus.settings import read

TABLE = "sn_si_incident"


class Outside:
    """A Wiz and a ServiceNow over TLS that go on while we do not, and our settings for them."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.wiz, self.snow = SimulatedWiz(), SimulatedSnow()
        served: dict[str, Simulated] = {"wiz-main": self.wiz, "snow": self.snow}
        origins = {name: town.serve(one.app, Faults()) for name, one in served.items()}
        kinds = {"wiz-main": "wiz", "snow": "servicenow"}
        instances = {
            name: {"connector": kinds[name], "config": one.config(origins[name], town.secret)} for name, one in served.items()
        }
        self.settings = folder / "isthmus.yaml"
        whole = {"data": str(folder / "data"), "instances": instances, "policy": str(POLICY), "server": {"port": 0}}
        whole |= {"authority": str(town.authority), "clocks": {"pull_seconds": 1}}
        whole["accounts"] = {DEV: {"environment": "development"}, PROD: {"environment": "production"}}
        self.settings.write_text(yaml.safe_dump(whole))
        self._granted(folder / "data")

    def _granted(self, data: Path) -> None:
        """The lab's pack in force, so that cases are opened."""
        store, bundle = open_store(data), assembly.check(read(self.settings), now).bundle
        with store.writing() as connection:
            people.put(connection, store.keys, ROSA, now(), "operator")
            grants.give(connection, store.keys, bundle.digest, ROSA, "for the test", now())
        store.close()

    def alert(self, number: int) -> None:
        """Wiz sees another attack, on a host of its own."""
        host = f"i-{number:017x}"
        seen = attack(PROD, host, number, indicators=(), times=replace(attack().times, happened=now(), updated=now()))
        self.wiz.hold(next(iter(CONNECTOR.simulator.payloads(seen))), now())

    def by_itself(self, number: int) -> str:
        """Wiz's own integration opens a record for it, under Wiz's id."""
        own = f"7f0c2d54-0a54-4f0e-9d53-{number:012d}"
        row = self.snow.tables.insert(TABLE, {"short_description": f"Wiz {own}", "correlation_id": own}, "maria.lind")
        return row["sys_id"]

    def ours(self) -> list[str]:
        """The keys of the active cases that are ours, as often as they are there."""
        rows = [row for row in self.snow.rows(TABLE) if row["active"] == "true"]
        return sorted(row["correlation_id"] for row in rows if row["correlation_id"].startswith("default/"))


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a service's clock


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    with Town(tmp_path / "town") as town:
        yield Outside(town, tmp_path)


@contextmanager
def up(outside: Outside) -> Iterator[Running]:
    with running(read(outside.settings), now) as service:
        yield service


def until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


def test_what_came_while_we_were_down_is_caught_up_and_nothing_is_there_twice(outside: Outside) -> None:
    outside.alert(1)
    with up(outside) as service:
        until(lambda: len(outside.ours()) == 1)
        until(lambda: not service.house.work.busy(now()))
    before = outside.ours()
    for number in (2, 3):
        outside.alert(number)
    foreign = [outside.by_itself(number) for number in (2, 3)]
    kept = {one["sys_id"]: dict(one) for one in outside.snow.rows(TABLE) if one["sys_id"] in foreign}
    for _ in range(2):
        # The second time there is nothing to catch up, and nothing happens.
        with up(outside) as service:
            until(lambda: len(outside.ours()) >= 3)
            time.sleep(3)
            until(lambda service=service: not service.house.work.busy(now()))  # type: ignore[misc]
            [counts] = [one for one in service.house.desk.counts(ROSA) if one["instance"] == "wiz-main"]
            assert not service.house.desk.verify_record().problems
        assert len(set(outside.ours())) == len(outside.ours()) == 3
        assert set(before) <= set(outside.ours())
        assert counts["stored"] == 3
        assert counts["seen"] == counts["stored"] + counts["duplicate"] + counts["rejected"]
    # What others wrote is theirs: neither changed nor closed, and not matched with ours.
    assert {one["sys_id"]: dict(one) for one in outside.snow.rows(TABLE) if one["sys_id"] in foreign} == kept

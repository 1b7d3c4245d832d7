"""Every connector, every promise. A new folder is found by itself, and owes what the roles it plays owe."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from tests.connectors.stage import Stage

from isthmus.assembly import catalogue
from isthmus.contracts.checks import PROMISES, fits, samples
from isthmus.contracts.connector import Connector
from isthmus.contracts.promises import FIELDS, Promise, matrix, owed, played
from isthmus.contracts.promises import PROMISES as OF_ROLES
from isthmus.contracts.roles import Roles
from isthmus.lab.servers import Town

OWED = [(one, role, promise) for one in catalogue() for role, promise in owed(one)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        stage = Stage(town)
        yield stage
        stage.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("connector", catalogue(), ids=lambda connector: connector.name)
def test_promise(connector: Connector, promise: Callable[[Connector], None]) -> None:
    promise(connector)


@pytest.mark.parametrize(
    ("connector", "role", "promise"), OWED, ids=[f"{one.name}-{role}-{promise.__name__}" for one, role, promise in OWED]
)
def test_promise_of_a_role(stage: Stage, tmp_path: Path, connector: Connector, role: str, promise: Promise) -> None:
    with stage.rig(connector, tmp_path) as rig:
        asyncio.run(promise(rig, role))


@pytest.mark.parametrize("connector", catalogue(), ids=lambda connector: connector.name)
def test_a_sample_is_recognised_by_its_own_vendor_only(connector: Connector) -> None:
    for name, sample in samples(connector):
        for other in catalogue():
            claimed = [shape.name for shape in other.source.shapes if fits(shape, sample["payload"])]
            denied = [one.reason for one in other.source.not_alerts if fits(one, sample["payload"])]
            if other.name != connector.name:
                assert not claimed, f"{connector.name}/{name} is also claimed by {other.name}"
            assert not denied, f"{connector.name}/{name} is denied by {other.name}"


def test_every_role_there_is_has_promises() -> None:
    assert {one.name for one in fields(Roles)} == set(FIELDS.values())
    assert all(len(OF_ROLES[role]) >= 4 for role in FIELDS)


def test_whoever_can_be_connected_plays_something() -> None:
    for one in catalogue():
        roles = played(one)
        assert any(getattr(roles, name) is not None for name in FIELDS.values()) == (one.connect is not None), one.name
        assert (one.config is None) == (one.connect is None), one.name


def test_the_matrix_has_a_row_for_every_promise_owed() -> None:
    rows = matrix(catalogue())
    assert len(set(rows)) == len(rows) == len(OWED) + len(PROMISES) * sum(bool(one.source.shapes) for one in catalogue())
    assert all(row.text.endswith(".") for row in rows)
    assert {row.connector for row in rows} == {one.name for one in catalogue()}

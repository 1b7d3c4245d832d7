"""`isthmus connectors`: what a vendor plays and needs, and whether a connected one answers; nothing is written anywhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.doors.commands import Ran, fits, isthmus, settled

from isthmus import assembly
from isthmus.contracts.connector import Connector
from isthmus.doors.cli import connectors, speaking
from isthmus.doors.cli.roles import declared
from isthmus.lab.servers import Faults, Town
from isthmus.model.errors import Refused
from isthmus.settings import read

SPOKEN_TO = ("wiz", "prisma", "orca", "lacework", "servicenow")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return settled(tmp_path, monkeypatch)


@dataclass
class Platform:
    """A simulated platform, and the settings of an installation that is connected to it."""

    town: Town
    work: Path
    faults: Faults
    config: dict[str, Any]

    def checked(self, vendor: str, **other: Any) -> Ran:
        whole = {
            "data": "data",
            "authority": str(self.town.authority),
            "instances": {"ours": {"connector": vendor, "config": {**self.config, **other}}, "broken": {"connector": "nope"}},
        }
        (self.work / "s.yaml").write_text(yaml.safe_dump(whole))
        ran = isthmus("connectors", "check", "ours", "--config", "s.yaml")
        assert not (self.work / "data").exists()
        assert fits(ran.out)
        return ran


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town")) as made:
        yield made


def platform(town: Town, work: Path, name: str) -> Platform:
    vendor, faults = assembly.connector(name), Faults()
    assert vendor.simulated is not None
    simulated = vendor.simulated()
    origin = town.serve(simulated.app, faults)
    return Platform(town, work, faults, simulated.config(origin, town.secret))


@pytest.mark.parametrize("name", SPOKEN_TO)
def test_a_platform_that_answers_works_and_is_only_read(town: Town, work: Path, name: str) -> None:
    there = platform(town, work, name)
    ran = there.checked(name)
    assert ran.code == 0, ran.out + ran.err
    answers = [line.split() for line in ran.out.splitlines()[1:]]
    played = set(declared(assembly.connector(name))) & {"pull", "refetch", "cases"}
    assert {"read": "cases"}.get(answers[0][0], answers[0][0]) in played
    assert " refused " not in ran.out and there.faults.calls
    read_only = ("GET ", "POST /graphql", "POST /oauth", "POST /login", "POST /api/v2/access", "POST /api/v1/authenticate")
    assert [one for one in there.faults.calls if not one.startswith(read_only)] == []


@pytest.mark.parametrize("name", SPOKEN_TO)
def test_wrong_credentials_are_never_taken_for_an_alert_that_is_not_there(town: Town, work: Path, name: str) -> None:
    there = platform(town, work, name)
    references = [key for key, value in there.config.items() if str(value).startswith("file:") and "webhook" not in key]
    wrong = town.secret("wrong", "wrong-and-nobody-s")
    ran = there.checked(name, **dict.fromkeys(references, wrong))
    assert ran.code == 1 and " works " not in ran.out, ran.out
    ran = there.checked(name, **dict.fromkeys(references, "env:NOT_SET_HERE"))
    assert ran.code == 1 and " works " not in ran.out, ran.out


def test_a_platform_that_is_away_is_unreachable(town: Town, work: Path) -> None:
    there = platform(town, work, "orca")
    there.faults.always = 503
    ran = there.checked("orca")
    assert ran.code == 4 and "unreachable" in ran.out
    there.faults.always = None
    assert isthmus("connectors", "check", "theirs", "--config", "s.yaml").told == [
        "isthmus: theirs: no such instance in the settings; there are broken, ours"
    ]


def test_a_target_that_is_denied_tells_nothing_and_one_unknown_works() -> None:
    class Saying:
        def __init__(self, text: str) -> None:
            self.text = text

        async def resolve(self, action: Any) -> Any:
            raise Refused(self.text)

    async def heard(text: str) -> str:
        return (await speaking._looked_for(Saying(text), "aws.quarantine_bucket", "1")).answer

    said = {
        "s3:GetBucketLocation: NoSuchBucket": "works",
        "there is no instance i-0 in us-east-1": "works",
        "s3:GetBucketLocation: AccessDenied": "unclear",
        "GetCallerIdentity (before s3:GetBucketLocation): InvalidClientTokenId": "refused",
        "the credentials are of account 1, the settings of 2": "refused",
    }
    assert {text: asked(heard(text)) for text in said} == said


def asked(coroutine: Any) -> str:
    try:
        coroutine.send(None)
    except StopIteration as done:
        return str(done.value)
    raise AssertionError("it waits")


@pytest.mark.parametrize("name", SPOKEN_TO)
def test_declared_roles_are_those_a_connected_one_plays(town: Town, work: Path, name: str) -> None:
    there = platform(town, work, name)
    there.checked(name)
    loaded = read(work / "s.yaml")
    one = loaded.settings.instances["ours"]
    vendor = assembly.connector(name)
    assert vendor.config is not None and vendor.connect is not None
    roles = vendor.connect(vendor.config.model_validate(one.config), connectors_nowhere())
    played = {field.name for field in fields(roles) if getattr(roles, field.name) is not None}
    names = {"pollable": "pull", "refetcher": "refetch", "inventory": "inventory", "actuator": "actuator", "sink": "cases"}
    assert {names[one] for one in played} == set(declared(vendor)) - {"source", "webhook"}


def connectors_nowhere() -> Any:
    class Nowhere:
        def http(self, origin: str, *, per_second: float = 5.0) -> None:
            return None

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    return Nowhere()


def test_every_vendor_is_listed_with_its_roles_and_described() -> None:
    listed = isthmus("connectors", "list").out
    assert fits(listed)
    for one in assembly.catalogue():
        assert any(line.startswith(f"{one.name} ") for line in listed.splitlines())
        ran = isthmus("connectors", "describe", one.name)
        words = " ".join(ran.out.split())
        assert ran.code == 0 and fits(ran.out) and ", ".join(declared(one)) in words
        assert all(" ".join(what.split()) in words for what in one.cannot)
        assert one.webhook is None or " ".join(one.webhook.note.split()) in words
        assert one.config is None or all(key in ran.out for key in one.config.model_fields)
    assert declared(assembly.connector("aws")) == ("inventory", "actuator")
    assert declared(assembly.connector("wiz")) == ("source", "webhook", "pull", "refetch")
    assert isthmus("connectors", "describe", "nope").code == 2


def test_promises_are_run_for_a_vendor_without_settings() -> None:
    ran = isthmus("connectors", "check", "orca")
    assert ran.code == 0 and ran.out.startswith("kept: ") and ran.err == ""


def test_permissions_are_named_with_their_abilities() -> None:
    ran = isthmus("connectors", "permissions", "aws")
    assert ran.code == 0 and fits(ran.out)
    for one in assembly.connector("aws").permissions:
        assert any(line.startswith(f"{one.name} ") for line in ran.out.splitlines())
    assert isthmus("connectors", "permissions", "falco").code == 1


def written(abilities: Collection[str], account: str) -> dict[str, Any]:
    """What a vendor's permissions look like as a policy."""
    return {"for": sorted(abilities), "in": account}


def test_the_smallest_policy_is_written_by_a_vendor_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors, "connector", lambda _: Connector("w", "W", "nothing", policy_document=written))
    ran = isthmus("connectors", "permissions", "w", "--policy", "b", "--policy", "a", "--account", "1")
    assert (ran.code, json.loads(ran.out)) == (0, {"for": ["a", "b"], "in": "1"})
    assert isthmus("connectors", "permissions", "w", "--policy", "a").told == [
        "isthmus: --account: is needed: the policy names the account's own resources"
    ]
    monkeypatch.undo()
    assert isthmus("connectors", "permissions", "wiz", "--policy", "a", "--account", "1").code == 1

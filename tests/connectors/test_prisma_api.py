"""Prisma Cloud over TLS: alerts, incidents, audits and scans by their ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.speaking import Front, Place

from isthmus.connectors.prisma import CONNECTOR
from isthmus.connectors.prisma.config import PrismaConfig
from isthmus.connectors.prisma.simulated import SimulatedPrisma
from isthmus.contracts.checks import NOW, drill, read_all, samples
from isthmus.lab.servers import Town
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.errors import Refused
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Status

HELD = (
    *("cspm-anomaly-user", "cspm-attack-path", "cspm-data-public", "cspm-dismissed-iso-times", "cspm-network-event"),
    *("cspm-network-exposure", "cspm-open-security-group", "incident-host", "incident-acknowledged", "runtime-container"),
    *("runtime-host", "runtime-app-embedded", "file-integrity", "log-inspection", "image-scan", "ci-image-scan"),
    "container-scan",
)
STRANGE = (
    *("", "P-", "P-1/../../user/me", "P-1?detailed=false", "P-1\n", "P-1%2f..", "p-1", "P-" + "1" * 19, "P-١٢٣", "PPP-1"),
    *("65f0a1b2c3d4e5f60718293", "65F0A1B2C3D4E5F60718293A", "65f0a1b2c3d4e5f60718293a&acknowledged=true", "P-1 OR 1=1"),
    *("7f0c2d54-0a54-4f0e-9d53-0f6d1f2b3c4d", "sha256:" + "a" * 63 + "/check/41", "sha256:" + "a" * 64, "a" * 64),
    *("sha256:" + "g" * 64 + "/check/41", "cnns/3a2d62dac926cfa9113ff2c0", "trust/1/2/3", "admission/0123", "P-1\x00"),
    *("i-0bb22cc33dd44ee55/CVE-2024-1086/linux", "cloudDiscovery/aws-ecr/1/2/3", "library/tool:2.6/CVE-2016-2147/busybox"),
    *("65f0a1b2c3d4e5f607182992/check/528", "../alert/P-1", "https://example.com/P-1", "sha256:" + "a" * 64 + "/" + "b" * 1001),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest.fixture(scope="module")
def front(town: Town) -> Front:
    return Front(town)


@pytest.fixture
def prisma() -> SimulatedPrisma:
    return SimulatedPrisma()


@pytest.fixture
def place(town: Town, front: Front, prisma: SimulatedPrisma) -> Place:
    return Place(town, front, CONNECTOR, prisma)


def written(kind: Kind, number: str = "P-12345", status: Status = Status.NEW, asset: Asset | None = None) -> dict[str, Any]:
    finding = drill(kind, "prisma", status)
    finding = replace(finding, source_id=number, asset=asset or finding.asset)
    payload: dict[str, Any] = json.loads(json.dumps(next(iter(CONNECTOR.simulator.payloads(finding)))))
    return payload


def sample(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = dict(samples(CONNECTOR))[f"{name}.json"]["payload"]
    return payload


def read(payload: dict[str, Any]) -> list[Finding]:
    return [claim for claim in read_all(CONNECTOR, payload) if isinstance(claim, Finding)]


@pytest.mark.parametrize("name", HELD)
def test_every_problem_of_a_held_record_comes_back_alone_and_the_same(place: Place, prisma: SimulatedPrisma, name: str) -> None:
    held = read(sample(name))
    assert held
    prisma.hold(sample(name), NOW)
    for finding in held:
        [payload] = place.refetch(finding.source_id)
        assert read(payload) == [finding]


IMAGE = Asset(AssetKind.IMAGE, "aws", "210987654321", ids=("sha256:" + "ab" * 32,))


@pytest.mark.parametrize("kind", sorted(CONNECTOR.simulator.speaks))
def test_an_alert_of_every_kind_comes_back_as_it_is_held(place: Place, prisma: SimulatedPrisma, kind: Kind) -> None:
    payload = written(kind, asset=IMAGE if kind is Kind.VULNERABILITY else None)
    [held] = read(payload)
    prisma.hold(payload, NOW)
    assert read(place.refetch(held.source_id)[0]) == [held]


def test_what_comes_back_is_what_holds_now(place: Place, prisma: SimulatedPrisma) -> None:
    prisma.hold(written(Kind.MISCONFIGURATION), NOW)
    prisma.hold(written(Kind.MISCONFIGURATION, status=Status.RESOLVED), NOW)
    assert read(place.refetch("P-12345")[0])[0].status is Status.RESOLVED


def test_an_image_that_is_only_in_a_registry_is_found_there(place: Place, prisma: SimulatedPrisma) -> None:
    payload = sample("image-scan")
    prisma._lists.hold(payload, "registry")
    [found] = place.refetch(read(payload)[0].source_id)
    assert read(found) == read(payload)[:1]


def test_an_image_row_with_many_problems_gives_only_the_one_asked_for(place: Place, prisma: SimulatedPrisma) -> None:
    payload = sample("image-scan")
    one = payload["vulnerabilities"][0]
    payload["vulnerabilities"] = [one | {"cve": f"CVE-2025-{number:05d}"} for number in range(800)]
    prisma.hold(payload, NOW)
    [found] = place.refetch(read(payload)[417].source_id)
    assert read(found) == [read(payload)[417]]


def test_a_problem_that_a_scan_no_longer_lists_is_refused(place: Place, prisma: SimulatedPrisma) -> None:
    payload = sample("image-scan")
    prisma.hold(payload, NOW)
    own = read(payload)[0].source_id
    with pytest.raises(Refused, match="does not know"):
        place.refetch(own.replace("CVE-2024", "CVE-2019"))


def test_a_scan_with_something_strange_beside_the_problem_still_gives_it(place: Place, prisma: SimulatedPrisma) -> None:
    payload = sample("image-scan")
    [problem] = read(payload | {"complianceIssues": []})
    strange: Any
    for strange in (None, 7, "text", {"a": 1}, [None], [[7]], [{"id": []}]):
        prisma._lists._known["images"].clear()
        prisma.hold(payload | {"complianceIssues": strange}, NOW)
        assert read(place.refetch(problem.source_id)[0]) == [problem]


@pytest.mark.parametrize("strange", STRANGE)
def test_what_cannot_be_asked_for_is_refused_without_a_call(place: Place, strange: str) -> None:
    with pytest.raises(Refused, match=r"^cannot refetch" if "/" in strange else "no id"):
        place.refetch(strange)
    assert place.faults.calls == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="0123456789")), st.sampled_from(["P-1", "65f0a1b2c3d4e5f60718293a"]))
def test_no_text_leads_anywhere_but_to_an_id(place: Place, text: str, own: str) -> None:
    with pytest.raises(Refused, match=r"cannot refetch|no id"):
        place.refetch(f"{own}x{text}")
    assert place.faults.calls == []


@pytest.mark.parametrize("start", ["cnns/", "trust/", "admission/", "cloudDiscovery/", "i-0bb22cc33dd44ee55/check/"])
def test_ids_that_no_list_can_be_asked_for_say_what_is_declared(place: Place, start: str) -> None:
    with pytest.raises(Refused) as refused:
        place.refetch(f"{start}0")
    assert any(f"cannot {what}: {why}" == str(refused.value) for what, why in CONNECTOR.cannot.items())


def test_waas_and_serverless_audits_are_looked_for_and_not_found(place: Place, prisma: SimulatedPrisma) -> None:
    for name in ("waas-prevented-host", "runtime-serverless"):
        prisma.hold(sample(name), NOW)
        with pytest.raises(Refused, match="cannot be asked for it"):
            place.refetch(read(sample(name))[0].source_id)


def test_without_a_console_nothing_of_compute_is_asked(place: Place) -> None:
    with pytest.raises(Refused, match="compute_origin"):
        place.refetch("65f0a1b2c3d4e5f607182940", compute_origin=None)
    assert place.faults.calls == []


def test_lists_these_credentials_may_not_see_are_passed_over_and_named(place: Place, prisma: SimulatedPrisma) -> None:
    prisma.hold(sample("runtime-host"), NOW)
    own = read(sample("runtime-host"))[0].source_id
    place.faults.always, place.faults.only = 403, "runtime/container"
    assert place.refetch(own)
    place.faults.only = "runtime/"
    with pytest.raises(Refused, match="not visible with these credentials: audits/runtime/container, audits/runtime/host"):
        place.refetch(own)


@pytest.mark.parametrize("source_id", ["P-404", "65f0a1b2c3d4e5f607182999"])
def test_what_prisma_does_not_know_is_refused(place: Place, source_id: str) -> None:
    with pytest.raises(Refused, match="does not know"):
        place.refetch(source_id)


def test_settings_are_checked() -> None:
    good = {"origin": "https://api.prismacloud.io", "access_key_id": "env:ID", "secret_key": "env:KEY"}
    assert PrismaConfig.model_validate(good).compute_version == "v1"
    wrong = ({"compute_path": "/../x"}, {"compute_path": "/a?b"}, {"compute_path": "/a\n"}, {"compute_version": "v1/../x"})
    for one in (*wrong, {"secret_key": "the secret itself"}, {"origin": "http://api.prismacloud.io"}, {"region": "eu"}):
        with pytest.raises(ValueError):
            PrismaConfig.model_validate(good | one)

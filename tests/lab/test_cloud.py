"""The company's AWS is really there: every account apart, every thing with the id AWS gave it, and any change is seen."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.connectors.aws.config import AwsConfig
from isthmus.lab.building import build
from isthmus.lab.cloud import Cloud
from isthmus.lab.company import Company, Home
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Unreachable


@pytest.fixture(scope="module")
def company() -> Company:
    return build(7)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def given(cloud: Cloud, company: Company) -> Mapping[str, str]:
    return cloud.furnish(company)


def homes(company: Company) -> list[Home]:
    return [home for home in company.homes if home.provider == "aws"]


def names(company: Company, home: Home, kind: AssetKind) -> list[str]:
    return [one.ids[-1] for one in company.of(kind) if one.account == home.id]


def test_everything_of_the_company_is_in_its_own_account(cloud: Cloud, company: Company, given: Mapping[str, str]) -> None:
    for home in homes(company):
        state = cloud.state(home.id)
        assert set(state["instances"]) == {given[one] for one in names(company, home, AssetKind.INSTANCE)}
        assert {given[one] for one in names(company, home, AssetKind.SECURITY_GROUP)} < set(state["groups"])
        assert set(state["buckets"]) == set(names(company, home, AssetKind.BUCKET))
        held = {one.ids[0]: str(company.tied(one, "owns_key").name) for one in company.of(AssetKind.ACCESS_KEY)}
        keys = {owner: set(keys) for owner, keys in state["keys"].items()}
        mine = names(company, home, AssetKind.ACCESS_KEY)
        assert keys == {owner: {given[one] for one in mine if held[one] == owner} for owner in keys}
        assert sum(map(len, keys.values())) == len(mine) == 6


def test_every_invented_id_has_one_of_its_own(company: Company, given: Mapping[str, str]) -> None:
    kinds = (AssetKind.INSTANCE, AssetKind.SECURITY_GROUP, AssetKind.ACCESS_KEY)
    assert set(given) == {one.ids[-1] for kind in kinds for one in company.of(kind)}
    assert len(set(given.values())) == len(given)
    assert all(real.split("-")[0][:4] == invented.split("-")[0][:4] for invented, real in given.items())


def test_hosts_and_buckets_do_not_all_begin_alike(cloud: Cloud, company: Company, given: Mapping[str, str]) -> None:
    state = cloud.state(homes(company)[0].id)
    assert {len(one["interfaces"]) for one in state["instances"].values()} == {1, 2}
    assert {len(groups) for groups in state["interfaces"].values()} == {1, 2}
    assert {one["policy"] is None for one in state["buckets"].values()} == {True, False}
    assert {one["blocks"] and sum(one["blocks"].values()) for one in state["buckets"].values()} == {None, 2, 4}


def test_the_same_is_the_same_twice(cloud: Cloud, company: Company, given: Mapping[str, str]) -> None:
    for home in homes(company):
        first = cloud.state(home.id)
        assert json.dumps(first, sort_keys=True) == json.dumps(cloud.state(home.id), sort_keys=True)


def _regroup(client: Callable[[str], Any], state: dict[str, Any]) -> None:
    interface, groups = next(iter(state["interfaces"].items()))
    other = next(one for one in state["groups"] if one not in groups)
    client("ec2").modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[other])


def _rule(client: Callable[[str], Any], state: dict[str, Any]) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
    client("ec2").authorize_security_group_ingress(GroupId=next(iter(state["groups"])), IpPermissions=[rule])


def _key(client: Callable[[str], Any], state: dict[str, Any]) -> None:
    user, keys = next((user, keys) for user, keys in state["keys"].items() if keys)
    client("iam").update_access_key(UserName=user, AccessKeyId=next(iter(keys)), Status="Inactive")


def _blocks(client: Callable[[str], Any], state: dict[str, Any]) -> None:
    client("s3").delete_public_access_block(Bucket=next(name for name, one in state["buckets"].items() if one["blocks"]))


def _policy(client: Callable[[str], Any], state: dict[str, Any]) -> None:
    client("s3").delete_bucket_policy(Bucket=next(name for name, one in state["buckets"].items() if one["policy"]))


@pytest.mark.parametrize("change", [_regroup, _rule, _key, _blocks, _policy])
def test_any_change_a_containment_could_make_is_seen_and_only_in_its_account(
    cloud: Cloud, company: Company, given: Mapping[str, str], change: Callable[[Callable[[str], Any], dict[str, Any]], None]
) -> None:
    account, other = homes(company)[1].id, homes(company)[2].id
    before, beside = cloud.state(account), cloud.state(other)
    change(lambda name: cloud.client(account, name), before)
    assert cloud.state(account) != before
    assert cloud.state(other) == beside


def test_our_isolation_group_is_no_change(cloud: Cloud, company: Company, given: Mapping[str, str]) -> None:
    account = homes(company)[0].id
    before, ec2 = cloud.state(account), cloud.client(account, "ec2")
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "isthmus-purpose", "Value": "isolation"}]}]
    vpc = ec2.describe_instances()["Reservations"][0]["Instances"][0]["VpcId"]
    ec2.create_security_group(GroupName="isthmus-isolation", Description="x", VpcId=vpc, TagSpecifications=tags)
    assert cloud.state(account) == before


def test_its_settings_are_settings_of_the_connector(cloud: Cloud, company: Company, given: Mapping[str, str]) -> None:
    kept: dict[str, str] = {}

    def keep(name: str, value: str) -> str:
        kept[name] = value
        return f"file:/kept/{name}"

    for home in homes(company):
        config = AwsConfig.model_validate(cloud.config(home.id, keep))
        assert (config.account, config.regions) == (home.id, (home.region,))
    assert len(kept) == 2 and not set(kept.values()) & set(json.dumps(config.model_dump()).split('"'))


def test_closing_it_ends_its_server() -> None:
    with Cloud() as cloud:
        place = urlsplit(cloud.origin)
        assert (place.hostname, place.port) == ("127.0.0.1", int(cloud.origin.rsplit(":", 1)[1]))
        assert cloud.output.is_file()
    assert not cloud.output.exists()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", place.port or 0), 5):
        pass


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    real, ended = subprocess.Popen, []

    def without_moto(command: list[str], **more: Any) -> subprocess.Popen[bytes]:
        ended.append(real([command[0], "-c", "raise SystemExit('no module named moto')"], **more))
        return ended[0]

    monkeypatch.setattr(subprocess, "Popen", without_moto)
    with pytest.raises(Unreachable, match=r"did not start: no module named moto"):
        Cloud()
    assert ended[0].returncode == 1

"""Isolating an instance: crashes half way, two at once, other people's groups and rules, any layout of interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.aws_account import Account

from isthmus.lab.cloud import Cloud
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.plans import Result

ISOLATE = "aws.isolate_instance"
ANYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
FROM_OFFICE = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "198.51.100.7/32"}]}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)


def test_the_outcome_says_that_tracked_connections_survive(account: Account) -> None:
    hands = account.hands()
    done = hands.apply(hands.preview(ISOLATE, account.host()[0]))
    assert "connections AWS already tracks live on" in done.detail


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies", [1, 2, 3, 4])
def test_a_crash_between_any_two_calls_leaves_what_can_go_on_and_what_can_go_back(
    account: Account, dies: int, after: bool
) -> None:
    for goes_on in (True, False):
        own, vpc = account.host()
        before, crashing = account.state(), account.hands()
        preview = crashing.preview(ISOLATE, own)
        crashing.aws.dies_after, crashing.aws.dies_before = (dies, 0) if after else (0, dies)
        with pytest.raises(Unreachable, match="died"):
            crashing.apply(preview)
        hands = account.hands()
        if goes_on:
            assert hands.apply(preview).result is Result.DONE
            assert account.isolated(own, vpc)
        assert hands.undo(preview).result is (Result.UNDONE if goes_on or (dies, after) > (3, False) else Result.ALREADY)
        assert account.state() == before


def test_a_change_refused_half_way_is_put_back(account: Account) -> None:
    own, _ = account.host()
    before, hands = account.interfaces(own), account.hands()
    preview = hands.preview(ISOLATE, own)
    hands.aws.denied = {4}
    with pytest.raises(Refused, match=r"^not allowed; what had been changed was put back$"):
        hands.apply(preview)
    assert hands.aws.writes[2:] == ["modify_network_interface_attribute"] * 3
    assert account.interfaces(own) == before
    hands.aws.denied = {7}
    with pytest.raises(Refused, match=r"^not allowed; what had been changed was put back$"):
        hands.apply(preview)
    hands.aws.denied = {10, 11}
    with pytest.raises(Refused, match="could not be put back"):
        hands.apply(preview)
    assert hands.undo(preview).result is Result.UNDONE
    assert account.interfaces(own) == before


def test_a_refusal_before_anything_was_changed_stays_as_it_is(account: Account) -> None:
    own, _ = account.host()
    hands = account.hands()
    preview = hands.preview(ISOLATE, own)
    hands.aws.denied = {3}
    with pytest.raises(Refused, match=r"^not allowed$"):
        hands.apply(preview)


@pytest.mark.parametrize("dies", [1, 2])
def test_a_crash_on_the_way_back_leaves_what_can_go_back(account: Account, dies: int) -> None:
    own, _ = account.host()
    before, hands = account.state(), account.hands()
    preview = hands.preview(ISOLATE, own)
    hands.apply(preview)
    crashing = account.hands()
    crashing.aws.dies_before = dies
    with pytest.raises(Unreachable, match="died"):
        crashing.undo(preview)
    assert hands.verify(preview).result is (Result.DONE if dies == 1 else Result.FAILED)
    assert hands.undo(preview).result is Result.UNDONE
    assert account.state() == before


def regrouped(account: Account, own: str, vpc: str) -> None:
    interface = sorted(account.interfaces(own))[0]
    account.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[account.group(vpc)])


def attached(account: Account, own: str, vpc: str) -> None:
    net = account.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][0]["SubnetId"]
    said = account.ec2.create_network_interface(SubnetId=net, Groups=[account.group(vpc)])["NetworkInterface"]
    account.ec2.attach_network_interface(NetworkInterfaceId=said["NetworkInterfaceId"], InstanceId=own, DeviceIndex=5)


def detached(account: Account, own: str, vpc: str) -> None:
    inside = account.ec2.describe_instances(InstanceIds=[own])["Reservations"][0]["Instances"][0]["NetworkInterfaces"]
    second = next(one for one in inside if one["Attachment"]["DeviceIndex"] == 1)
    account.ec2.detach_network_interface(AttachmentId=second["Attachment"]["AttachmentId"])


def terminated(account: Account, own: str, vpc: str) -> None:
    account.ec2.terminate_instances(InstanceIds=[own])


@pytest.mark.parametrize("change", [regrouped, attached, detached, terminated])
@pytest.mark.parametrize("done", [False, True])
def test_somebody_elses_change_is_never_overwritten(
    account: Account, change: Callable[[Account, str, str], None], done: bool
) -> None:
    own, vpc = account.host()
    hands = account.hands()
    preview = hands.preview(ISOLATE, own)
    if done:
        hands.apply(preview)
    change(account, own, vpc)
    written, before = list(hands.aws.writes), account.state()
    for attempt in (hands.undo, hands.apply):
        with pytest.raises(Refused):
            attempt(preview)
    assert (hands.aws.writes, account.state()) == (written, before)


def test_a_recorded_group_that_is_gone_is_noticed_before_anything_is_put_back(account: Account) -> None:
    vpc, net = account.vpc()
    kept, gone = account.group(vpc), account.group(vpc)
    own = account.instance((net, [kept]), (net, [gone]))
    hands = account.hands()
    preview = hands.preview(ISOLATE, own)
    hands.apply(preview)
    account.ec2.delete_security_group(GroupId=gone)
    written, before = list(hands.aws.writes), account.state()
    with pytest.raises(Refused, match=r"DescribeSecurityGroups: InvalidGroup\.NotFound"):
        hands.undo(preview)
    assert (hands.aws.writes, account.state()) == (written, before)


def test_a_terminated_or_unknown_instance_is_refused(account: Account) -> None:
    own, _ = account.host()
    account.ec2.terminate_instances(InstanceIds=[own])
    hands = account.hands()
    with pytest.raises(Refused, match="is terminated"):
        hands.preview(ISOLATE, own)
    with pytest.raises(Refused, match="there is no instance"):
        hands.resolve(ISOLATE, "i-0123456789abcdef0")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"RequesterManaged": True}, "run by an AWS service"),
        ({"InterfaceType": "trunk"}, "carries interfaces of others"),
        ({"OwnerId": "999999999999"}, "of account 999999999999"),
    ],
)
def test_an_interface_that_is_not_the_instances_own_is_refused(
    account: Account, told: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, _ = account.host()
    hands = account.hands()
    real = hands.aws.ask_all

    def telling(service: str, operation: str, region: str = "", **parameters: Any) -> Any:
        said = real(service, operation, region, **parameters)
        if operation != "describe_network_interfaces":
            return said
        first, *others = said["NetworkInterfaces"]
        return {"NetworkInterfaces": [first | told, *others]}

    monkeypatch.setattr(hands.aws, "ask_all", telling)
    with pytest.raises(Refused, match=why):
        hands.preview(ISOLATE, own)


@pytest.fixture
def ground(account: Account) -> list[tuple[str, list[str]]]:
    """Two networks: each a subnet and four groups."""
    places = [account.vpc() for _ in range(2)]
    return [(net, [account.group(vpc) for _ in range(4)]) for vpc, net in places]


_INTERFACE = st.tuples(st.integers(0, 1), st.sets(st.integers(0, 3), min_size=1))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=st.lists(_INTERFACE, min_size=1, max_size=4))
def test_any_layout_comes_back_as_it_was(
    account: Account, ground: list[tuple[str, list[str]]], layout: list[tuple[int, set[int]]]
) -> None:
    own = account.instance(*((ground[place][0], [ground[place][1][one] for one in groups]) for place, groups in layout))
    hands, before = account.hands(), account.interfaces(own)
    preview = hands.preview(ISOLATE, own)
    assert hands.apply(preview).result is Result.DONE
    assert len({group for groups in account.interfaces(own).values() for group in groups}) == len({one for one, _ in layout})
    assert hands.undo(preview).result is Result.UNDONE
    assert account.interfaces(own) == before

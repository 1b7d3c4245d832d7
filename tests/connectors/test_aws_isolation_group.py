"""The empty group instances are moved to: made once, tagged, seen to be empty, and never somebody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.connectors.aws_account import Account

from isthmus.connectors.aws.isolation_group import PURPOSE, TAG
from isthmus.lab.cloud import Cloud
from isthmus.model.errors import Refused
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


def test_the_isolation_group_is_made_once_for_a_network_tagged_and_empty(account: Account) -> None:
    vpc, net = account.vpc()
    hands = account.hands()
    for _ in range(2):
        own = account.instance((net, [account.group(vpc)]))
        assert hands.apply(hands.preview(ISOLATE, own)).result is Result.DONE
        assert account.isolated(own, vpc)
    assert hands.aws.writes.count("create_security_group") == 1


def test_a_group_made_meanwhile_does_not_void_what_was_agreed(account: Account) -> None:
    own, vpc = account.host()
    net = account.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][0]["SubnetId"]
    hands = account.hands()
    agreed = hands.preview(ISOLATE, own)
    hands.apply(hands.preview(ISOLATE, account.instance((net, [account.group(vpc)]))))
    assert hands.preview(ISOLATE, own) == agreed


def test_two_at_once_end_with_one_group(account: Account) -> None:
    """Both see no group; the second creates only after the first has, and goes on with the first's."""
    vpc, net = account.vpc()
    instances = [account.instance((net, [account.group(vpc)])) for _ in range(2)]
    first, second = account.hands(), account.hands()
    plans = [hands.preview(ISOLATE, own) for hands, own in zip((first, second), instances, strict=True)]
    both, made = threading.Barrier(2, timeout=10), threading.Event()
    first.aws.on["create_security_group"] = both.wait
    first.aws.on["revoke_security_group_egress"] = made.set
    second.aws.on["create_security_group"] = lambda: (both.wait(), made.wait(10), None)[-1]
    with ThreadPoolExecutor(2) as threads:
        work = [threads.submit(hands.apply, plan) for hands, plan in zip((first, second), plans, strict=True)]
        assert [one.result().result for one in work] == [Result.DONE, Result.DONE]
    assert all(account.isolated(own, vpc) for own in instances)
    assert second.aws.writes.count("create_security_group") == 1


def test_a_group_left_with_its_first_rule_is_emptied_before_it_is_used(account: Account) -> None:
    own, vpc = account.host()
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": TAG, "Value": PURPOSE}]}]
    account.ec2.create_security_group(GroupName="isthmus-isolation", Description="half", VpcId=vpc, TagSpecifications=tags)
    hands = account.hands()
    preview = hands.preview(ISOLATE, own)
    assert not preview.already
    hands.apply(preview)
    assert account.isolated(own, vpc)
    assert hands.aws.writes[0] == "revoke_security_group_egress"


def test_a_group_of_that_name_that_is_not_ours_is_not_used(account: Account) -> None:
    own, vpc = account.host()
    account.ec2.create_security_group(GroupName="isthmus-isolation", Description="somebody's", VpcId=vpc)
    hands, before = account.hands(), account.state()
    with pytest.raises(Refused, match="somebody else's"):
        hands.preview(ISOLATE, own)
    assert (hands.aws.writes, account.state()) == ([], before)


Rule = Callable[[Account, str], Any]
SPOILS: tuple[Rule, ...] = (
    lambda account, group: account.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[FROM_OFFICE]),
    lambda account, group: account.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[FROM_OFFICE]),
)


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_group_that_was_given_rules_isolates_nothing_but_can_be_left(account: Account, spoil: Rule) -> None:
    own, vpc = account.host()
    hands, before = account.hands(), account.interfaces(own)
    preview = hands.preview(ISOLATE, own)
    hands.apply(preview)
    spoil(account, account.isolation_groups(vpc)[0]["GroupId"])
    assert hands.verify(preview).result is Result.FAILED
    with pytest.raises(Refused, match="was given rules"):
        hands.preview(ISOLATE, own)
    assert hands.undo(preview).result is Result.UNDONE
    assert account.interfaces(own) == before


def test_the_rule_every_group_begins_with_counts_as_open_too(account: Account) -> None:
    own, vpc = account.host()
    hands = account.hands()
    preview = hands.preview(ISOLATE, own)
    hands.apply(preview)
    account.ec2.authorize_security_group_egress(GroupId=account.isolation_groups(vpc)[0]["GroupId"], IpPermissions=[ANYWHERE])
    assert hands.verify(preview).result is Result.FAILED
    assert hands.apply(preview).result is Result.DONE
    assert account.isolated(own, vpc)


def test_a_renamed_isolation_group_does_not_block_the_way_back(account: Account) -> None:
    own, _ = account.host()
    before, hands = account.state(), account.hands()
    preview = hands.preview(ISOLATE, own)
    hands.apply(preview)
    later = account.hands(isolation_group="quarantine")
    assert later.verify(preview).result is Result.DONE
    assert later.undo(preview).result is Result.UNDONE
    assert account.state() == before

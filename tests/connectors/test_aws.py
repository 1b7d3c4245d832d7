"""Every ability of the AWS connector against moto's server: nothing written by a preview, done once, taken back whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.connectors.aws_account import ALL, AT, HOME, Account, allowing, blocks, run

from isthmus.connectors.aws import deactivate_access_key
from isthmus.connectors.aws.actuator import AwsActuator
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.errors import Denied
from isthmus.lab.cloud import Cloud
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Refused
from isthmus.model.plans import Action, Result, Target, version_of

ISOLATE, KEY = "aws.isolate_instance", "aws.deactivate_access_key"
BLOCK, QUARANTINE = "aws.block_public_access", "aws.quarantine_bucket"
PARTLY = blocks("BlockPublicAcls", "IgnorePublicAcls")
SPACED = '{ "Version": "2012-10-17",\n  "Statement": %s }' % json.dumps(allowing()["Statement"])  # noqa: UP031


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)


def one_interface(account: Account) -> str:
    vpc, net = account.vpc()
    return account.instance((net, [account.group(vpc)]))


def two_vpcs(account: Account) -> str:
    (one, net), (other, far) = account.vpc(), account.vpc()
    shared = account.group(one)
    return account.instance((net, [shared]), (far, [account.group(other)]), (net, [shared, account.group(one)]))


def half_isolated(account: Account) -> str:
    """One interface already in the group that another isolation left behind."""
    vpc, net = account.vpc()
    first = account.instance((net, [account.group(vpc)]))
    hands = account.hands()
    hands.apply(hands.preview(ISOLATE, first))
    return account.instance((net, [account.group(vpc)]), (net, [account.isolation_groups(vpc)[0]["GroupId"]]))


Start = Callable[[Account], str]
STARTS: dict[str, tuple[str, Start]] = {
    "one interface": (ISOLATE, one_interface),
    "two interfaces": (ISOLATE, lambda account: account.host()[0]),
    "two networks": (ISOLATE, two_vpcs),
    "half isolated": (ISOLATE, half_isolated),
    "active key": (KEY, lambda account: account.key()[1]),
    "second key": (KEY, lambda account: account.iam.create_access_key(UserName=account.key()[0])["AccessKey"]["AccessKeyId"]),
    "key of a user with a path": (KEY, lambda account: path_key(account)),
    "no blocks": (BLOCK, lambda account: account.bucket()),
    "some blocks": (BLOCK, lambda account: account.bucket(PARTLY)),
    "blocks all off": (BLOCK, lambda account: account.bucket(blocks())),
    "open": (QUARANTINE, lambda account: account.bucket()),
    "with a policy": (QUARANTINE, lambda account: account.bucket(PARTLY, allowing())),
    "with a policy written otherwise": (QUARANTINE, lambda account: account.bucket(blocks(*ALL), SPACED)),
    "with one statement, no list": (QUARANTINE, lambda account: account.bucket(None, unlisted())),
}


def path_key(account: Account) -> str:
    name = account.fresh("user")
    account.iam.create_user(UserName=name, Path="/teams/payments/")
    key: str = account.iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    return key


def unlisted() -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": allowing()["Statement"][0]}


@pytest.mark.parametrize("start", STARTS)
def test_previewed_done_once_and_taken_back_to_the_last_character(account: Account, start: str) -> None:
    ability, begin = STARTS[start]
    target = begin(account)
    hands, before = account.hands(), account.state()

    preview = hands.preview(ability, target)
    assert (hands.aws.writes, account.state()) == ([], before)
    assert preview.calls and not preview.already
    assert preview.version == version_of(preview.before)
    assert json.loads(json.dumps(preview.before)) == preview.before
    assert hands.verify(preview).result is Result.FAILED

    assert hands.apply(preview).result is Result.DONE
    made, changed = list(hands.aws.writes), account.state()
    assert changed != before
    assert hands.verify(preview).result is Result.DONE
    assert hands.apply(preview).result is Result.DONE
    assert (hands.aws.writes, account.state()) == (made, changed)
    assert hands.preview(ability, target).already

    assert hands.undo(preview).result is Result.UNDONE
    assert account.state() == before
    written = list(hands.aws.writes)
    assert hands.undo(preview).result is Result.ALREADY
    assert (hands.aws.writes, account.state()) == (written, before)
    assert hands.verify(preview).result is Result.FAILED
    assert hands.preview(ability, target).version == preview.version


@pytest.mark.parametrize(
    ("ability", "begin"),
    [
        (KEY, lambda account: account.key("Inactive")[1]),
        (BLOCK, lambda account: account.bucket(blocks(*ALL))),
        (ISOLATE, lambda account: isolated(account)),
        (QUARANTINE, lambda account: quarantined(account)),
    ],
)
def test_what_stands_already_is_said_and_left_alone(account: Account, ability: str, begin: Start) -> None:
    target = begin(account)
    hands, before = account.hands(), account.state()
    preview = hands.preview(ability, target)
    assert preview.already and preview.calls == ()
    assert hands.apply(preview).result is Result.ALREADY
    assert hands.verify(preview).result is Result.DONE
    assert hands.undo(preview).result is Result.ALREADY
    assert (hands.aws.writes, account.state()) == ([], before)


def isolated(account: Account) -> str:
    target = account.host()[0]
    hands = account.hands()
    hands.apply(hands.preview(ISOLATE, target))
    return target


def quarantined(account: Account) -> str:
    target = account.bucket(PARTLY, allowing())
    hands = account.hands()
    hands.apply(hands.preview(QUARANTINE, target))
    return target


def drifted(account: Account, ability: str) -> tuple[str, Callable[[], None]]:
    """A target, and somebody else's change to it."""
    if ability == KEY:
        user, key = account.key()
        return key, lambda: account.iam.delete_access_key(UserName=user, AccessKeyId=key)
    if ability == BLOCK:
        own = account.bucket(PARTLY)
        changed = {"Bucket": own, "PublicAccessBlockConfiguration": blocks("BlockPublicPolicy")}
        return own, lambda: account.s3.put_public_access_block(**changed)
    own = account.bucket(PARTLY, allowing())
    theirs = json.dumps(allowing(own, "arn:aws:iam::111122223333:root", "Others"))
    return own, lambda: account.s3.put_bucket_policy(Bucket=own, Policy=theirs)


@pytest.mark.parametrize("ability", [KEY, BLOCK, QUARANTINE])
@pytest.mark.parametrize("done", [False, True])
def test_somebody_elses_change_is_never_overwritten(account: Account, ability: str, done: bool) -> None:
    target, change = drifted(account, ability)
    hands = account.hands()
    preview = hands.preview(ability, target)
    if done:
        hands.apply(preview)
    change()
    written, before = list(hands.aws.writes), account.state()
    for attempt in (hands.undo, hands.apply):
        with pytest.raises(Refused):
            attempt(preview)
    assert (hands.aws.writes, account.state()) == (written, before)


def test_a_quarantine_is_a_deny_that_spares_emergencies_and_ourselves(account: Account) -> None:
    target = account.bucket(None, allowing())
    hands = account.hands()
    hands.apply(hands.preview(QUARANTINE, target))
    policy = json.loads(account.s3.get_bucket_policy(Bucket=target)["Policy"])
    assert policy["Statement"][0] == allowing()["Statement"][0]
    ours = policy["Statement"][1]
    assert (ours["Effect"], ours["Principal"], ours["Action"]) == ("Deny", "*", "s3:*")
    assert ours["Resource"] == [f"arn:aws:s3:::{target}", f"arn:aws:s3:::{target}/*"]
    spared = [f"arn:aws:iam::{HOME.id}:role/{name}" for name in ("break-glass", "isthmus")]
    assert ours["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": spared}}


def test_a_quarantine_that_we_could_not_take_back_is_refused(account: Account) -> None:
    """Without a role, the lab's own credentials are of nobody who could be named in a policy."""
    name, nobody = account.bucket(), "123456789012"
    hands = account.hands(role_arn=None, account=nobody)
    target = Target(f"aws:{nobody}/eu-west-1/bucket/{name}", name, AssetKind.BUCKET, "aws", nobody, "eu-west-1")
    with pytest.raises(Refused, match="cannot be exempted"):
        run(hands.actuator.preview(Action(QUARANTINE, name, {}, 1), target, AT))
    assert hands.aws.writes == []


def test_a_changed_exemption_neither_hides_nor_blocks_the_way_back(account: Account) -> None:
    target = account.bucket(None, allowing())
    before = account.state()
    first = account.hands()
    preview = first.preview(QUARANTINE, target)
    first.apply(preview)
    later = account.hands(break_glass=[])
    again = later.preview(QUARANTINE, target)
    assert not again.already and again.version != preview.version
    assert later.verify(preview).result is Result.DONE
    assert later.undo(preview).result is Result.UNDONE
    assert account.state() == before


def test_a_quarantine_puts_the_policy_before_the_blocks_and_takes_back_in_the_other_order(account: Account) -> None:
    """AWS refuses a policy with a public statement while public policies are blocked; moto does not, so the order is shown."""
    hands = account.hands()
    preview = hands.preview(QUARANTINE, account.bucket(None, allowing()))
    hands.apply(preview)
    hands.undo(preview)
    wanted = ["put_bucket_policy", "put_public_access_block", "delete_public_access_block", "put_bucket_policy"]
    assert hands.aws.writes == wanted


@pytest.mark.parametrize("dies", [1, 2])
@pytest.mark.parametrize("after", [False, True])
def test_half_a_quarantine_goes_on_where_it_stopped_or_back(account: Account, dies: int, after: bool) -> None:
    for goes_on in (True, False):
        target = account.bucket(PARTLY, allowing())
        before, crashing = account.state(), account.hands()
        preview = crashing.preview(QUARANTINE, target)
        crashing.aws.dies_after, crashing.aws.dies_before = (dies, 0) if after else (0, dies)
        with pytest.raises(Exception, match="died"):
            crashing.apply(preview)
        hands = account.hands()
        if goes_on:
            assert hands.apply(preview).result is Result.DONE
        assert hands.undo(preview).result in (Result.UNDONE, Result.ALREADY)
        assert account.state() == before


def test_a_quarantine_refused_half_way_is_put_back(account: Account) -> None:
    target, hands = account.bucket(PARTLY, allowing()), account.hands()
    before, preview = account.state(), hands.preview(QUARANTINE, target)
    hands.aws.denied = {2}
    with pytest.raises(Refused, match="what had been changed was put back"):
        hands.apply(preview)
    assert account.state() == before


def test_a_change_whose_answer_was_lost_is_read_back(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS did it, and what came back could not be read."""
    key, hands = account.key()[1], account.hands()
    preview, real = hands.preview(KEY, key), hands.aws.ask

    def garbled(service: str, operation: str, region: str = "", **parameters: Any) -> Any:
        answer = real(service, operation, region, **parameters)
        if operation == "update_access_key":
            raise Denied("iam:UpdateAccessKey: answered something that cannot be read", "ResponseParserError")
        return answer

    monkeypatch.setattr(hands.aws, "ask", garbled)
    assert hands.apply(preview).result is Result.DONE


def test_what_shows_late_is_waited_for_and_what_never_shows_has_failed(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, key = account.key()
    stale: list[str] = []

    def late(aws: Aws, own: str) -> tuple[str, str]:
        return user, stale.pop(0) if stale else account.iam.list_access_keys(UserName=user)["AccessKeyMetadata"][0]["Status"]

    monkeypatch.setattr(deactivate_access_key, "owner_and_status", late)
    for pauses, shown in (((0.0, 0.0, 0.0), True), ((0.0,), False)):
        hands = account.hands()
        preview = hands.preview(KEY, key)
        hands.actuator = AwsActuator(hands.aws, pauses)
        stale[:] = ["Active"] * 3
        assert hands.apply(preview).result is (Result.DONE if shown else Result.FAILED)
        stale[:] = ["Inactive"] * 3
        assert hands.undo(preview).result is (Result.UNDONE if shown else Result.FAILED)
        stale.clear()
        assert account.state()["keys"][user] == {key: "Active"}

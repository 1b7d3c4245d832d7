"""The policy we ask for is enough and not one action more, by moto's enforcement of IAM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from tests.connectors.aws_account import HOME, Account, Hands, allowing

from isthmus.connectors.aws import CONNECTOR
from isthmus.connectors.aws.permissions import policy_document
from isthmus.lab.cloud import Cloud
from isthmus.model.errors import Refused
from isthmus.model.plans import Result

ISOLATE, KEY = "aws.isolate_instance", "aws.deactivate_access_key"
BLOCK, QUARANTINE = "aws.block_public_access", "aws.quarantine_bucket"
AS_MOTO_NAMES_THEM = {
    "s3:GetBucketPublicAccessBlock": ["s3:ListBucket"],
    "s3:PutBucketPublicAccessBlock": ["s3:CreateBucket", "s3:DeleteBucket"],
}
"""moto does not tell these calls from the plain ones on a bucket and asks for those actions; AWS asks for what we write."""

NOT_ASKED_BY_MOTO = {"ec2:CreateTags"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)


@contextmanager
def enforced(account: Account) -> Iterator[None]:
    """From here on moto checks signatures and policies."""
    address = f"{account.cloud.origin}/moto-api/reset-auth"
    httpx.post(address, content="0", trust_env=False).raise_for_status()
    try:
        yield
    finally:
        httpx.post(address, content="inf", trust_env=False).raise_for_status()


def allowed(account: Account, actions: set[str]) -> Hands:
    """Hands that work under a role of their own with exactly these actions, assumed by a user who may do nothing else."""
    user, role = account.fresh("runner"), account.fresh("least")
    arn = f"arn:aws:iam::{HOME.id}:role/{role}"
    account.iam.create_user(UserName=user)
    account.iam.put_user_policy(UserName=user, PolicyName="a", PolicyDocument=_policy({"sts:AssumeRole"}))
    key = account.iam.create_access_key(UserName=user)["AccessKey"]
    trust = [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HOME.id}:user/{user}"}, "Action": "sts:AssumeRole"}]
    account.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))
    account.iam.put_role_policy(RoleName=role, PolicyName="a", PolicyDocument=_policy(actions))
    config, kept = account.settings(role_arn=arn)
    assert config.access_key_id and config.secret_access_key
    kept.secrets |= {config.access_key_id: key["AccessKeyId"], config.secret_access_key: key["SecretAccessKey"]}
    return Hands(config, kept)


def _policy(actions: set[str]) -> str:
    """moto knows neither resources nor conditions, so this shows that the actions suffice, not where they are limited."""
    spelt = sorted(name for one in actions for name in AS_MOTO_NAMES_THEM.get(one, [one]))
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": spelt, "Resource": "*"}]})


def instance(account: Account) -> str:
    vpc, net = account.vpc()
    return account.instance((net, [account.group(vpc)]))


STARTS: dict[str, tuple[Callable[[Account], str], ...]] = {
    ISOLATE: (instance,),
    KEY: (lambda account: account.key()[1],),
    BLOCK: (lambda account: account.bucket(),),
    QUARANTINE: (lambda account: account.bucket(), lambda account: account.bucket(None, allowing())),
}


def actions_of(*abilities: str) -> set[str]:
    return {action for one in policy_document(abilities, HOME.id)["Statement"] for action in one["Action"]}


def whole(account: Account, hands: Hands, ability: str) -> None:
    """Found, previewed, done and taken back, from every start."""
    targets = [start(account) for start in STARTS[ability]]
    with enforced(account):
        for target in targets:
            preview = hands.preview(ability, target)
            assert hands.apply(preview).result is Result.DONE
            assert hands.undo(preview).result is Result.UNDONE


@pytest.mark.parametrize("ability", STARTS)
def test_the_policy_of_an_ability_is_enough(account: Account, ability: str) -> None:
    whole(account, allowed(account, actions_of(ability)), ability)


@pytest.mark.parametrize(
    ("ability", "missing"),
    [(ability, one) for ability in STARTS for one in sorted(actions_of(ability) - NOT_ASKED_BY_MOTO)],
)
def test_no_action_of_it_is_too_much(account: Account, ability: str, missing: str) -> None:
    hands = allowed(account, actions_of(ability) - {missing})
    with pytest.raises(Refused, match=r"AccessDenied|UnauthorizedOperation"):
        whole(account, hands, ability)


def test_the_policy_names_resources_of_the_account_and_conditions_where_aws_takes_them() -> None:
    document = policy_document([ISOLATE, KEY, QUARANTINE], HOME.id, "aws-cn")
    by_action: dict[str, dict[str, Any]] = {name: one for one in document["Statement"] for name in one["Action"]}
    assert json.loads(json.dumps(document)) == document
    assert by_action["iam:UpdateAccessKey"]["Resource"] == [f"arn:aws-cn:iam::{HOME.id}:user/*"]
    assert by_action["s3:PutBucketPolicy"]["Condition"] == {"StringEquals": {"aws:ResourceAccount": HOME.id}}
    assert "aws:ResourceTag/isthmus-purpose" in by_action["ec2:RevokeSecurityGroupEgress"]["Condition"]["StringEquals"]
    assert all(
        "*" not in one["Resource"] for name, one in by_action.items() if not name.split(":")[1].startswith(("Describe", "Get"))
    )
    assert "{" not in "".join(one for each in document["Statement"] for one in each["Resource"])


def test_an_ability_brings_only_its_own_actions() -> None:
    assert {name.split(":")[0] for name in actions_of(KEY)} == {"iam"}
    assert actions_of(BLOCK) < actions_of(QUARANTINE)
    assert policy_document([], HOME.id)["Statement"] == []
    with pytest.raises(Refused, match=r"aws\.stop_instance"):
        policy_document(["aws.stop_instance"], HOME.id)


def test_what_is_declared_is_what_the_policy_says() -> None:
    assert {one.name for one in CONNECTOR.permissions} == actions_of(*STARTS)
    assert len({one.name for one in CONNECTOR.permissions}) == len(CONNECTOR.permissions)

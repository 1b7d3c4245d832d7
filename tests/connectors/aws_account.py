"""One account in the lab's AWS, furnished by hand, and our connector's hands in it, watched."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from isthmus.connectors.aws.actuator import AwsActuator
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.config import AwsConfig
from isthmus.connectors.aws.errors import Denied
from isthmus.connectors.aws.inventory import AwsInventory
from isthmus.connectors.aws.isolation_group import PURPOSE, TAG
from isthmus.contracts.wire import Http, Secret
from isthmus.lab.cloud import Cloud
from isthmus.lab.company import Home
from isthmus.model.errors import Unreachable
from isthmus.model.plans import Action, Outcome, Preview, Target

T = TypeVar("T")
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOME = Home("210987654321", "tidewater-prod", "aws", "eu-west-1", "production", "payments", "high")
OTHER = Home("321098765432", "tidewater-data", "aws", "us-east-1", "production", "data", "high")
READS = ("get_", "describe_", "list_", "head_")


class Kept:
    """The way out as far as this connector uses it: secrets, kept here."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def keep(self, name: str, value: str) -> str:
        reference = f"file:/kept/{name}"
        self.secrets[reference] = value
        return reference

    def http(self, origin: str, *, per_second: float = 5.0) -> Http:
        raise AssertionError("signing and transport are botocore's")

    def secret(self, reference: str) -> Secret:
        return Secret(self.secrets[reference])

    def now(self) -> datetime:
        return AT


class Watched(Aws):
    """The connector's own way to AWS, with a list of its calls; it can fall dead before or after its nth write,
    or be denied it."""

    def __init__(self, config: AwsConfig, outward: Kept) -> None:
        super().__init__(config, outward)
        self.calls: list[str] = []
        self.dies_before = self.dies_after = 0
        self.denied: set[int] = set()
        self.on: dict[str, Callable[[], object]] = {}
        self._counting = threading.Lock()

    def ask(self, service: str, operation: str, region: str = "", **parameters: Any) -> Mapping[str, Any]:
        # moto does not look at it; AWS then refuses a bucket of that name that somebody else has.
        assert service != "s3" or parameters["ExpectedBucketOwner"] == self.config.account
        with self._counting:
            self.calls.append(operation)
            number = len(self.writes) if not operation.startswith(READS) else -1
        self.on.get(operation, lambda: None)()
        if number == self.dies_before:
            raise Unreachable("died before the call")
        if number in self.denied:
            raise Denied("not allowed", "AccessDenied")
        answer = super().ask(service, operation, region, **parameters)
        if number == self.dies_after:
            raise Unreachable("died after the call")
        return answer

    def like(self, other: Aws) -> None:
        """Goes on with the other's clients: making them takes longer than using them."""
        self._session, self._clients, self._caller = other._session, other._clients, other._caller

    @property
    def writes(self) -> list[str]:
        return [one for one in self.calls if not one.startswith(READS)]


class Hands:
    """An inventory and an actuator over one connection, for tests that are not themselves asynchronous."""

    def __init__(self, config: AwsConfig, outward: Kept) -> None:
        self.aws = Watched(config, outward)
        self.inventory, self.actuator = AwsInventory(self.aws), AwsActuator(self.aws, pauses=(0.0,))

    def resolve(self, ability: str, target: str, **parameters: str) -> Target:
        return run(self.inventory.resolve(Action(ability, target, parameters, 1)))

    def preview(self, ability: str, target: str) -> Preview:
        action = Action(ability, target, {}, 1)
        return run(self.actuator.preview(action, run(self.inventory.resolve(action)), AT))

    def apply(self, preview: Preview) -> Outcome:
        return run(self.actuator.apply(preview, "token", AT))

    def verify(self, preview: Preview) -> Outcome:
        return run(self.actuator.verify(preview, AT))

    def undo(self, preview: Preview) -> Outcome:
        return run(self.actuator.undo(preview, AT))


class Account:
    """An account and what is in it; nothing is left of what any account held before."""

    def __init__(self, cloud: Cloud, home: Home = HOME) -> None:
        cloud.forget()
        cloud.open(home)
        self.cloud, self.home = cloud, home
        self.ec2, self.iam, self.s3 = (cloud.client(home.id, name) for name in ("ec2", "iam", "s3"))
        self._numbers = itertools.count()
        self._open: Watched | None = None

    def settings(self, **changed: Any) -> tuple[AwsConfig, Kept]:
        kept = Kept()
        return AwsConfig.model_validate(self.cloud.config(self.home.id, kept.keep) | changed), kept

    def hands(self, **changed: Any) -> Hands:
        """Fresh hands, with these settings changed; where none are, over connections that stand already."""
        hands = Hands(*self.settings(**changed))
        if not changed:
            self._open = self._open or hands.aws
            hands.aws.like(self._open)
        return hands

    def state(self) -> dict[str, Any]:
        return self.cloud.state(self.home.id)

    def fresh(self, what: str) -> str:
        return f"{what}-{self.home.region}-{next(self._numbers)}"

    def vpc(self) -> tuple[str, str]:
        """A new VPC and a subnet in it."""
        vpc: str = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        return vpc, self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/20")["Subnet"]["SubnetId"]

    def group(self, vpc: str) -> str:
        name = self.fresh("group")
        own: str = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        return own

    def instance(self, *layout: tuple[str, Sequence[str]]) -> str:
        """An instance with one interface per (subnet, groups)."""
        interfaces = [{"DeviceIndex": at, "SubnetId": net, "Groups": list(groups)} for at, (net, groups) in enumerate(layout)]
        said = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, NetworkInterfaces=interfaces)
        own: str = said["Instances"][0]["InstanceId"]
        return own

    def host(self) -> tuple[str, str]:
        """An instance whose two interfaces are in different groups, and their VPC."""
        vpc, net = self.vpc()
        return self.instance((net, [self.group(vpc), self.group(vpc)]), (net, [self.group(vpc)])), vpc

    def interfaces(self, instance: str) -> dict[str, set[str]]:
        """The groups of each interface, which the instance's own view must tell alike."""
        filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
        said = self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        found = {one["NetworkInterfaceId"]: {group["GroupId"] for group in one["Groups"]} for one in said}
        inside = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["NetworkInterfaces"]
        assert found == {one["NetworkInterfaceId"]: {group["GroupId"] for group in one["Groups"]} for one in inside}
        return found

    def isolated(self, instance: str, vpc: str) -> bool:
        """Whether every interface is in the one isolation group of the VPC only, and that has no rules."""
        found = self.isolation_groups(vpc)
        assert len(found) == 1 and {"Key": TAG, "Value": PURPOSE} in found[0]["Tags"]
        empty = not found[0]["IpPermissions"] and not found[0]["IpPermissionsEgress"]
        return empty and all(groups == {found[0]["GroupId"]} for groups in self.interfaces(instance).values())

    def isolation_groups(self, vpc: str) -> list[dict[str, Any]]:
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["isthmus-isolation"]}]
        found: list[dict[str, Any]] = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return found

    def key(self, status: str = "Active") -> tuple[str, str]:
        """A new user with one key: (user, key)."""
        user = self.fresh("user")
        self.iam.create_user(UserName=user)
        key: str = self.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
        self.iam.update_access_key(UserName=user, AccessKeyId=key, Status=status)
        return user, key

    def bucket(self, blocks: Mapping[str, bool] | None = None, policy: Mapping[str, Any] | str | None = None) -> str:
        name = self.fresh(f"bucket-{self.home.id}")
        place = {} if self.home.region == "us-east-1" else {"LocationConstraint": self.home.region}
        self.s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
        if blocks is not None:
            self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict(blocks))
        if policy is not None:
            self.s3.put_bucket_policy(Bucket=name, Policy=policy if isinstance(policy, str) else json.dumps(policy))
        return name


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def blocks(*on: str) -> dict[str, bool]:
    """The four switches with these on."""
    return {name: name in on for name in ALL}


ALL = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def allowing(bucket: str = "any", principal: str = "*", sid: str = "Readers") -> dict[str, Any]:
    """A policy with one statement."""
    own = {"Principal": {"AWS": principal}, "Resource": [f"arn:aws:s3:::{bucket}/*"]}
    return {"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow", "Action": "s3:GetObject", **own}]}

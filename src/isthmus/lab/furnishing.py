"""Creates one account of the company in an AWS: the same company gives the same layout, whatever ids AWS gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.lab.company import Company, Home
from isthmus.model.assets import Asset, AssetKind

_TRUST = {"Version": "2012-10-17", "Statement": []}
_BLOCKS: tuple[dict[str, bool] | None, ...] = (
    None,
    {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False},
    None,
    {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True},
)
"""How buckets start, in turn."""


def furnish(company: Company, home: Home, service: Callable[[str], Any]) -> dict[str, str]:
    """Creates everything of this account and returns AWS's ids by the company's own."""
    account = _Account(company, home, service)
    given = account.groups() | account.instances() | account.keys()
    account.buckets()
    account.roles()
    return given


class _Account:
    """One account while it is being furnished."""

    def __init__(self, company: Company, home: Home, service: Callable[[str], Any]) -> None:
        self.company, self.home = company, home
        self.ec2, self.iam, self.s3 = service("ec2"), service("iam"), service("s3")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.20.0.0/20")["Subnet"]["SubnetId"]
        self.group_of: dict[str, str] = {}

    def own(self, kind: AssetKind) -> list[Asset]:
        return [one for one in self.company.of(kind) if one.account == self.home.id]

    def groups(self) -> dict[str, str]:
        """A group per security group of the company, open to the world where the company says so, and one for all hosts."""
        for asset in self.own(AssetKind.SECURITY_GROUP):
            source = "0.0.0.0/0" if asset.ids[0] in self.company.facing else "10.20.0.0/16"
            self.group_of[asset.ids[-1]] = self._group(str(asset.name), 443, source)
        self.shared = self._group("every-host", 9100, "10.20.0.0/16")
        return self.group_of

    def _group(self, name: str, port: int, source: str) -> str:
        said = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        group: str = said["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return group

    def instances(self) -> dict[str, str]:
        """An instance per host: every second in two groups, every third with two interfaces of different groups."""
        return {asset.ids[-1]: self._instance(asset, number) for number, asset in enumerate(self.own(AssetKind.INSTANCE))}

    def _instance(self, asset: Asset, number: int) -> str:
        group = self.group_of[self.company.tied(asset, "guarded_by").ids[-1]]
        layouts = [[group, self.shared] if number % 2 else [group]] + ([[self.shared]] if number % 3 == 0 else [])
        said = self.ec2.run_instances(
            ImageId="ami-12c6146b",
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[
                {"DeviceIndex": index, "SubnetId": self.subnet, "Groups": groups} for index, groups in enumerate(layouts)
            ],
            TagSpecifications=[{"ResourceType": "instance", "Tags": _tags(asset)}],
        )
        own: str = said["Instances"][0]["InstanceId"]
        return own

    def keys(self) -> dict[str, str]:
        """Every user, with the keys the company says are theirs."""
        for user in self.own(AssetKind.USER):
            self.iam.create_user(UserName=str(user.name))
        given = {}
        for key in self.own(AssetKind.ACCESS_KEY):
            owner = str(self.company.tied(key, "owns_key").name)
            given[key.ids[0]] = self.iam.create_access_key(UserName=owner)["AccessKey"]["AccessKeyId"]
        return given

    def buckets(self) -> None:
        """Every bucket: half with a policy, and with public-access blocks of every kind."""
        for number, asset in enumerate(self.own(AssetKind.BUCKET)):
            name = str(asset.name)
            place = {} if self.home.region == "us-east-1" else {"LocationConstraint": self.home.region}
            self.s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
            if number % 2:
                self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_policy(name, self.home.id)))
            blocks = _BLOCKS[number % len(_BLOCKS)]
            if blocks:
                self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=blocks)

    def roles(self) -> None:
        """Our own role and the one for emergencies."""
        for name in ("isthmus", "break-glass"):
            self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))


def _tags(asset: Asset) -> list[Mapping[str, str]]:
    return [{"Key": "Name", "Value": str(asset.name)}, *({"Key": key, "Value": str(value)} for key, value in asset.tags)]


def _policy(bucket: str, account: str) -> dict[str, Any]:
    own = {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [{"Sid": "Readers", "Effect": "Allow", "Action": "s3:GetObject", **own}]}

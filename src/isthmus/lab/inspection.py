"""Looks at everything in an AWS account that a containment could change, so that before and after can be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

_OURS = "isthmus-purpose"


def inspect(service: Callable[[str], Any]) -> dict[str, Any]:
    """One form of it all, the same for the same state whatever order AWS tells it in."""
    ec2 = service("ec2")
    return {
        "instances": _instances(ec2),
        "interfaces": _interfaces(ec2),
        "groups": _groups(ec2),
        "keys": _keys(service("iam")),
        "buckets": _buckets(service("s3")),
    }


def _pages(client: Any, operation: str, field: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get_paginator(operation).paginate().build_full_result()[field]
    return found


def _ids(groups: list[dict[str, str]]) -> list[str]:
    return sorted(one["GroupId"] for one in groups)


def _instances(ec2: Any) -> dict[str, Any]:
    """Each instance's state, groups, and its interfaces' groups as the instance tells them."""
    found = {}
    for reservation in _pages(ec2, "describe_instances", "Reservations"):
        for one in reservation["Instances"]:
            inside = {each["NetworkInterfaceId"]: _ids(each["Groups"]) for each in one["NetworkInterfaces"]}
            found[one["InstanceId"]] = {"state": one["State"]["Name"], "interfaces": inside}
    return found


def _interfaces(ec2: Any) -> dict[str, list[str]]:
    every = _pages(ec2, "describe_network_interfaces", "NetworkInterfaces")
    return {one["NetworkInterfaceId"]: _ids(one["Groups"]) for one in every}


def _groups(ec2: Any) -> dict[str, Any]:
    """Every group's rules, but not our isolation groups: they stay when a containment is taken back, and hold nothing."""
    found = {}
    for one in _pages(ec2, "describe_security_groups", "SecurityGroups"):
        if _OURS not in {tag["Key"] for tag in one.get("Tags", ())}:
            found[one["GroupId"]] = {"in": one["IpPermissions"], "out": one["IpPermissionsEgress"]}
    return found


def _keys(iam: Any) -> dict[str, dict[str, str]]:
    return {
        user["UserName"]: {
            key["AccessKeyId"]: key["Status"]
            for key in iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
        }
        for user in _pages(iam, "list_users", "Users")
    }  # fmt: skip


def _buckets(s3: Any) -> dict[str, Any]:
    found = {}
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        policy = _or_none(s3.get_bucket_policy, name, "NoSuchBucketPolicy")
        blocks = _or_none(s3.get_public_access_block, name, "NoSuchPublicAccessBlockConfiguration")
        found[name] = {
            "policy": policy and policy["Policy"],
            "blocks": blocks and blocks["PublicAccessBlockConfiguration"],
        }
    return found


def _or_none(ask: Callable[..., dict[str, Any]], bucket: str, absent: str) -> dict[str, Any] | None:
    """The answer, or None where AWS says with this code that there is none."""
    try:
        return ask(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != absent:
            raise
        return None

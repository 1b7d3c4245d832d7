"""What our role must be allowed in an account, and the smallest policy that says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.connectors.aws.isolation_group import PURPOSE, TAG
from isthmus.contracts.connector import Permission
from isthmus.model.errors import Refused

_ISOLATE, _KEY = "aws.isolate_instance", "aws.deactivate_access_key"
_BLOCK, _QUARANTINE = "aws.block_public_access", "aws.quarantine_bucket"
_BUCKETS = (_BLOCK, _QUARANTINE)
_EC2, _USERS, _BUCKET = (
    "arn:{partition}:ec2:*:{account}:",
    ("arn:{partition}:iam::{account}:user/*",),
    ("arn:{partition}:s3:::*",),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """One IAM action, narrowed to resources and by a condition where AWS lets it be."""

    permission: Permission
    resources: tuple[str, ...] = ("*",)
    condition: Mapping[str, Any] = field(default_factory=dict)


def _grant(name: str, why: str, *abilities: str, on: tuple[str, ...] = ("*",), only: Mapping[str, Any] | None = None) -> Grant:
    return Grant(Permission(name, why, abilities), on, only or {})


_OURS = {"StringEquals": {f"aws:ResourceTag/{TAG}": PURPOSE}}
_NEW = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup", f"aws:RequestTag/{TAG}": PURPOSE}}
_OWN = {"StringEquals": {"aws:ResourceAccount": "{account}"}}
_GROUPS = (_EC2 + "security-group/*",)

GRANTS = (
    _grant("ec2:DescribeInstances", "see that the instance is there and living", _ISOLATE),
    _grant("ec2:DescribeNetworkInterfaces", "record the groups of every interface, and read them back", _ISOLATE),
    _grant("ec2:DescribeSecurityGroups", "find the isolation group and see that it is empty", _ISOLATE),
    _grant(
        "ec2:CreateSecurityGroup",
        "make the isolation group of a VPC, once",
        _ISOLATE,
        on=(*_GROUPS, "arn:{partition}:ec2:*:*:vpc/*"),
    ),
    _grant("ec2:CreateTags", "tag the isolation group when it is made, and nothing else", _ISOLATE, on=_GROUPS, only=_NEW),
    _grant("ec2:RevokeSecurityGroupEgress", "empty the isolation group", _ISOLATE, on=_GROUPS, only=_OURS),
    _grant(
        "ec2:ModifyNetworkInterfaceAttribute",
        "move interfaces to the isolation group, and back",
        _ISOLATE,
        on=(_EC2 + "network-interface/*", _EC2 + "instance/*", *_GROUPS),
    ),
    _grant("iam:GetAccessKeyLastUsed", "find whose key it is", _KEY),
    _grant("iam:ListAccessKeys", "confirm whose key it is, and read its status", _KEY, on=_USERS),
    _grant("iam:UpdateAccessKey", "set the key inactive, and back", _KEY, on=_USERS),
    _grant("s3:GetBucketLocation", "find the bucket's region, and that it is ours", *_BUCKETS, on=_BUCKET, only=_OWN),
    _grant("s3:GetBucketPublicAccessBlock", "record the blocks, and read them back", *_BUCKETS, on=_BUCKET, only=_OWN),
    _grant("s3:PutBucketPublicAccessBlock", "turn the blocks on, and back", *_BUCKETS, on=_BUCKET, only=_OWN),
    _grant("s3:GetBucketPolicy", "record the policy, and read it back", _QUARANTINE, on=_BUCKET, only=_OWN),
    _grant("s3:PutBucketPolicy", "add our deny, and restore the policy", _QUARANTINE, on=_BUCKET, only=_OWN),
    _grant("s3:DeleteBucketPolicy", "restore a bucket that had no policy", _QUARANTINE, on=_BUCKET, only=_OWN),
)
PERMISSIONS = tuple(one.permission for one in GRANTS)

CANNOT = {
    "deactivate a session key (ASIA…)": "AWS gives a session's key no status; its role's sessions have to be revoked instead",
    "deactivate a key of root": "no permission of ours reaches root; its owner has to sign in",
    "cut connections that already stand": "a change of security groups leaves connections AWS tracks until they end",
    "isolate interfaces of AWS services or of pods": "interfaces run by a service, and trunks with pods on them, are not ours",
}


def policy_document(abilities: Collection[str], account: str, partition: str = "aws") -> dict[str, Any]:
    """The IAM policy our role needs for exactly these abilities in this account, ready for JSON.

    Raises `Refused` for an ability AWS does not have here. `sts:GetCallerIdentity` needs no permission.
    """
    known = {name for one in GRANTS for name in one.permission.abilities}
    unknown = sorted(set(abilities) - known)
    if unknown:
        raise Refused(f"AWS has no ability {', '.join(unknown)}")
    wanted = [one for one in GRANTS if set(one.permission.abilities) & set(abilities)]
    statements: dict[str, dict[str, Any]] = {}
    for one in wanted:
        fresh = _filled({"Effect": "Allow", "Action": [], "Resource": list(one.resources)}, account, partition)
        if one.condition:
            fresh["Condition"] = _filled(dict(one.condition), account, partition)
        statements.setdefault(repr(fresh), fresh)["Action"].append(one.permission.name)
    return {"Version": "2012-10-17", "Statement": list(statements.values())}


def _filled(value: Any, account: str, partition: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, account, partition) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, account, partition) for inner in value]
    return value.format(account=account, partition=partition)

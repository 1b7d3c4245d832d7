"""A bucket's policy as data: our deny in it, and whether two policies say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from isthmus.connectors.aws.clients import Caller
from isthmus.model.errors import Refused

SID = "IsthmusQuarantine"
_ROLE = re.compile(r"(arn:[a-z-]+):sts::(\d{12}):assumed-role/([A-Za-z0-9_+=,.@-]{1,64})/.+")
_ITSELF = re.compile(r"arn:[a-z-]+:iam::\d{12}:(?:root|user/[A-Za-z0-9_+=,.@/-]{1,576})")
_ROOT = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root")


def exempt(caller: Caller, role_arn: str | None, break_glass: Sequence[str]) -> tuple[str, ...]:
    """Who is not shut out: break-glass principals and ourselves. Raises `Refused` when we cannot be named."""
    return tuple(sorted({*break_glass, *_ourselves(caller.arn, role_arn)}))


def _ourselves(arn: str, role_arn: str | None) -> tuple[str, ...]:
    """`aws:PrincipalArn` of our own requests. A session's ARN does not tell the role's path, so both forms are named."""
    if role_arn:
        return (role_arn,)
    if _ITSELF.fullmatch(arn):
        return (arn,)
    role = _ROLE.fullmatch(arn)
    if role is None:
        raise Refused(f"{arn} cannot be exempted from a bucket's policy: the quarantine could not be taken back")
    own = f"{role[1]}:iam::{role[2]}:role/"
    return (own + role[3], own + "*/" + role[3])


def quarantined(policy: str | None, bucket: str, partition: str, exempted: Sequence[str]) -> str:
    """The policy with our deny as its last statement, in place of an older one of ours."""
    document = _parsed(policy) if policy is not None else {"Version": "2012-10-17", "Statement": []}
    others = [one for one in _statements(document) if one.get("Sid") != SID]
    return json.dumps({**document, "Statement": [*others, _deny(bucket, partition, exempted)]})


def _deny(bucket: str, partition: str, exempted: Sequence[str]) -> dict[str, Any]:
    own = f"arn:{partition}:s3:::{bucket}"
    return {
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [own, f"{own}/*"],
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": list(exempted)}},
    }


def alike(one: str | None, other: str | None) -> bool:
    """Whether two policies say the same. AWS may hand a policy back with its lists and spaces written otherwise."""
    if one is None or other is None or one == other:
        return one == other
    return bool(_plain(_parsed(one)) == _plain(_parsed(other)))


def _parsed(policy: str) -> dict[str, Any]:
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Refused("the bucket's policy is not a JSON object: it is not touched")
    return document


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    said = document.get("Statement", [])
    return [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, dict)]


def _plain(value: Any, key: str = "") -> Any:
    """One form for what AWS takes to be the same: a list of one and its member, any order, an account and its root."""
    if isinstance(value, dict):
        return {name: _plain(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        plain = sorted((_plain(inner, key) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
        return plain[0] if len(plain) == 1 else plain
    if isinstance(value, bool):
        return str(value).lower()
    root = _ROOT.fullmatch(str(value)) if key == "AWS" else None
    return root[1] if root else str(value)

"""The things an ASFF finding names, each by every name AWS has for it, so that other platforms' words for it meet ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isthmus.contracts.reading import Record, by_name, items, section, text, words
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.findings import Tie
from isthmus.model.outside import Outside

_KEY = "AwsIamAccessKey"


def arn(partition: str, service: str, region: str, account: str, tail: str) -> str:
    return f"arn:{partition or 'aws'}:{service}:{region}:{account}:{tail}"


def _s3_ids(uid: str) -> tuple[str, ...]:
    """The bucket, also where the resource is an object in it: one can contain a bucket, not an object."""
    head, _, tail = uid.rpartition(":")
    bucket = tail.partition("/")[0]
    return (f"{head}:{bucket}", bucket) if head else (f"arn:aws:s3:::{bucket}", bucket)


def _instance_ids(uid: str, record: Record, account: str, region: str) -> tuple[str, ...]:
    short = uid.rpartition("/")[2].rpartition(":")[2]
    full = arn(text(record, "Partition"), "ec2", region, account, f"instance/{short}")
    return (full, short) if short.startswith("i-") else (uid,)


def _ids(kind: AssetKind, uid: str, record: Record, account: str, region: str) -> tuple[str, ...]:
    if kind is AssetKind.ACCOUNT:
        return (uid.rpartition(":")[2],) if uid.startswith("AWS::") else (account, uid)
    if kind is AssetKind.INSTANCE:
        return _instance_ids(uid, record, account, region)
    if kind is AssetKind.BUCKET:
        return _s3_ids(uid)
    if kind is AssetKind.IMAGE:
        digest = uid.rpartition("sha256:")[2]
        return (f"sha256:{digest}", uid) if "sha256:" in uid else (uid,)
    if kind is AssetKind.CONTAINER:
        return (uid.rpartition("//")[2],)
    return (uid, uid.rpartition("/")[2]) if uid.startswith("arn:") and ":ec2:" in uid else (uid,)


def _tags(record: Record) -> tuple[tuple[str, Outside], ...]:
    return by_name((name, Outside(str(value))) for name, value in section(record, "Tags").items())


def details(record: Record) -> dict[str, Any]:
    """`Details.<Type>` of a resource, empty for the resources that have none."""
    return section(record, "Details", text(record, "Type"))


def asset_of(record: Record, account: str, region: str) -> Asset:
    """One entry of `Resources`."""
    type_name, uid = text(record, "Type"), text(record, "Id")
    if type_name == _KEY:
        return _key_orholder_of(record, account, region)
    kind = AssetKind.BUCKET if type_name == "AwsS3Object" else asset_kind(type_name)
    place = text(record, "Region") or region
    tags = _tags(record)
    tagged = next((str(value) for key, value in tags if key == "Name"), "")
    shown = tagged or text(details(record), "RepositoryName") or uid.rpartition("/")[2].rpartition(":")[2]
    return Asset(
        kind=kind,
        provider="aws",
        account=account,
        region=place,
        name=Outside(shown),
        ids=tuple(dict.fromkeys(one for one in _ids(kind, uid, record, account, place) if one)),
        tags=tags,
    )


def _key_orholder_of(record: Record, account: str, region: str) -> Asset:
    """A key; who holds it, where the finding names no key (`AWS::IAM::AccessKey:null`)."""
    uid = text(record, "Id").rpartition(":")[2]
    holder = holder_of(record, account)
    if holder and uid in ("", "null"):
        return holder
    return Asset(AssetKind.ACCESS_KEY, "aws", account, text(record, "Region") or region, ids=(uid,) if uid else ())


def holder_of(record: Record, account: str) -> Asset | None:
    """The user or role a key belongs to; its ARN is put together from the name, as the finding gives no other."""
    given = details(record)
    kind, name = text(given, "PrincipalType"), text(given, "PrincipalName") or text(given, "UserName")
    if kind == "Root":
        root = arn(text(record, "Partition"), "iam", "", account, "root")
        return Asset(AssetKind.USER, "aws", account, name=Outside("root"), ids=(root,))
    if not name or kind not in ("", "IAMUser", "AssumedRole", "Role"):
        return None
    word = "role" if kind in ("AssumedRole", "Role") else "user"
    full = arn(text(record, "Partition"), "iam", "", account, f"{word}/{name}")
    stable = text(given, "PrincipalId").partition(":")[0]
    ids = (full, stable) if stable.startswith(("AIDA", "AROA")) else (full,)
    return Asset(asset_kind(word), "aws", account, name=Outside(name), ids=ids)


def _simple(kind: AssetKind, uid: str, account: str) -> Iterator[Asset]:
    if uid:
        yield Asset(kind, "aws", account, ids=(uid,))


def own_ties(record: Record, account: str) -> Iterator[Tie]:
    """What a resource says of itself: its role, its groups, its image, who holds it."""
    given = details(record)
    for role in (text(given, "IamInstanceProfileArn"), text(given, "Role")):
        if role.startswith("arn:"):
            yield from (Tie("acts_as", one) for one in _simple(AssetKind.ROLE, role, account))
    groups = [*words(given, "VpcConfig", "SecurityGroupIds")]
    groups += [text(one, "VpcSecurityGroupId") for one in items(given, "VpcSecurityGroups")]
    for group in groups:
        yield from (Tie("guarded_by", one) for one in _simple(AssetKind.SECURITY_GROUP, group, account))
    if text(record, "Type") == "Container":
        image = text(given, "ImageName") or text(given, "ImageId")
        yield from (Tie("uses_image", one) for one in _simple(AssetKind.IMAGE, image, account))
    holder = holder_of(record, account) if text(record, "Type") == _KEY else None
    if holder:
        yield Tie("owns_key", holder)

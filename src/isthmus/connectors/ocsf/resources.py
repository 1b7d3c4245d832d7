"""The things an OCSF finding names: `resources`, or the `device` or `databucket` of the classes that have those instead.

AWS writes short ids (`i-0ab`, a bucket's name) and sometimes the ARN beside them; Prowler writes ARNs. Both get the other
name too, so that the same thing told by GuardDuty or Security Hub meets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isthmus.contracts.reading import Record, by_name, items, section, text, value_at, words
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.findings import Tie
from isthmus.model.outside import Outside


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding was made, as its `cloud` says. Kubernetes findings have none."""

    provider: str
    account: str
    region: str

    def arn(self, service: str, tail: str) -> str:
        return f"arn:aws:{service}:{self.region if service == 'ec2' else ''}:{self.account}:{tail}"


def place_of(record: Record) -> Place:
    """`cloud`; its account was a plain `account_uid` before OCSF 1.0 was final, and Security Lake still has such records."""
    cloud = section(record, "cloud")
    account = text(cloud, "account", "uid") or text(cloud, "account_uid") or text(cloud, "project_uid")
    return Place(text(cloud, "provider").lower(), account, text(cloud, "region"))


def identity(uid: str, place: Place, resource: str, *more: str) -> str:
    """The uid with account, region, resource and what else makes the problem what it is: some are given twice, and whoever
    sends findings chooses their uid. Kubernetes findings have an account in one report of Prowler's and none in the other:
    there it stays out.
    """
    where = ("", "") if place.provider in ("", "kubernetes") else (place.account, place.region)
    return "|".join((uid, *where, resource, *more))


def ids_of(kind: AssetKind, uid: str, place: Place) -> tuple[str, ...]:
    """An id with the other names the cloud has for the same thing, strongest first."""
    if uid.startswith("arn:"):
        service, tail = [*uid.split(":", 3), "", ""][2], uid.rpartition(":")[2]
        if service == "s3" and tail:
            bucket = tail.partition("/")[0]
            return (uid.removesuffix(tail) + bucket, bucket)
        return (uid, tail.rpartition("/")[2]) if service == "ec2" else (uid,)
    if kind is AssetKind.INSTANCE and uid.startswith("i-") and place.account:
        return (place.arn("ec2", f"instance/{uid}"), uid)
    if kind is AssetKind.ACCOUNT and uid.startswith("AWS::"):
        return (uid.rpartition(":")[2],)
    return (uid,)


def _tags(record: Record) -> tuple[tuple[str, Outside], ...]:
    """`tags` as {name, value}, and the older `labels` as `name:value`."""
    tags = value_at(record, "tags")
    rows = [(text(tag, "name"), text(tag, "value")) for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    rows += [(label.partition(":")[0], label.partition(":")[2]) for label in words(record, "labels")]
    return by_name((name, Outside(value)) for name, value in rows)


def _is_object(native: str) -> bool:
    return native in ("AWS::S3::Object", "AwsS3Object")


def _kind(native: str, uid: str) -> AssetKind:
    """By the type; an object in a bucket is its bucket. Prowler has the type `Other` for checks of a whole account, whose
    id then is the account's root ARN.
    """
    kind = AssetKind.BUCKET if _is_object(native) else asset_kind(native)
    return AssetKind.ACCOUNT if kind is AssetKind.OTHER and uid.startswith("arn:") and uid.endswith(":root") else kind


def asset_of(record: Record, place: Place) -> Asset | None:
    """One entry of `resources`, by its ARN where it has one: its short name may be another thing's in another region.

    Nothing when it has neither an id nor a name, or is an object of a bucket that is not named.
    """
    uid, other = text(record, "uid"), text(record, "uid_alt")
    native = text(record, "type")
    if _is_object(native):
        uid = uid if uid.startswith("arn:") else ""
        if not (uid or other):
            return None
    kind = _kind(native, uid)
    where = Place(
        place.provider or ("kubernetes" if text(record, "namespace") else ""),
        text(record, "owner", "account", "uid") or place.account,
        text(record, "region") or place.region,
    )
    if kind is AssetKind.ACCOUNT and uid.endswith(":root"):
        uid = where.account
    own = other if other.startswith("arn:") else uid or other
    given = ids_of(kind, own, where) if own else ()
    name = text(record, "name")
    if not (given or name):
        return None
    return Asset(
        kind=kind,
        provider=where.provider,
        account=where.account,
        region=where.region,
        name=Outside(name or uid),
        ids=tuple(dict.fromkeys(given)),
        tags=_tags(record),
    )


def _device(record: Record, place: Place) -> Asset | None:
    """A machine, by its ids. Its host name and addresses are handed on and identify nothing."""
    device = section(record, "device")
    if not device:
        return None
    own = text(device, "instance_uid") or text(device, "uid")
    if not own:
        return None
    name = text(device, "name") or text(device, "hostname")
    ids = ids_of(AssetKind.INSTANCE, own, place)
    region = text(device, "region") or place.region
    return Asset(AssetKind.INSTANCE, place.provider, place.account, region, Outside(name), ids)


def bucket_of(record: Record, place: Place) -> Asset | None:
    """`databucket` of a data security finding, which is about the bucket even where `resources` names an object in it."""
    bucket = section(record, "databucket")
    if not bucket:
        return None
    uid = text(bucket, "uid") or text(bucket, "name")
    if not uid:
        return None
    name, ids = Outside(text(bucket, "name")), ids_of(AssetKind.BUCKET, uid, place)
    return Asset(AssetKind.BUCKET, place.provider, place.account, text(bucket, "region") or place.region, name, ids)


def _holder(data: Record, user: str, place: Place) -> Asset | None:
    """Who holds an access key, from the key's data; the ARN is put together from the name, as there is no other."""
    kind, name = text(data, "user_type"), text(data, "user_name") or user
    if kind == "Root":
        return Asset(AssetKind.USER, "aws", place.account, name=Outside("root"), ids=(place.arn("iam", "root"),))
    if not name or kind not in ("", "IAMUser", "AssumedRole", "Role"):
        return None
    word = "role" if kind in ("AssumedRole", "Role") else "user"
    stable = text(data, "principal_id").partition(":")[0]
    ids = (place.arn("iam", f"{word}/{name}"), stable) if stable.startswith(("AIDA", "AROA")) else ()
    return Asset(asset_kind(word), "aws", place.account, name=Outside(name), ids=ids or (place.arn("iam", f"{word}/{name}"),))


def own_ties(record: Record, asset: Asset) -> Iterator[Tie]:
    """What a resource says of itself: its role, and who holds it."""
    data = value_at(record, "data")
    if not isinstance(data, dict):
        return
    place = Place(asset.provider, asset.account, asset.region)
    roles = (("awsEc2InstanceDetails", "iamInstanceProfileArn"), ("awsLambdaFunctionDetails", "executionRoleArn"))
    for part, key in roles:
        details = data.get(part)
        role = details.get(key) if isinstance(details, dict) else None
        if isinstance(role, str) and role:
            yield Tie("acts_as", Asset(AssetKind.ROLE, asset.provider, asset.account, ids=(role,)))
    if asset.kind is AssetKind.ACCESS_KEY:
        holder = _holder(data, text(record, "user", "name"), place)
        if holder:
            yield Tie("owns_key", holder)


def _actors(record: Record, place: Place) -> Iterator[Tie]:
    """Who did it, where the evidence names a principal by its ARN or the key it used."""
    for evidence in [record, *items(record, "evidences")]:
        if "actor" not in evidence:
            continue
        user = section(evidence, "actor", "user")
        for uid in (text(user, "uid_alt"), text(user, "uid")):
            if uid.startswith("arn:"):
                kind = AssetKind.ROLE if ":role/" in uid or ":assumed-role/" in uid else AssetKind.USER
                yield Tie("actor", Asset(kind, place.provider, place.account, name=Outside(text(user, "name")), ids=(uid,)))
        key = text(user, "credential_uid")
        if key:
            yield Tie("actor", Asset(AssetKind.ACCESS_KEY, place.provider, place.account, ids=(key,)))


def assets_of(record: Record, place: Place) -> tuple[Asset, list[Tie]]:
    """What the finding is about, and its ties; the account where it names nothing smaller."""
    rows = items(record, "resources")
    found = [(row, asset) for row in rows if (asset := asset_of(row, place))]
    main = bucket_of(record, place) or (found[0][1] if found else None) or _device(record, place)
    if main is None:
        ids = (place.account,) if place.account else ()
        return Asset(AssetKind.ACCOUNT, place.provider, place.account, place.region, ids=ids), []
    ties = [tie for row, asset in found if asset is main for tie in own_ties(row, asset)]
    ties += _actors(record, place)
    ties += [Tie("touches", asset) for _, asset in found if asset.ids]
    return main, [tie for tie in ties if not set(tie.asset.ids) & set(main.ids)]

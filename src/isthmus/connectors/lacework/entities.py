"""What a Lacework alert is about: the entity map, read into an asset, its ties and what was seen.

The alert API writes `entityMap` as `{"Machine": [{"KEY": {...}, "PROPS": {...}}]}`, the event channels write `ENTITY_MAP` as
`{"Machine": [{"INSTANCE_ID": ...}]}`. Field names differ only by case, so both become rows of lower-case fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from isthmus.contracts.reading import Record, first_text, items, section, text, words
from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.findings import Indicator, Kind, Tie
from isthmus.model.outside import Outside

Rows = dict[str, list[dict[str, Any]]]

_CLOUDS = {
    "aws": "aws",
    "azure": "azure",
    "gcp": "gcp",
    "gce": "gcp",
    "google": "gcp",
    "kubernetes": "kubernetes",
    "k8s": "kubernetes",
}
_USERS = {"assumedrole": AssetKind.ROLE, "role": AssetKind.ROLE, "awsservice": AssetKind.SERVICE_ACCOUNT}
_WORKLOADS = frozenset({AssetKind.CONTAINER, AssetKind.POD})
_NOWHERE = Asset(AssetKind.OTHER)
# Names under which CloudTrail puts the thing a call was about; Lacework copies them as they are.
_NAMED = {
    "accesskeyid": AssetKind.ACCESS_KEY,
    "bucketname": AssetKind.BUCKET,
    "dbinstanceidentifier": AssetKind.DATABASE,
    "functionname": AssetKind.FUNCTION,
    "groupid": AssetKind.SECURITY_GROUP,
    "instanceid": AssetKind.INSTANCE,
    "rolename": AssetKind.ROLE,
    "username": AssetKind.USER,
}
_SEEN = (
    ("sourceipaddress", "ip", ("ip_address",)),
    ("ipaddress", "ip", ("ip_address",)),
    ("dnsname", "domain", ("hostname",)),
    ("process", "process", ("cmdline",)),
    ("filedatahash", "hash", ("filedata_hash",)),
    ("fileexepath", "hash", ("last_filedata_hash", "last_filedatahash")),
    ("api", "api", ("api",)),
)


def cloud(name: str) -> str:
    """aws, azure, gcp or kubernetes behind Lacework's word for a source; empty for `Agent` and the like."""
    return _CLOUDS.get(name.lower(), "")


def rows_of(record: Record, *path: str) -> Rows:
    """An entity map by entity name (lower case, no underscores), each row with lower-case fields, keys over properties."""
    given = section(record, *path)
    return {name.lower().replace("_", ""): [_flat(row) for row in items(given, name)] for name in given}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    if "KEY" not in row and "PROPS" not in row:
        return {name.lower(): value for name, value in row.items()}
    both = (section(row, "PROPS"), section(row, "KEY"))
    return {name.lower(): value for fields in both for name, value in fields.items()}


def region_of(zone: str) -> str:
    """The region of an AWS, Azure or GCP zone: `us-east-2c`, `us-east-2-lax-1a` and `us-central1-a` lose their end."""
    head, _, last = zone.rpartition("-")
    if len(last) == 1 and last.isalpha():
        return head
    parts = zone.split("-")
    for count, part in enumerate(parts, 1):
        digits = part.rstrip("abcdefghijklmnopqrstuvwxyz")
        if digits.isdigit():
            return "-".join([*parts[: count - 1], digits])
    return zone


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def machine_asset(tags: Record, mid: str, hostname: str) -> Asset:
    """A machine by the tags Lacework keeps of it. Account, zone and instance id together are the instance's ARN.

    Lacework's own machine number is unique in one Lacework account only, so it stands in where there is no instance id.
    """
    instance = first_text(tags, "InstanceId", "instance_id")
    provider = cloud(text(tags, "VmProvider")) or ("aws" if instance.startswith("i-") else "")
    account, region = first_text(tags, "Account", "ProjectId", "SubscriptionId"), region_of(text(tags, "Zone"))
    arn, own = "", f"lacework:mid/{mid}" if mid and not instance else ""
    if provider == "aws" and account and region and instance.startswith("i-"):
        arn = f"arn:{_partition(region)}:ec2:{region}:{account}:instance/{instance}"
    return Asset(
        kind=AssetKind.INSTANCE,
        provider=provider,
        account=account,
        region=region,
        name=Outside(first_text(tags, "Name", "InstanceName", "Hostname") or hostname),
        ids=tuple(one for one in (arn, instance, own) if one),
    )


def _machine(row: dict[str, Any]) -> Asset:
    tags = section(row, "tags") or {"InstanceId": text(row, "instance_id"), "Name": text(row, "instance_name")}
    return machine_asset(tags, text(row, "mid"), text(row, "hostname"))


def native_type(resource: str) -> str:
    """The type a cloud's own name of a thing contains: `AwsEc2Instance` of an ARN, `Microsoft.Compute/virtualMachines`."""
    if resource.startswith("arn:"):
        _, _, service, _, _, path = (resource.split(":", 5) + [""] * 5)[:6]
        head = path.replace(":", "/", 1)
        return f"aws{service}{head.partition('/')[0] if '/' in head and service != 's3' else ''}"
    _, found, path = resource.partition("/providers/")
    return "/".join(path.split("/")[:2]) if found else ""


def resource_asset(resource: str, provider: str, account: str) -> Asset:
    """The thing behind a resource id in an alert: an ARN says its own account and region, an Azure id its subscription."""
    region = ""
    if resource.startswith("arn:"):
        parts = resource.split(":", 5) + [""] * 5
        provider, region, account = "aws", parts[3], parts[4] or account
    elif resource.startswith("/subscriptions/"):
        provider, account = "azure", resource.split("/")[2]
    name = resource.replace(":", "/").rsplit("/", 1)[-1]
    return Asset(asset_kind(native_type(resource)), provider, account, region, Outside(name), (resource,))


def _user(row: dict[str, Any]) -> Asset:
    """A CloudTrail user, written `AssumedRole/210987654321:name`; its principal id is `AROA...:session` or `AIDA...`."""
    sort, _, rest = text(row, "username").partition("/")
    name = rest.partition(":")[2] or rest or sort
    principal = first_text(row, "principalid", "principal_id").partition(":")[0]
    return Asset(
        kind=_USERS.get(sort.lower(), AssetKind.USER),
        provider="aws",
        account=first_text(row, "account", "account_id"),
        region=next(iter(words(row, "region_list")), ""),
        name=Outside(name),
        ids=tuple(one for one in (name, principal) if one),
    )


def _identities(rows: Rows) -> Iterator[Asset]:
    """Who acted: CloudTrail users, Azure and GCP principals."""
    yield from (_user(row) for row in rows.get("ctuser", ()))
    for row in rows.get("azureidentity", ()):
        who = text(row, "principal_id")
        subscription = next(iter(items(row, "subscription_list")), {})
        yield Asset(
            AssetKind.USER, "azure", text(subscription, "subscription_id"), name=Outside(who), ids=(who,) if who else ()
        )
    project = first_text(next(iter(rows.get("project", ())), {}), "project_id")
    for row in rows.get("gcpidentity", ()):
        who = text(row, "principal_email")
        kind = AssetKind.SERVICE_ACCOUNT if who.endswith(".gserviceaccount.com") else AssetKind.USER
        yield Asset(kind, "gcp", project, name=Outside(who), ids=(who,) if who else ())


def violations(rows: Rows) -> tuple[str, ...]:
    """The resources that break a rule, each once, in order."""
    return tuple(dict.fromkeys(one for row in rows.get("newviolation", ()) if (one := text(row, "resource"))))


def account_of(rows: Rows) -> tuple[str, str]:
    """Provider and account of a compliance alert, as its recommendation says them."""
    for name, provider in (("recid", ""), ("recidazure", "azure"), ("recidgcp", "gcp")):
        for row in rows.get(name, ()):
            account = text(row, "account_id")
            return provider or cloud(text(row, "rec_id").partition("_")[0]) or ("aws" if account.isdigit() else ""), account
    return "", ""


def _touched(rows: Rows, account: str) -> Iterator[Asset]:
    """Things named in the parameters of the calls."""
    for row in rows.get("resource", ()):
        name, value = text(row, "name").lower(), text(row, "value")
        if value.startswith("arn:"):
            yield resource_asset(value, "aws", account)
        elif name in _NAMED and value:
            yield Asset(_NAMED[name], "aws", account, name=Outside(value), ids=(value,))


def _images(rows: Rows) -> Iterator[Asset]:
    for row in rows.get("imageid", ()):
        image = text(row, "image_id")
        yield Asset(AssetKind.IMAGE, name=Outside(text(row, "image_repo") or image), ids=(image,) if image else ())


def _workloads(rows: Rows, home: Asset) -> Iterator[Asset]:
    """Containers by id and Kubernetes pods by cluster, namespace and name, on the machine the alert names."""
    place = (home.provider, home.account, home.region)
    for row in rows.get("container", ()):
        own = text(row, "container_id")
        if own:
            yield Asset(AssetKind.CONTAINER, *place, Outside(first_text(row, "container_name", "image_repo")), (own,))
    for row in rows.get("k8pod", ()):
        path = (text(row, "cluster_id"), text(row, "pod_namespace"), text(row, "pod_name"))
        if all(path):
            yield Asset(AssetKind.POD, *place, Outside(path[2]), (f"k8s:{'/'.join(path)}",))


def _placed(asset: Asset, rows: Rows, provider: str) -> Asset:
    region = first_text(next(iter(rows.get("region", ())), {}), "region")
    return replace(asset, provider=asset.provider or provider, region=asset.region or region)


def assets_of(rows: Rows, provider: str) -> tuple[list[Asset], list[Asset]]:
    """What the alert stands on, the main thing first, and who acted. Who acted is the main thing if there is no other."""
    who = list(_identities(rows))
    account = who[0].account if who else account_of(rows)[1]
    machines = [_machine(row) for row in rows.get("machine", ())]
    things = [*_workloads(rows, next(iter(machines), _NOWHERE)), *machines]
    things += [resource_asset(one, *account_of(rows)) for one in violations(rows)]
    things += _touched(rows, account)
    things += _images(rows)
    stands_on = [_placed(one, rows, provider) for one in things]
    return (stands_on, who) if stands_on else ([_placed(one, rows, provider) for one in who[:1]], [])


def _how(main: Asset, other: Asset) -> str:
    if main.kind in _WORKLOADS and other.kind is AssetKind.INSTANCE:
        return "runs_on"
    runs = main.kind in _WORKLOADS or main.kind is AssetKind.INSTANCE
    return "uses_image" if runs and other.kind is AssetKind.IMAGE else "touches"


def ties_of(things: list[Asset], who: list[Asset], kind: Kind) -> tuple[Tie, ...]:
    """The others an alert names: what was touched besides, and (for a threat) who did it. Unnamed ones are left out."""
    ties = [Tie(_how(things[0], one), one) for one in things[1:] if one.ids]
    if kind is Kind.THREAT:
        ties += [Tie("actor", one) for one in who if one.ids]
    return tuple(ties)


def seen_in(rows: Rows) -> tuple[Indicator, ...]:
    """Addresses, domains, command lines, hashes and API calls the alert names."""
    found = {
        Indicator(kind, value)
        for name, kind, fields in _SEEN
        for row in rows.get(name, ())
        if (value := first_text(row, *fields))
    }
    return tuple(sorted(found, key=lambda one: (one.kind, one.value)))

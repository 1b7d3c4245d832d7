"""One thing, many names: what platforms call an asset, brought to names that can be compared.

Names that belong to one thing for ever (ARN, instance id, bucket name, image digest) are identity. Names that are
handed on (host names, addresses) are evidence and never come here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from isthmus.graph.union import Union
from isthmus.model.assets import Asset, AssetKind

_AWS_OBJECT = re.compile(r"^(?:i|sg|vpc|vol|ami|subnet|eni|snap|rtb|igw|nat|acl)-(?:[0-9a-f]{8}|[0-9a-f]{17})$")
_AWS_OBJECT_AT_END = re.compile(r"[:/]((?:i|sg|vpc|vol|ami|subnet|eni|snap)-[0-9a-f]{8,17})$")
_ACCESS_KEY = re.compile(r"^(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}$")
_IMAGE_DIGEST = re.compile(r"sha256:([0-9a-f]{12,64})")
_CONTAINER = re.compile(r"^(?:docker|containerd|cri-o)?(?:://)?([0-9a-f]{64})$")
_SHORT_CONTAINER = re.compile(r"^([0-9a-f]{12})$")
_VENDOR = re.compile(r"^(?:wiz|prisma|orca|lacework|securityhub|guardduty|ocsf|defender|scc|falco):.")
_NAMED_ONCE = {
    AssetKind.ROLE,
    AssetKind.USER,
    AssetKind.FUNCTION,
    AssetKind.DATABASE,
    AssetKind.CLUSTER,
    AssetKind.SERVICE_ACCOUNT,
    AssetKind.REPOSITORY,
    AssetKind.ACCOUNT,
}
_NOBODY = {
    *("", "n/a", "n.a.", "na", "<na>", "none", "null", "unknown", "(unknown)", "*", "-", "0", "undefined", "other", "test"),
    "00000000-0000-0000-0000-000000000000",
}
_GCP_SERVICES = ("spanner", "sqladmin", "bigtable", "redis", "file.", "bigquery", "pubsub", "iam", "run.", "cloudfunctions")
"""Services whose paths look alike; the others' paths tell them apart."""
_PREFERENCE = ("arn:", "aws:", "azure:", "gcp:", "k8s:", "container:", "image:", "name:")


def names_of(asset: Asset) -> tuple[str, ...]:
    """Every comparable name of an asset, sorted. Without an id, what is shown of it stands in; empty when nothing is."""
    found = {name for given in asset.ids for name in _names(given, asset.provider, asset.account, asset.kind)}
    shown = str(asset.name).lower()
    if not found and asset.account and shown not in _NOBODY:
        found.add(f"shown:{asset.provider}/{asset.account}/{asset.region}/{asset.kind}/{shown}")
    return tuple(sorted(found))


@lru_cache(maxsize=65_536)
def _names(given: str, provider: str, account: str, kind: AssetKind) -> tuple[str, ...]:
    """Names behind one id as a platform wrote it. Cached: the same assets come again and again."""
    raw = given.strip()
    if raw.lower() in _NOBODY:
        return ()
    if raw.startswith("arn:"):
        return tuple(_of_arn(raw))
    if raw.lower().startswith("/subscriptions/"):
        return (f"azure:{raw.lower().rstrip('/')}",)
    if raw.startswith(("k8s:", "name:")):
        return (raw.lower(),)
    if _VENDOR.match(raw):
        return (raw,)
    return tuple(_of_gcp(raw)) or tuple(_of_bare(raw, provider, account, kind))


def _of_arn(arn: str) -> Iterator[str]:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return
    _, partition, service, region, account, resource = parts
    kind, _, name = resource.replace(":", "/", 1).partition("/")
    if service == "s3" and not region and not account:
        yield f"{partition}:s3/{resource.split('/', 1)[0]}"
    elif service in {"iam", "sts"}:
        yield from _of_iam(partition, account, kind, name)
    elif service == "lambda" and kind == "function":
        yield f"arn:lambda:{region}:{account}:{name.split(':')[0]}"
    else:
        yield arn
    # Only where the service means it: a session of a role, or a key in a bucket, may carry anybody's instance id.
    if service == "ec2" and (tail := _AWS_OBJECT_AT_END.search(arn)):
        yield f"aws:{tail[1]}"
    if service == "ecr" and (digest := _IMAGE_DIGEST.search(resource)):
        yield f"image:{digest[1]}"


def _of_iam(partition: str, account: str, kind: str, name: str) -> Iterator[str]:
    """IAM names are unique in an account whatever their path; an assumed role is its role. Root is no account."""
    if kind == "assumed-role":
        yield f"{partition}:iam/{account}/role/{name.split('/')[0]}"
    else:
        yield f"{partition}:iam/{account}/{kind}/{name.rsplit('/', 1)[-1]}".rstrip("/")


def _of_gcp(raw: str) -> Iterator[str]:
    for head in ("gs://", "//storage.googleapis.com/", "https://storage.googleapis.com/"):
        if raw.startswith(head):
            bucket = raw.removeprefix(head).removeprefix("projects/_/buckets/")
            yield f"gcp:storage/{bucket.split('/')[0]}"
            return
    if raw.startswith(("projects/", "//")) or "googleapis.com/" in raw:
        before, found, path = raw.partition("projects/")
        service = next((one for one in _GCP_SERVICES if one in before), "")
        if found:
            yield f"gcp:{service and service + '/'}{path.lower().rstrip('/')}"
        elif raw.startswith("//"):
            yield f"gcp:{raw.lower()}"


def _of_bare(raw: str, provider: str, account: str, kind: AssetKind) -> Iterator[str]:
    """A name without a scheme: identity only where its form or its kind makes it so."""
    digest = _IMAGE_DIGEST.search(raw)
    container = _CONTAINER.match(raw)
    if digest:
        yield f"image:{digest[1]}"
    elif container or (kind is AssetKind.CONTAINER and (container := _SHORT_CONTAINER.match(raw))):
        yield f"container:{container[1][:12]}"
    elif _AWS_OBJECT.match(raw):
        yield f"aws:{raw}"
    elif _ACCESS_KEY.match(raw):
        yield f"aws:key/{raw}"
    elif named := _by_kind(raw, provider, account, kind):
        yield named


def _by_kind(raw: str, provider: str, account: str, kind: AssetKind) -> str:
    if kind is AssetKind.BUCKET and provider in {"aws", "gcp"}:
        return f"{'aws:s3' if provider == 'aws' else 'gcp:storage'}/{raw}"
    if kind is AssetKind.ACCOUNT and raw == account:
        return f"{provider or 'cloud'}:account/{raw}"
    if kind in {AssetKind.ROLE, AssetKind.USER} and provider == "aws" and account:
        return f"aws:iam/{account}/{kind}/{raw}"
    if not account:
        return ""
    return f"name:{provider}/{account}/{kind}/{raw.lower() if kind in _NAMED_ONCE else raw}"


def preference(name: str) -> tuple[int, str]:
    """Names that mean the most to a person first; the same order everywhere."""
    for rank, head in enumerate(_PREFERENCE):
        if name.startswith(head):
            return rank, name
    return len(_PREFERENCE), name


def settle(groups: Iterable[tuple[str, ...]]) -> Mapping[str, str]:
    """From groups of names that were seen on one asset, the one id of each name.

    The result depends on the set of groups only, not on their order.
    """
    union = Union()
    for names in groups:
        union.join(names)
    return {name: chosen for members in union.groups() for chosen in [min(members, key=preference)] for name in members}

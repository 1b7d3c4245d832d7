"""What Microsoft Defender for Cloud calls the things it protects, in Azure and, through connectors, in AWS and GCP."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from isthmus.model.assets import Asset, AssetKind, asset_kind
from isthmus.model.outside import Outside


def provider_of(own: str) -> str:
    """Whose id it is, by its form."""
    if own[:15].lower() == "/subscriptions/":
        return "azure"
    if own.startswith("arn:"):
        return "aws"
    return "gcp" if own.startswith(("//", "projects/", "https://www.googleapis.com/")) else ""


def segment(own: str, name: str) -> str:
    """What follows `/name/` in an id, whatever its case."""
    at = own.lower().find(f"/{name}/")
    return own[at + len(name) + 2 :].partition("/")[0] if at >= 0 else ""


def account_of(own: str) -> str:
    if own.startswith("arn:"):
        return own.split(":")[4] if own.count(":") > 4 else ""
    return segment(own, "subscriptions").lower() or segment(f"/{own}", "projects")


def region_of(own: str) -> str:
    return own.split(":")[3] if own.startswith("arn:") and own.count(":") > 4 else ""


def is_resource(own: str) -> bool:
    """Whether an id names a resource, not only the subscription or group it is in."""
    return bool(own) and (provider_of(own) != "azure" or "/providers/" in own.lower())


def kind_words(own: str) -> Iterator[str]:
    """Type words in an id: `Microsoft.Sql/servers/databases`, then `Microsoft.Sql/servers`; `ec2instance`, then `instance`."""
    if own.startswith("arn:"):
        yield from _arn_words(own)
    elif is_resource(own):
        space, *rest = own[own.lower().rindex("/providers/") + 11 :].split("/") if "/providers/" in own.lower() else [""]
        yield space + "".join(rest[::2])
        yield space + "".join(rest[:1])
    elif own and own.count("/") == 2:
        yield "subscription"


def _arn_words(arn: str) -> Iterator[str]:
    parts = arn.split(":", 5)
    if len(parts) == 6:
        head = parts[5].replace(":", "/").partition("/")[0]
        yield parts[2] if parts[2] == "s3" else f"{parts[2]}{head}"
        yield head


@lru_cache(maxsize=4_096)
def _kind(*words: str) -> AssetKind:
    """Cached: there are few types, and each comes again and again."""
    return asset_kind(*words)


def resource(*ids: str, words: tuple[str, ...] = (), name: str = "", account: str = "", provider: str = "") -> Asset:
    """An asset by its ids, the strongest first; what its kind, account and region are, the ids say themselves."""
    known = tuple(dict.fromkeys(one for one in ids if one))
    first = known[0] if known else ""
    return Asset(
        kind=_kind(*words, *kind_words(first)),
        provider=provider_of(first) or provider,
        account=account_of(first) or account,
        region=region_of(first),
        name=Outside(name or first.rpartition("/")[2]),
        ids=known,
    )

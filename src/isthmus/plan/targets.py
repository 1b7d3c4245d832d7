"""Names that may stand in a command, a template or an action: only what fits the provider's own grammar.

An alert can carry any text where a bucket name should be. What does not match is never put into a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from isthmus.model.assets import Asset, AssetKind


def _ascii(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


_POD = _ascii(r"^k8s:([a-z0-9][a-z0-9_.:-]*/[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*)$")
_GRAMMAR: dict[tuple[str, AssetKind], tuple[re.Pattern[str], ...]] = {
    ("aws", AssetKind.INSTANCE): (_ascii(r"^aws:(i-[0-9a-f]{8,17})$"),),
    ("aws", AssetKind.BUCKET): (_ascii(r"^aws:s3/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$"),),
    ("aws", AssetKind.ACCESS_KEY): (_ascii(r"^aws:key/((?:AKIA|ASIA)[A-Z0-9]{12,30})$"),),
    ("aws", AssetKind.ROLE): (_ascii(r"^aws:iam/\d{12}/role/(\w[\w+=,.@-]{0,63})$"),),
    ("aws", AssetKind.USER): (_ascii(r"^aws:iam/\d{12}/user/(\w[\w+=,.@-]{0,63})$"),),
    ("aws", AssetKind.SECURITY_GROUP): (_ascii(r"^aws:(sg-[0-9a-f]{8,17})$"),),
    ("aws", AssetKind.FUNCTION): (_ascii(r"^arn:lambda:[a-z0-9-]+:\d{12}:(\w[\w-]{0,139})$"),),
    ("azure", AssetKind.INSTANCE): (_ascii(r"^azure:(/subscriptions/[\w./-]+/virtualmachines/[\w.-]+)$"),),
    ("azure", AssetKind.BUCKET): (_ascii(r"^azure:(/subscriptions/[\w./-]+/storageaccounts/[a-z0-9]{3,24})$"),),
    ("azure", AssetKind.SECURITY_GROUP): (_ascii(r"^azure:(/subscriptions/[\w./-]+/networksecuritygroups/[\w.-]+)$"),),
    ("gcp", AssetKind.INSTANCE): (_ascii(r"^gcp:([a-z][a-z0-9:.-]+/zones/[a-z0-9-]+/instances/[a-z][a-z0-9-]*)$"),),
    ("gcp", AssetKind.BUCKET): (_ascii(r"^gcp:storage/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])$"),),
    ("gcp", AssetKind.SECURITY_GROUP): (_ascii(r"^gcp:([a-z][a-z0-9:.-]+/global/firewalls/[a-z][a-z0-9-]*)$"),),
    ("gcp", AssetKind.SERVICE_ACCOUNT): (_ascii(r"^gcp:(?:iam/)?([a-z][a-z0-9:.-]+/serviceaccounts/[a-z0-9][a-z0-9.@-]*)$"),),
    ("", AssetKind.POD): (_POD,),
    ("", AssetKind.CONTAINER): (_ascii(r"^container:([0-9a-f]{12})$"),),
    ("", AssetKind.IMAGE): (_ascii(r"^image:([0-9a-f]{12,64})$"),),
}  # fmt: skip


def cloud_of(names: Iterable[str], given: str) -> str:
    """`aws`, `azure` or `gcp`, read from the asset's own names first."""
    for name in names:
        if name.startswith(("aws:", "arn:")):
            return "aws"
        if name.startswith("azure:"):
            return "azure"
        if name.startswith("gcp:"):
            return "gcp"
    return given if given in {"aws", "azure", "gcp"} else ""


def target_of(asset: Asset) -> str:
    """The one name of this asset an action or a command may use; empty when none fits its provider's grammar."""
    names = (asset.id, *asset.aliases)
    for cloud in (cloud_of(names, asset.provider), ""):
        for pattern in _GRAMMAR.get((cloud, asset.kind), ()):
            for name in names:
                found = pattern.fullmatch(name)
                if found:
                    return found[1]
    return ""

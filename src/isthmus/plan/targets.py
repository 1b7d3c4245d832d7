"""Names that may stand in a command, a template or an action: only what fits the provider's own grammar.

An alert can carry any text where a bucket name should be. What does not match is never put into a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from isthmus.model.assets import Asset, AssetKind

_GRAMMAR: dict[tuple[str, AssetKind], tuple[re.Pattern[str], ...]] = {
    ("aws", AssetKind.INSTANCE): (re.compile(r"^aws:(i-[0-9a-f]{8,17})$"),),
    ("aws", AssetKind.BUCKET): (re.compile(r"^aws:s3/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$"),),
    ("aws", AssetKind.ACCESS_KEY): (re.compile(r"^aws:key/((?:AKIA|ASIA)[A-Z0-9]{12,30})$"),),
    ("aws", AssetKind.ROLE): (re.compile(r"^aws:iam/\d{12}/role/([\w+=,.@-]{1,64})$"),),
    ("aws", AssetKind.USER): (re.compile(r"^aws:iam/\d{12}/user/([\w+=,.@-]{1,64})$"),),
    ("aws", AssetKind.SECURITY_GROUP): (re.compile(r"^aws:(sg-[0-9a-f]{8,17})$"),),
    ("aws", AssetKind.FUNCTION): (re.compile(r"^arn:lambda:[a-z0-9-]+:\d{12}:([\w-]{1,140})$"),),
    ("azure", AssetKind.INSTANCE): (re.compile(r"^azure:(/subscriptions/[\w./()-]+/virtualmachines/[\w.-]+)$"),),
    ("azure", AssetKind.BUCKET): (re.compile(r"^azure:(/subscriptions/[\w./()-]+/storageaccounts/[a-z0-9]{3,24})$"),),
    ("azure", AssetKind.SECURITY_GROUP): (re.compile(r"^azure:(/subscriptions/[\w./()-]+/networksecuritygroups/[\w.-]+)$"),),
    ("gcp", AssetKind.INSTANCE): (re.compile(r"^gcp:([a-z0-9:.-]+/zones/[a-z0-9-]+/instances/[a-z0-9-]+)$"),),
    ("gcp", AssetKind.BUCKET): (re.compile(r"^gcp:storage/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])$"),),
    ("gcp", AssetKind.SECURITY_GROUP): (re.compile(r"^gcp:([a-z0-9:.-]+/global/firewalls/[a-z0-9-]+)$"),),
    ("gcp", AssetKind.SERVICE_ACCOUNT): (re.compile(r"^gcp:([a-z0-9:.-]+/serviceaccounts/[a-z0-9.@-]+)$"),),
    ("", AssetKind.POD): (re.compile(r"^k8s:([a-z0-9_.:-]+/[a-z0-9-]+/[a-z0-9.-]+)$"),),
    ("", AssetKind.CONTAINER): (re.compile(r"^container:([0-9a-f]{12})$"), re.compile(r"^k8s:([a-z0-9_.:-]+/[a-z0-9-]+/[a-z0-9.-]+)$")),
    ("", AssetKind.IMAGE): (re.compile(r"^image:([0-9a-f]{12,64})$"),),
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
                found = pattern.match(name)
                if found:
                    return found[1]
    return ""

"""aws.block_public_access: all four of a bucket's public-access blocks on, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.errors import Denied
from isthmus.connectors.aws.sight import Ability, State
from isthmus.model.assets import AssetKind
from isthmus.model.plans import Target

_NAMES = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
Blocks = dict[str, bool] | None
"""The four switches, or None where the bucket has no such setting at all."""

ALL: Blocks = dict.fromkeys(_NAMES, True)
BLOCK_CALL = "s3:PutPublicAccessBlock Bucket={} (all four on)"


@dataclass(frozen=True, slots=True)
class PublicAccess:
    """A bucket's public-access block."""

    aws: Aws
    target: Target
    blocks: Blocks

    @property
    def state(self) -> State:
        return {"public_access_block": self.blocks}

    def stands(self) -> bool:
        return self.blocks == ALL

    def same(self, before: State) -> bool:
        return self.state == before

    def ours(self, before: State) -> bool:
        return self.blocks in (before["public_access_block"], ALL)

    def calls(self) -> tuple[str, ...]:
        return () if self.stands() else (BLOCK_CALL.format(self.target.id),)

    def shown(self) -> str:
        return "all four public-access blocks are on"

    def make(self) -> None:
        put_blocks(self.aws, self.target, ALL)

    def restore(self, before: State) -> None:
        put_blocks(self.aws, self.target, before["public_access_block"])


def look(aws: Aws, target: Target, before: State | None = None) -> PublicAccess:
    """The bucket's setting now."""
    del before
    return PublicAccess(aws, target, blocks_of(aws, target))


def of_bucket(aws: Aws, target: Target) -> Mapping[str, str]:
    """The parameters every call about a bucket has; AWS then refuses a bucket of that name in another account."""
    return {"Bucket": target.id, "ExpectedBucketOwner": aws.config.account}


def blocks_of(aws: Aws, target: Target) -> Blocks:
    """The four switches as they are."""
    try:
        said = aws.ask("s3", "get_public_access_block", target.region, **of_bucket(aws, target))
    except Denied as error:
        if error.code == "NoSuchPublicAccessBlockConfiguration":
            return None
        raise
    found: Mapping[str, Any] = said["PublicAccessBlockConfiguration"]
    return {name: bool(found.get(name, False)) for name in _NAMES}


def put_blocks(aws: Aws, target: Target, blocks: Blocks) -> None:
    """Sets the four switches, or takes the setting away."""
    bucket = of_bucket(aws, target)
    if blocks is None:
        aws.ask("s3", "delete_public_access_block", target.region, **bucket)
    else:
        aws.ask("s3", "put_public_access_block", target.region, **bucket, PublicAccessBlockConfiguration=blocks)


BLOCK_PUBLIC_ACCESS = Ability("aws.block_public_access", AssetKind.BUCKET, look)

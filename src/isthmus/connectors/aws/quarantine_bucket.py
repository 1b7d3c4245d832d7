"""aws.quarantine_bucket: a bucket closed to everybody but break-glass principals and ourselves, and back."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.connectors.aws.block_public_access import ALL, BLOCK_CALL, Blocks, blocks_of, of_bucket, put_blocks
from isthmus.connectors.aws.bucket_policy import SID, alike, exempt, quarantined
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.errors import Denied
from isthmus.connectors.aws.sight import Ability, State
from isthmus.model.assets import AssetKind
from isthmus.model.plans import Target


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A bucket's policy (its text as AWS gave it, None when there is none), its blocks, and who stays exempt."""

    aws: Aws
    target: Target
    policy: str | None
    blocks: Blocks
    exempted: tuple[str, ...]

    @property
    def state(self) -> State:
        return {"exempt": list(self.exempted), "policy": self.policy, "public_access_block": self.blocks}

    def stands(self) -> bool:
        return self.blocks == ALL and alike(self.policy, self._closed(self.policy))

    def same(self, before: State) -> bool:
        return self.blocks == before["public_access_block"] and alike(self.policy, before["policy"])

    def ours(self, before: State) -> bool:
        known = any(alike(self.policy, one) for one in (before["policy"], self._closed(before["policy"])))
        return known and self.blocks in (before["public_access_block"], ALL)

    def calls(self) -> tuple[str, ...]:
        found = []
        if not alike(self.policy, self._closed(self.policy)):
            found.append(f"s3:PutBucketPolicy Bucket={self.target.id} (adds {SID}: deny all but {', '.join(self.exempted)})")
        if self.blocks != ALL:
            found.append(BLOCK_CALL.format(self.target.id))
        return tuple(found)

    def shown(self) -> str:
        return f"the policy denies everybody but {', '.join(self.exempted)}; all four public-access blocks are on"

    def make(self) -> None:
        # The policy first: once public policies are blocked, AWS refuses any policy that still has a public statement.
        closed = self._closed(self.policy)
        if not alike(self.policy, closed):
            self._put(closed)
        if self.blocks != ALL:
            put_blocks(self.aws, self.target, ALL)

    def restore(self, before: State) -> None:
        # The blocks first, for the same reason.
        if self.blocks != before["public_access_block"]:
            put_blocks(self.aws, self.target, before["public_access_block"])
        if not alike(self.policy, before["policy"]):
            self._put(before["policy"])

    def _closed(self, policy: str | None) -> str:
        return quarantined(policy, self.target.id, self.aws.caller().partition, self.exempted)

    def _put(self, policy: str | None) -> None:
        region, bucket = self.target.region, of_bucket(self.aws, self.target)
        if policy is None:
            self.aws.ask("s3", "delete_bucket_policy", region, **bucket)
        else:
            self.aws.ask("s3", "put_bucket_policy", region, **bucket, Policy=policy)


def look(aws: Aws, target: Target, before: State | None = None) -> Quarantine:
    """The bucket now. Raises `Refused` when we could not be exempted ourselves."""
    config = aws.config
    exempted = tuple(before["exempt"]) if before else exempt(aws.caller(), config.role_arn, config.break_glass)
    return Quarantine(aws, target, _policy_of(aws, target), blocks_of(aws, target), exempted)


def _policy_of(aws: Aws, target: Target) -> str | None:
    try:
        text: str = aws.ask("s3", "get_bucket_policy", target.region, **of_bucket(aws, target))["Policy"]
    except Denied as error:
        if error.code == "NoSuchBucketPolicy":
            return None
        raise
    return text


QUARANTINE_BUCKET = Ability("aws.quarantine_bucket", AssetKind.BUCKET, look)

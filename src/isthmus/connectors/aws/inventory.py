"""What there is in the account, read from AWS itself: the only origin of handles."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

from isthmus.connectors.aws.abilities import BY_NAME
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.deactivate_access_key import owner_and_status
from isthmus.connectors.aws.errors import Denied
from isthmus.connectors.aws.isolate_instance import living
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Refused
from isthmus.model.plans import Action, Target

_GRAMMAR = {
    AssetKind.INSTANCE: re.compile(r"i-[0-9a-f]{8,17}", re.ASCII),
    AssetKind.BUCKET: re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII),
    AssetKind.ACCESS_KEY: re.compile(r"AKIA[A-Z0-9]{12,30}", re.ASCII),
}
_SESSION_KEY = re.compile(r"ASIA[A-Z0-9]{12,30}", re.ASCII)


class AwsInventory:
    """Finds the one thing an action is for."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def resolve(self, action: Action) -> Target:
        """The target as AWS knows it; what cannot be an id of its kind is refused before anything is asked."""
        kind = _kind(action)
        account = action.parameters.get("account") or self._aws.config.account
        if account != self._aws.config.account:
            raise Refused(f"{action.target} is said to be of account {account}; this is {self._aws.config.account}")
        region = await asyncio.to_thread(_WHERE[kind], self._aws, action)
        return self._target(kind, action.target, region)

    def _target(self, kind: AssetKind, own: str, region: str) -> Target:
        account = self._aws.config.account
        handle = handle_of(account, region, kind, own)
        return Target(handle, own, kind, "aws", account, region, provenance=f"aws account {account}")


def handle_of(account: str, region: str, kind: AssetKind, own: str) -> str:
    """Our name for it: `aws:<account>/<region>/<kind>/<id>`; what lives in no region is in `global`."""
    return f"aws:{account}/{region or 'global'}/{kind.value}/{own}"


def well_formed(kind: AssetKind, own: str) -> bool:
    """Whether this can be the id of one thing of its kind: no path, no wildcard, no list."""
    return _GRAMMAR[kind].fullmatch(own) is not None


def _kind(action: Action) -> AssetKind:
    ability = BY_NAME.get(action.ability)
    if ability is None:
        raise Refused(f"AWS has no ability {action.ability}")
    if ability.kind is AssetKind.ACCESS_KEY and _SESSION_KEY.fullmatch(action.target):
        raise Refused(f"{action.target} is the key of a session: it has no status that could be changed")
    if not well_formed(ability.kind, action.target):
        raise Refused(f"{action.target[:80]!r} is not the id of one {ability.kind.value.replace('_', ' ')}")
    return ability.kind


def _instance(aws: Aws, action: Action) -> str:
    for region in _regions(aws, action):
        try:
            living(aws, action.target, region)
        except Denied as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise
            continue
        return region
    raise Refused(f"there is no instance {action.target} in {', '.join(aws.config.regions)}")


def _regions(aws: Aws, action: Action) -> Iterator[str]:
    """Where we may look, beginning where the alert says: a hint that saves calls and decides nothing."""
    hint = action.parameters.get("region", "")
    yield from sorted(aws.config.regions, key=lambda region: region != hint)


def _bucket(aws: Aws, action: Action) -> str:
    said = aws.ask("s3", "get_bucket_location", Bucket=action.target, ExpectedBucketOwner=aws.config.account)
    region = said.get("LocationConstraint") or "us-east-1"
    region = "eu-west-1" if region == "EU" else region
    if region not in aws.config.regions:
        raise Refused(f"{action.target} lies in {region}, where this instance may not act")
    return region


def _access_key(aws: Aws, action: Action) -> str:
    owner_and_status(aws, action.target)
    return ""


_WHERE: dict[AssetKind, Callable[[Aws, Action], str]] = {
    AssetKind.INSTANCE: _instance,
    AssetKind.BUCKET: _bucket,
    AssetKind.ACCESS_KEY: _access_key,
}
"""How each kind is found, and where: its region, or nothing for what lives in none."""

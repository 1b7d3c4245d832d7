"""aws.deactivate_access_key: a user's long-lived key inactive, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.sight import Ability, State
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Refused
from isthmus.model.plans import Target

_USER = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """An access key: whose it is, and `Active` or `Inactive`."""

    aws: Aws
    target: Target
    user: str
    status: str

    @property
    def state(self) -> State:
        return {"status": self.status, "user": self.user}

    def stands(self) -> bool:
        return self.status == "Inactive"

    def same(self, before: State) -> bool:
        return self.state == before

    def ours(self, before: State) -> bool:
        return self.user == before["user"] and self.status in (before["status"], "Inactive")

    def calls(self) -> tuple[str, ...]:
        call = f"iam:UpdateAccessKey UserName={self.user} AccessKeyId={self.target.id} Status=Inactive"
        return () if self.stands() else (call,)

    def shown(self) -> str:
        return f"the key of user {self.user} is inactive; sessions it has already opened with STS live on until they end"

    def make(self) -> None:
        self._put("Inactive")

    def restore(self, before: State) -> None:
        self._put(before["status"])

    def _put(self, status: str) -> None:
        self.aws.ask("iam", "update_access_key", UserName=self.user, AccessKeyId=self.target.id, Status=status)


def look(aws: Aws, target: Target, before: State | None = None) -> KeyStatus:
    """The key now. Raises `Refused` for a key of nobody we can name, which root's keys are too."""
    del before
    user, status = owner_and_status(aws, target.id)
    return KeyStatus(aws, target, user, status)


def owner_and_status(aws: Aws, key: str) -> tuple[str, str]:
    """Whose key it is by its last use, confirmed by that user's list of keys."""
    user = aws.ask("iam", "get_access_key_last_used", AccessKeyId=key).get("UserName", "")
    if not _USER.fullmatch(user):
        raise Refused(f"{key} is not the key of a user of this account (root's keys are not touched)")
    for one in aws.ask_all("iam", "list_access_keys", UserName=user)["AccessKeyMetadata"]:
        if one["AccessKeyId"] == key:
            return user, one["Status"]
    raise Refused(f"user {user} does not list the key {key}")


DEACTIVATE_ACCESS_KEY = Ability("aws.deactivate_access_key", AssetKind.ACCESS_KEY, look)

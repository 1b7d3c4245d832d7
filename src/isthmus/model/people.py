"""Who may do what: people and machines that speak to us, and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. Nobody has two: who gives keys away does not also approve."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"


class Right(StrEnum):
    READ = "read"
    SPEAK = "speak"
    """Set a verdict, assign, comment, suppress, split, merge, reopen, order an undo."""
    APPROVE = "approve"
    RUN = "run"
    """People, keys, retention, the kill switch."""


RIGHTS = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.ANALYST: frozenset({Right.READ, Right.SPEAK}),
    Role.APPROVER: frozenset({Right.READ, Right.SPEAK, Right.APPROVE}),
    Role.ADMIN: frozenset({Right.READ, Right.RUN}),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of one tenant. `human` is false for a program with a key of its own: it never counts as an approver.

    `id` is opaque and stays in the record for ever; `name` is personal data and can be deleted.
    """

    id: str
    tenant: str
    name: str
    role: Role
    human: bool = True
    active: bool = True

    def may(self, right: Right) -> bool:
        """Whether the role allows it; approving is for people only."""
        return self.active and right in RIGHTS[self.role] and (self.human or right is not Right.APPROVE)

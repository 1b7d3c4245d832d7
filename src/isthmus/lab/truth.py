"""The ground truth of a day: of every claim, which story it belongs to and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from isthmus.model.errors import Untrusted

Key = tuple[str, str]
"""Source and source id, as the vendor's own reading gives them."""


class TruthClaim(msgspec.Struct, frozen=True):
    """One claim in its last state of the day. `role` is attack, near_miss, noise or context; `updated` is ISO 8601 UTC."""

    source: str
    source_id: str
    kind: str
    role: str
    story: str
    severity: int
    updated: str
    open: bool

    @property
    def key(self) -> Key:
        return self.source, self.source_id


class TruthStory(msgspec.Struct, frozen=True):
    """What really happened, in one sentence. `role` is attack or near_miss."""

    id: str
    role: str
    kind: str
    what: str


class Truth(msgspec.Struct, frozen=True):
    """Everything that is known of a day. `delivered` is how many claims its files hold, repeats included."""

    seed: int
    size: str
    day: str
    delivered: int
    stories: tuple[TruthStory, ...]
    claims: tuple[TruthClaim, ...]

    def of_role(self, role: str) -> tuple[TruthStory, ...]:
        return tuple(one for one in self.stories if one.role == role)

    def by_key(self) -> Mapping[Key, TruthClaim]:
        return {one.key: one for one in self.claims}


def load(path: Path) -> Truth:
    """The truth a day wrote. Raises `Untrusted` naming the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be read", str(path)) from None
    except msgspec.DecodeError as error:
        raise Untrusted(f"not the truth of a lab day: {error}", str(path)) from None

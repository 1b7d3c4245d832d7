"""What every ability of ours is made of: a look at its target, and what can be said and done from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from isthmus.connectors.aws.clients import Aws
from isthmus.model.assets import AssetKind
from isthmus.model.plans import Target

State = Mapping[str, Any]


class Sight(Protocol):
    """One target as it is now, in the eyes of one ability."""

    @property
    def state(self) -> State:
        """What a preview records as `before`: JSON-able, and all that taking it back needs."""
        ...

    def stands(self) -> bool:
        """Whether the effect is whole."""
        ...

    def same(self, before: State) -> bool:
        """Whether everything is as it was then."""
        ...

    def ours(self, before: State) -> bool:
        """Whether every difference from then is one we make: nothing changed yet, part of it, or all."""
        ...

    def calls(self) -> tuple[str, ...]:
        """The calls that would be made, in order. Raises `Refused` when it can be seen that they would not do."""
        ...

    def shown(self) -> str:
        """What stands, for people; only asked when it stands."""
        ...

    def make(self) -> None:
        """Makes the change, whatever part of it is already there."""
        ...

    def restore(self, before: State) -> None:
        """Puts back what was there then. Checks what it can before the first call that writes."""
        ...


class Look(Protocol):
    """Looks at a target. With `before`, in the terms of that preview (its exemptions, its group's name), not of today's
    settings, so that a changed setting never leaves a change that cannot be taken back.
    """

    def __call__(self, aws: Aws, target: Target, before: State | None = None) -> Sight: ...


@dataclass(frozen=True, slots=True)
class Ability:
    """A verb, what it is for, and how its target is looked at."""

    name: str
    kind: AssetKind
    look: Look

"""What the promises of connected roles are run on: a platform that may be broken at will, and our connector before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Actuator, Roles
from isthmus.model.plans import Action, Outcome, Preview

Fault = int | str
"""A status, in the platform's own shape of error; or `hang`, `reset` or `html`, as `lab.servers.Faults` has them."""

HANG: Fault = "hang"


@dataclass(frozen=True, slots=True)
class Scene:
    """A starting state for one ability: `start` brings it about on the platform and says what is to be done there,
    `meddle` is somebody else changing that target.
    """

    title: str
    start: Callable[[], Action]
    meddle: Callable[[Action], None]


class Rig(Protocol):
    """One platform that holds nothing yet, and an instance of ours that may speak to it."""

    @property
    def connector(self) -> Connector: ...
    @property
    def settings(self) -> Mapping[str, Any]:
        """The instance's settings as a file would have them."""
        ...

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets behind the references in the settings, by reference."""
        ...

    @property
    def canaries(self) -> Collection[str]:
        """What no error and no log may show: those secrets, and every credential the platform has been shown so far."""
        ...

    def connected(self, patience: float = 10.0, attempts: int = 1, **changed: Any) -> AbstractAsyncContextManager[Roles]:
        """Connects anew, as after a restart, with these settings changed; no call is waited for longer than `patience`
        seconds, nor sent more often than `attempts`.
        """
        ...

    def state(self) -> Any:
        """Everything on the platform that a call could change, comparable; who is signed in is not part of it."""
        ...

    def calls(self) -> int:
        """How many requests the platform was sent."""
        ...

    def writes(self) -> int | None:
        """How many of them may have changed something; None where that cannot be seen from outside."""
        ...

    def break_down(self, fault: Fault, after: int = 0, times: int = 0, in_turn: bool = False) -> None:
        """From now on every request goes wrong, but for the first `after`; only so many `times`, when given; with
        `in_turn` every second one does.

        What is answered with a status repeats what was sent, as far as the vendor's shape of error has room for it.
        """
        ...

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        ...

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """As `contracts.roles.Simulated.hold`."""
        ...

    def scenes(self, ability: str) -> Sequence[Scene]:
        """Different starting states for one ability."""
        ...

    async def effect(self, actuator: Actuator, preview: Preview) -> Outcome:
        """Has the actuator make the change: in the product only `act` may."""
        ...

    async def reversal(self, actuator: Actuator, preview: Preview) -> Outcome:
        """Has the actuator take the change back."""
        ...

    def records(self, key: str) -> Sequence[Mapping[str, str]]:
        """The cases of this key as the platform stores them."""
        ...

    def notes(self, key: str) -> Sequence[str]:
        """The notes on the cases of this key."""
        ...

    def people_write(self, key: str) -> Mapping[str, str]:
        """Somebody takes the case up as people there do: its state, to whom it belongs, a note. Returns the stored fields
        that are theirs from now on.
        """
        ...

    def post(self, body: str) -> None:
        """Puts a message into the queue, as whoever is allowed to would."""
        ...

    def lapse(self) -> None:
        """From now on nobody's lease of a message stands: what was received and not acknowledged comes again."""
        ...

    def check(self, settings: Mapping[str, Any]) -> None:
        """Reads these settings as the product reads its file. Raises what the product raises."""
        ...

    async def deliver(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """POSTs to our own door at the webhook address of this instance, followed by `path`; returns the status."""
        ...

    def delivered(self) -> int:
        """How many deliveries our door has stored."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One call of a role, ready to be asked on any connection; `writes` when it is more than reading."""

    name: str
    ask: Callable[[Roles], Awaitable[object]]
    writes: bool = False

"""What we ask of the outside, one protocol per role. A connector plays the roles it can, each in a file of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from isthmus.contracts.reading import Record
from isthmus.model.cases import Case, CaseRecord
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding, Kind
from isthmus.model.plans import Action, Outcome, Preview, Target

Claims = Iterator[Finding | Untrusted]


@dataclass(frozen=True, slots=True)
class Shape:
    """One form a vendor's alerts come in.

    A record has this shape when it has every key of `keys` and `when` (if given) says so; both look only at
    structure. `read` yields one claim per problem in the record: a finding, or `Untrusted` for a part it must reject.
    """

    name: str
    keys: frozenset[str]
    read: Callable[[Record, Origin], Claims]
    when: Callable[[Record], bool] | None = None


@dataclass(frozen=True, slots=True)
class NotAnAlert:
    """An object of this vendor that is no alert (a reply, an inventory row, an audit log), and what to say of it."""

    reason: str
    keys: frozenset[str]
    when: Callable[[Record], bool] | None = None


@dataclass(frozen=True, slots=True)
class CsvExport:
    """A CSV we can read: its header has at least these columns. Each row is then a record with the header's keys."""

    title: str
    columns: frozenset[str]


class Source(Protocol):
    """Tells us about problems."""

    @property
    def shapes(self) -> tuple[Shape, ...]: ...
    @property
    def not_alerts(self) -> tuple[NotAnAlert, ...]: ...
    @property
    def csv_exports(self) -> tuple[CsvExport, ...]: ...
    @property
    def export_hint(self) -> str:
        """Which export of this vendor to take, in one line."""
        ...


class Simulator(Protocol):
    """The vendor, small enough to live in a test: writes findings down the way the vendor would."""

    @property
    def speaks(self) -> frozenset[Kind]: ...
    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        """The finding in each shape the vendor has for it. Reading any of them gives the same finding again."""
        ...

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        """A page of payloads (all of the first shape) as the vendor's API or export would hand them over."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what is new: payloads as `Source` reads them, where to go on, and whether there is more right now."""

    payloads: tuple[dict[str, Any], ...]
    cursor: str
    more: bool


class Pollable(Protocol):
    """A platform that can be asked what is new, so that nobody has to reach us from outside."""

    @property
    def streams(self) -> tuple[str, ...]:
        """What can be asked for, each with a cursor of its own."""
        ...

    async def since(self, stream: str, cursor: str) -> Page:
        """What came after the cursor; an empty cursor begins at the instance's configured lookback.

        The cursor is opaque, safe to store, and safe to use again: nothing is skipped, what repeats is deduplicated later.
        """
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a queue. `id` is the queue's own, the same each time it is delivered; `handle` stands for this one
    delivery of it; `sent_at` is when the queue took it.
    """

    id: str
    body: bytes
    handle: str
    sent_at: datetime | None = None


class Queue(Protocol):
    """A durable queue somebody puts alerts into. What is not acknowledged comes again, to us or to another consumer; so
    does, now and then, what is: whoever stores must know a message he has stored before.
    """

    @property
    def reads(self) -> str:
        """Whose alerts these are, as the settings say: the name of an instance, or of a connector."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether the settings vouch that nobody but the platform can put anything into it."""
        ...

    @property
    def lease(self) -> timedelta:
        """For how long a message that was received is kept from being delivered again, at least."""
        ...

    async def receive(self, most: int) -> tuple[Message, ...]:
        """Up to `most` messages, waiting some seconds for the first; nothing when there was none in that time."""
        ...

    async def hold(self, handles: Sequence[str]) -> None:
        """Keep these from being delivered again for another `lease`, as far as they still are; the others are let go."""
        ...

    async def acknowledge(self, handles: Sequence[str]) -> tuple[str, ...]:
        """These are stored and need not come again. Returns those that may still come; acknowledging twice is no error."""
        ...


class Refetcher(Protocol):
    """A platform that can be asked about one alert. A webhook is a hint; this is the alert."""

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        """The alert as the platform's API tells it today, in payloads `Source` reads under the same `source_id`.

        Raises `Refused` when the platform does not know it, or when the id cannot be one of its own.
        """
        ...


class Inventory(Protocol):
    """The only origin of handles, and of what policy may know about a target."""

    async def resolve(self, action: Action) -> Target:
        """The one thing this action is for, read from the platform itself.

        Raises `Refused` when it does not exist here, is not of the kind the ability is for, or the id is no id.
        `environment`, `criticality`, `owner` and `crown_jewel` are left at their defaults: the line fills them.
        """
        ...


class Actuator(Protocol):
    """Changes the customer's estate; the only role that may. Nothing unpreviewed can be applied.

    Every ability converges: applying it twice is applying it once. Only `act` calls `apply` and `undo`.
    """

    @property
    def abilities(self) -> tuple[str, ...]: ...
    async def preview(self, action: Action, target: Target, at: datetime) -> Preview:
        """Reads and writes nothing. `already` when there is nothing left to change."""
        ...

    async def apply(self, preview: Preview, token: str, at: datetime) -> Outcome:
        """Makes the change and reads it back: DONE, ALREADY, FAILED, or UNPROVEN where reading back shows nothing."""
        ...

    async def verify(self, preview: Preview, at: datetime) -> Outcome:
        """Reads only: DONE when the change stands, FAILED when it does not."""
        ...

    async def undo(self, preview: Preview, at: datetime) -> Outcome:
        """Restores `preview.before` and reads it back: UNDONE, ALREADY when it stands so, FAILED.

        Raises `Refused` when the target is neither as we left it nor as it was before: somebody else changed it.
        """
        ...


class CaseSink(Protocol):
    """Keeps the case where people work."""

    async def put(self, case: Case) -> CaseRecord:
        """Opens the case of this key, or brings it up to date; the same put twice leaves one case, and one note."""
        ...

    async def read(self, key: str) -> CaseRecord | None:
        """The case of this key, with people's words on it; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Roles:
    """What one connected instance can do."""

    pollable: Pollable | None = None
    refetcher: Refetcher | None = None
    inventory: Inventory | None = None
    actuator: Actuator | None = None
    sink: CaseSink | None = None
    queue: Queue | None = None


class Simulated(Protocol):
    """The platform as a server: the vendor's protocol over HTTP, with state, authentication, paging and error shapes."""

    @property
    def app(self) -> Any:
        """The ASGI application."""
        ...

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """Settings that let an instance of ours speak to it at `origin`; `secrets(name, value)` stores a secret and
        returns a reference to it.
        """
        ...

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """From now on the platform knows this alert (one payload of its simulator's first, fullest shape)."""
        ...

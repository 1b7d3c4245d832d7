"""What we ask of the outside, one protocol per role. A connector plays the roles it can, each in a file of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from isthmus.contracts.reading import Record
from isthmus.model.assets import Asset
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.facts import Fact
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident
from isthmus.model.plans import Action, Outcome, Preview

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


class ContextProvider(Protocol):
    """Tells us more about an asset."""

    async def facts(self, asset: Asset) -> Sequence[Fact]: ...


class Inventory(Protocol):
    """The only origin of handles, and of what policy may know about a target. Raises `Refused` for what it does not hold."""

    async def resolve(self, asset: Asset) -> Asset: ...


class CaseSink(Protocol):
    """Keeps the case where people work. Idempotent; returns the link."""

    async def put(self, incident: Incident) -> str: ...


class Notifier(Protocol):
    """Gets a person's attention."""

    async def tell(self, incident: Incident) -> None: ...


class Actuator(Protocol):
    """Changes the customer's estate; the only role that may. Nothing unpreviewed can be applied."""

    @property
    def abilities(self) -> tuple[str, ...]: ...
    async def preview(self, action: Action) -> Preview: ...
    async def apply(self, preview: Preview) -> Outcome: ...
    async def verify(self, preview: Preview) -> Outcome: ...
    async def undo(self, preview: Preview) -> Outcome: ...

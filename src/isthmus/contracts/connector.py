"""How a vendor is declared: one typed object in the vendor's folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.contracts.roles import CsvExport, NotAnAlert, Roles, Shape, Simulated, Simulator, Source
from isthmus.contracts.wire import ConnectorConfig, Outward
from isthmus.model.findings import Finding, Kind


@dataclass(frozen=True, slots=True)
class Webhook:
    """How this vendor's webhook shows that it may speak: a shared secret in a header, or, where the vendor can send
    none, in the path. `note` says to the operator what to enter on the vendor's side.
    """

    note: str
    header: str = "authorization"
    prefix: str = ""
    in_path: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """What an instance must be allowed on the platform, and which of our abilities need it (none: reading)."""

    name: str
    why: str
    abilities: tuple[str, ...] = ()


class TellsNothing:
    """The source of a platform that acts and does not see."""

    shapes: tuple[Shape, ...] = ()
    not_alerts: tuple[NotAnAlert, ...] = ()
    csv_exports: tuple[CsvExport, ...] = ()
    export_hint = ""


class WritesNothing:
    """The simulator of a platform that sends no alerts."""

    speaks: frozenset[Kind] = frozenset()

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        """Nothing, for any finding."""
        del finding
        return ()

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        """A page of nothing."""
        return list(payloads)


@dataclass(frozen=True, slots=True)
class Connector:
    """A vendor and the roles it plays. `proved_by` says what it was checked against, in the reader's words.

    `config` and `connect` are there when it can be spoken to; `connect(config, outward)` opens no connection.
    `policy_document(abilities, account)` is the least the platform must allow, in its own language, where it has one.
    `cannot` declares what the vendor's platform does not offer, and why; asking for it is `Refused`.
    """

    name: str
    title: str
    proved_by: str
    source: Source = field(default_factory=TellsNothing)
    simulator: Simulator = field(default_factory=WritesNothing)
    webhook: Webhook | None = None
    config: type[ConnectorConfig] | None = None
    connect: Callable[[Any, Outward], Roles] | None = None
    simulated: Callable[[], Simulated] | None = None
    permissions: tuple[Permission, ...] = ()
    cannot: Mapping[str, str] = field(default_factory=dict)
    policy_document: Callable[[Collection[str], str], Mapping[str, Any]] | None = None

"""How a vendor is declared: one typed object in the vendor's folder."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.contracts.roles import Simulator, Source


@dataclass(frozen=True, slots=True)
class Connector:
    """A vendor and the roles it plays. `proved_by` says what its reading was checked against, in the reader's words."""

    name: str
    title: str
    source: Source
    simulator: Simulator
    proved_by: str

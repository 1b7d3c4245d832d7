"""Bytes not yet believed, and the count of what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from isthmus.model.errors import IsthmusError


@dataclass(frozen=True, slots=True)
class Origin:
    """Where claims come from: whose they are, through which instance of a connector, and when we got them."""

    received: datetime
    tenant: str = "default"
    instance: str = "default"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes somebody handed us. `name` is the file or the route they came by."""

    name: str
    body: bytes
    origin: Origin


@dataclass(frozen=True, slots=True)
class Rejection:
    """What we did not take, where it stood, and why."""

    file: str
    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Conservation: every claim seen was stored, was a repeat, or was rejected with a reason.

    Each number is counted where it happens, so the equation can fail; if it does, nothing is reported.
    """

    seen: int
    stored: int
    duplicate: int
    rejected: int

    def __post_init__(self) -> None:
        if self.seen != self.stored + self.duplicate + self.rejected:
            raise IsthmusError(
                f"conservation broken: seen {self.seen}, stored {self.stored}, "
                f"duplicate {self.duplicate}, rejected {self.rejected}"
            )


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Findings that were stored and deliberately left out of the queue, by whose word, and until when."""

    source: str
    source_id: str
    title: str
    reason: str
    by: str
    until: str

"""What became of everything that was handed in."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.model.deliveries import Counts, Rejection, Suppressed
from isthmus.model.incidents import Incident


@dataclass(frozen=True, slots=True)
class Triage:
    """The count, what was rejected and left out, and the incidents, the gravest first."""

    counts: Counts
    rejected: tuple[Rejection, ...]
    suppressed: tuple[Suppressed, ...]
    incidents: tuple[Incident, ...]

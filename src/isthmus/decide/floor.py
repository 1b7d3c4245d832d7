"""What no pack may allow with fewer people than this, whatever its policies say.

Looked at when a bundle is loaded, so that its author is told, and again at every decision, so that a policy which
slipped past the first look still cannot go below. Few rows on purpose: a pack decides, this only keeps out the absurd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isthmus.decide.asking import Circumstances
from isthmus.model.assessment import Verdict
from isthmus.model.estate import Environment
from isthmus.model.plans import Target

_REHEARSAL = (Environment.DEVELOPMENT, Environment.SANDBOX, Environment.STAGING)
_HARMLESS = (Verdict.FALSE_POSITIVE, Verdict.BENIGN_POSITIVE)
_CUTS_OFF = 2
CASES = "case"


@dataclass(frozen=True, slots=True)
class Row:
    """Where `applies`, at least one person must agree before anything is contained; `why` says it to the pack's author."""

    name: str
    applies: Callable[[Target, Circumstances], bool]
    why: str


FLOOR = (
    Row(
        "unconfirmed",
        lambda _, seen: not seen.confirmed,
        "an alert the platform did not confirm may have been sent by anybody who knows the webhook's secret",
    ),
    Row(
        "no-way-back",
        lambda _, seen: not seen.undoable,
        "what cannot be undone is not left to a program",
    ),
    Row(
        "crown-jewel",
        lambda target, _: target.crown_jewel,
        "what the company lives on is not taken away without asking",
    ),
    Row(
        "cut-off-in-production",
        lambda target, seen: target.environment not in _REHEARSAL and seen.reach >= _CUTS_OFF,
        "cutting off a machine or an identity in production is an outage of its own",
    ),
    Row(
        "believed-harmless",
        lambda _, seen: seen.verdict in _HARMLESS,
        "what we hold for no attack ourselves is not contained unasked",
    ),
)
"""Each asks for one person. Two people stay the pack's own choice."""


def below(group: str, target: Target, circumstances: Circumstances) -> tuple[Row, ...]:
    """The rows that demand a person for this action; none for cases, which take nothing away."""
    return () if group == CASES else tuple(row for row in FLOOR if row.applies(target, circumstances))

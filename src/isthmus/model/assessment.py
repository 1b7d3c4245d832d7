"""What we believe of an incident, how strongly, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isthmus.model.errors import IsthmusError
from isthmus.model.facts import Sentence


class Verdict(StrEnum):
    TRUE_POSITIVE = "true_positive"
    BENIGN_POSITIVE = "benign_positive"
    FALSE_POSITIVE = "false_positive"
    UNDETERMINED = "undetermined"


class Confidence(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Priority(StrEnum):
    """CISA's SSVC levels, gravest first."""

    ACT = "act"
    ATTEND = "attend"
    TRACK_STAR = "track*"
    TRACK = "track"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the score moved by `points`. A ceiling is a reason with negative points."""

    text: str
    points: int
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Score 0-100 (the sum of its reasons), verdict, confidence with what is missing, and three short texts."""

    score: int
    reasons: tuple[Reason, ...]
    priority: Priority
    verdict: Verdict
    confidence: Confidence
    missing: tuple[str, ...]
    summary: tuple[Sentence, ...]
    impact: tuple[Sentence, ...]
    root_cause: tuple[Sentence, ...]

    def __post_init__(self) -> None:
        if sum(reason.points for reason in self.reasons) != self.score or not 0 <= self.score <= 100:
            raise IsthmusError("a score must be the sum of its reasons, between 0 and 100")

"""The record of an incident in somebody else's system, as we write it and as we read it back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """What we write: plain text only, already safe to show.

    `key` is ours and never changes (`default/INC-…`); `version` is a digest of everything below it, so that a put that
    would change nothing can be seen. `priority` is SSVC's word, `score` 0-100, `steps` a checklist in order.
    """

    key: str
    version: str
    title: str
    priority: str
    score: int
    severity: str
    verdict: str
    confidence: str
    summary: str
    impact: str
    root_cause: str
    owner: str
    assets: tuple[str, ...]
    steps: tuple[str, ...]
    remedies: tuple[str, ...]
    links: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What their system holds: its own id and number, where people open it, their state, and our `version` in it."""

    system: str
    id: str
    number: str
    url: str
    state: str
    version: str
    created: bool = False
    verdict: str = ""
    assigned_to: str = ""
    note: str = ""

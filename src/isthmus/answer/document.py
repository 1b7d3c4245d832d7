"""The triage document: the contract others script against, described in docs/reference/triage-json.md.

A change that takes a field away or changes its meaning raises the first number of `SCHEMA_VERSION`; a new field the second.
"""

from __future__ import annotations

import msgspec

SCHEMA_VERSION = "1.1"


class CountsRow(msgspec.Struct, frozen=True):
    """Conservation: `seen = stored + duplicate + rejected`, always."""

    seen: int
    stored: int
    duplicate: int
    rejected: int


class RejectedRow(msgspec.Struct, frozen=True):
    """A claim that was not taken: the file, where in it, and why."""

    file: str
    position: str
    reason: str


class SuppressedRow(msgspec.Struct, frozen=True):
    """A finding that is stored but not queued: why, by whose word, and until when."""

    source: str
    source_id: str
    title: str
    reason: str
    by: str
    until: str


class FactRow(msgspec.Struct, frozen=True):
    """Something a platform said. `at` is ISO 8601 UTC, or null when the platform gave no time."""

    id: str
    about: str
    text: str
    source: str
    at: str | None


class ReasonRow(msgspec.Struct, frozen=True):
    """Why the score moved. The points of an incident's reasons add up to its score; a ceiling has negative points."""

    text: str
    points: int
    cites: tuple[str, ...]


class AssetRow(msgspec.Struct, frozen=True):
    """An asset by its one id, with the other names platforms have for it."""

    id: str
    kind: str
    name: str
    provider: str
    account: str
    region: str
    aliases: tuple[str, ...]


class FindingRow(msgspec.Struct, frozen=True):
    """A finding folded into the incident, and why. `link` is where its platform shows it; empty where it did not say."""

    source: str
    source_id: str
    kind: str
    title: str
    severity: str
    asset: str
    merged_because: str
    link: str = ""


class AttackRow(msgspec.Struct, frozen=True):
    """ATT&CK techniques as the platforms named them."""

    techniques: tuple[str, ...]


class ControlRow(msgspec.Struct, frozen=True):
    framework: str
    requirement: str


class NodeRow(msgspec.Struct, frozen=True):
    """`role` is outside, entry, step or goal; `hop` the distance from outside."""

    id: str
    kind: str
    label: str
    role: str
    hop: int


class EdgeRow(msgspec.Struct, frozen=True):
    source: str
    target: str
    label: str


class PathRow(msgspec.Struct, frozen=True):
    """The way from outside to a goal. `critical` is the node that cuts every way, or null."""

    nodes: tuple[NodeRow, ...]
    edges: tuple[EdgeRow, ...]
    critical: str | None


class ActionRow(msgspec.Struct, frozen=True):
    """A typed step. `rank` 1 takes the least away. Nothing here has been executed."""

    ability: str
    target: str
    parameters: dict[str, str]
    rank: int


class RemedyRow(msgspec.Struct, frozen=True):
    """A lasting fix. `form` is terraform, cli, policy or text."""

    title: str
    form: str
    body: str
    target: str


class CitesRow(msgspec.Struct, frozen=True):
    """The facts each text rests on."""

    summary: tuple[str, ...]
    impact: tuple[str, ...]
    root_cause: tuple[str, ...]


class IncidentRow(msgspec.Struct, frozen=True):
    """One story, problem or backlog, explained. `since` is new, grown, unchanged, or null without a state file."""

    id: str
    title: str
    scope: str
    score: int
    priority: str
    verdict: str
    confidence: str
    missing: tuple[str, ...]
    summary: str
    impact: str
    root_cause: str
    cites: CitesRow
    score_reasons: tuple[ReasonRow, ...]
    owner: str
    environment: str
    assets: tuple[AssetRow, ...]
    cves: tuple[str, ...]
    attack: AttackRow
    controls: tuple[ControlRow, ...]
    first_seen: str | None
    last_seen: str | None
    link: str
    findings: tuple[FindingRow, ...]
    attack_path: PathRow | None
    plan_digest: str
    actions: tuple[ActionRow, ...]
    remediation: tuple[RemedyRow, ...]
    since: str | None


class IntelRow(msgspec.Struct, frozen=True):
    """A table of intelligence used, the day it speaks for, and whether it is too old to lean on."""

    name: str
    of: str
    age_days: int
    rows: int
    stale: bool


class TriageDocument(msgspec.Struct, frozen=True):
    """The whole answer. Incidents are ranked, gravest first."""

    schema_version: str
    generated_at: str
    counts: CountsRow
    rejected: tuple[RejectedRow, ...]
    suppressed: tuple[SuppressedRow, ...]
    intel: tuple[IntelRow, ...]
    facts: tuple[FactRow, ...]
    incidents: tuple[IncidentRow, ...]

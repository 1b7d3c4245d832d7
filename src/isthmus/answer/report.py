"""A finished triage becomes the triage document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from isthmus.answer.document import (
    SCHEMA_VERSION,
    ActionRow,
    AssetRow,
    AttackRow,
    CitesRow,
    ControlRow,
    CountsRow,
    EdgeRow,
    FactRow,
    FindingRow,
    IncidentRow,
    IntelRow,
    NodeRow,
    PathRow,
    ReasonRow,
    RejectedRow,
    RemedyRow,
    SuppressedRow,
    TriageDocument,
)
from isthmus.graph.paths import attack_path
from isthmus.model.assessment import Assessment
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.facts import Fact, Sentence
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident, Member
from isthmus.model.intel import Table
from isthmus.model.plans import Plan, digest
from isthmus.model.triage import Triage


def document(done: Triage, tables: Iterable[Table], now: datetime, states: Mapping[str, str | None]) -> TriageDocument:
    """The document of a triage. `states` says of each incident id whether it is new since last time."""
    counts = done.counts
    return TriageDocument(
        schema_version=SCHEMA_VERSION,
        generated_at=moment(now) or "",
        counts=CountsRow(counts.seen, counts.stored, counts.duplicate, counts.rejected),
        rejected=tuple(RejectedRow(one.file, one.position, one.reason) for one in done.rejected),
        suppressed=tuple(
            SuppressedRow(one.source, one.source_id, one.title, one.reason, one.by, one.until) for one in done.suppressed
        ),
        intel=intel_rows(tables, now),
        facts=fact_rows(done.incidents),
        incidents=tuple(incident_row(one, states[one.id]) for one in done.incidents),
    )


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def intel_rows(tables: Iterable[Table], now: datetime) -> tuple[IntelRow, ...]:
    return tuple(IntelRow(one.name, one.of.isoformat(), one.age(now), one.rows, one.stale(now)) for one in tables)


def fact_rows(incidents: Iterable[Incident]) -> tuple[FactRow, ...]:
    """Every fact of these incidents once, by id."""
    facts: dict[str, Fact] = {one.id: one for incident in incidents for one in incident.current.facts or ()}
    return tuple(FactRow(one.id, one.about, one.text, one.source, moment(one.at)) for one in sorted(facts.values(), key=_by_id))


def _by_id(one: Fact) -> str:
    return one.id


def incident_row(incident: Incident, since: str | None = None) -> IncidentRow:
    """An incident whose last round has facts, assessment and plan, as a row of the document."""
    current = incident.current
    assessment, plan, facts = current.assessment, current.plan, current.facts
    if assessment is None or plan is None or facts is None:
        raise ValueError("only an incident with facts, assessment and plan can be reported")
    findings = incident.findings
    return IncidentRow(
        id=incident.id,
        title=title_of(incident),
        scope=incident.scope,
        score=assessment.score,
        priority=assessment.priority.value,
        verdict=assessment.verdict.value,
        confidence=assessment.confidence.value,
        missing=assessment.missing,
        summary=_joined(assessment.summary),
        impact=_joined(assessment.impact),
        root_cause=_joined(assessment.root_cause),
        cites=_cites(assessment),
        score_reasons=tuple(ReasonRow(one.text, one.points, one.cites) for one in assessment.reasons),
        owner=next((one.value for one in facts if one.about == "owner"), "unknown"),
        environment=next((one.value for one in facts if one.about == "environment"), "unknown"),
        assets=_assets(findings),
        cves=tuple(sorted({one.cve for finding in findings for one in finding.vulnerabilities})),
        attack=AttackRow(tuple(sorted({one for finding in findings for one in finding.attack}))),
        controls=_controls(findings),
        first_seen=moment(min((one.first_seen for one in findings if one.first_seen), default=None)),
        last_seen=moment(max((one.last_seen for one in findings if one.last_seen), default=None)),
        link=next((one.link for one in findings if one.link.startswith("https://")), ""),
        findings=tuple(_member(one) for one in incident.members),
        attack_path=_path(incident),
        plan_digest=digest(plan),
        actions=_actions(plan),
        remediation=tuple(RemedyRow(one.title, one.form, one.body, one.target) for one in plan.remedies),
        since=since,
    )


def title_of(incident: Incident) -> str:
    """What it is about, in one line."""
    lead = incident.findings[0]
    account = lead.asset.account or "an unknown account"
    assets = {finding.asset.id for finding in incident.findings}
    many, hidden = len(assets) > 1 or incident.size > len(incident.members), incident.size > len(incident.members)
    if incident.scope == "backlog" and many:
        return f"Backlog of {account}: {_counted(incident.size, 'quiet finding')}"
    if incident.scope == "problem" and many:
        what = "single detections" if lead.kind is Kind.THREAT else "high weaknesses"
        places = f"{len(assets)} assets or more" if hidden else f"{len(assets)} assets"
        return f"{incident.size:,} {what} on {places} of {account}, first: {lead.title}"
    said, shown = str(lead.title or lead.kind.value).rstrip("."), _shown(lead.asset)
    if shown in said:
        return said
    kind = "an asset" if lead.asset.kind is AssetKind.OTHER else lead.asset.kind.value.replace("_", " ")
    return f"{said} on {kind} {shown}"


_NUMBER = re.compile(r"^[\d,]+(?= (?:single detections|high weaknesses) on )|(?<=: )[\d,]+(?= quiet findings$)")


def renumbered(title: str, number: int) -> str:
    """The title of a fold that has so many findings now; one that names no number stays as it is."""
    return _NUMBER.sub(f"{number:,}", title, count=1)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shown(asset: Asset) -> str:
    return "without a name" if asset.id.startswith("unnamed:") else asset.shown


def _joined(sentences: Iterable[Sentence]) -> str:
    return " ".join(one.text for one in sentences)


def _cites(assessment: Assessment) -> CitesRow:
    texts = (assessment.summary, assessment.impact, assessment.root_cause)
    return CitesRow(*(tuple(dict.fromkeys(cite for one in sentences for cite in one.cites)) for sentences in texts))


def _assets(findings: Iterable[Finding]) -> tuple[AssetRow, ...]:
    """Each asset once, with what any platform said of it."""
    told: dict[str, list[Asset]] = {}
    for finding in findings:
        told.setdefault(finding.asset.id, []).append(finding.asset)
    return tuple(_asset(name, assets) for name, assets in told.items())


def _asset(name: str, told: Sequence[Asset]) -> AssetRow:
    return AssetRow(
        id=name,
        kind=next((one.kind.value for one in told if one.kind is not AssetKind.OTHER), AssetKind.OTHER.value),
        name=next((str(one.name) for one in told if one.name), ""),
        provider=next((one.provider for one in told if one.provider), ""),
        account=next((one.account for one in told if one.account), ""),
        region=next((one.region for one in told if one.region), ""),
        aliases=tuple(sorted({alias for one in told for alias in one.aliases} - {name})),
    )


def _controls(findings: Iterable[Finding]) -> tuple[ControlRow, ...]:
    pairs = {(one.framework, one.requirement) for finding in findings for one in finding.controls}
    return tuple(ControlRow(*pair) for pair in sorted(pairs))


def _member(member: Member) -> FindingRow:
    finding = member.finding
    return FindingRow(
        source=finding.source,
        source_id=finding.source_id,
        kind=finding.kind.value,
        title=str(finding.title),
        severity=finding.severity.word,
        asset=finding.asset.id,
        merged_because=member.because,
        link=finding.link if finding.link.startswith("https://") else "",
    )


def _path(incident: Incident) -> PathRow | None:
    path = attack_path(incident)
    if path is None:
        return None
    nodes = tuple(NodeRow(one.id, one.kind, one.label, one.role, one.hop) for one in path.nodes)
    return PathRow(nodes, tuple(EdgeRow(one.source, one.target, one.label) for one in path.edges), path.critical or None)


def _actions(plan: Plan) -> tuple[ActionRow, ...]:
    return tuple(ActionRow(one.ability, one.target, dict(one.parameters), one.rank) for one in plan.actions)

"""Verdict, confidence and plain words, by rules over facts. Every sentence cites the facts it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from isthmus.assess.score import reasons_for, threat_weight
from isthmus.assess.ssvc import priority
from isthmus.model.assessment import Assessment, Confidence, Verdict
from isthmus.model.estate import Criticality, Environment
from isthmus.model.facts import Fact, Index, Sentence, about, indexed
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident, Word
from isthmus.model.problems import Problem

_HIGH, _MEDIUM = 4, 3


def assess(incident: Incident, given: Sequence[Fact]) -> Assessment:
    """What these facts make of the incident. Pure: the same facts give the same assessment."""
    facts, reasons = indexed(given), reasons_for(incident, given)
    missing = tuple(_missing(incident, facts))
    return Assessment(
        score=sum(reason.points for reason in reasons),
        reasons=reasons,
        priority=priority(given),
        verdict=_verdict(incident, facts),
        confidence=_confidence(incident, facts, missing),
        missing=missing,
        summary=tuple(_summary(incident, facts)),
        impact=tuple(_impact(facts)),
        root_cause=tuple(_root_cause(incident, facts)),
    )


def judged(assessment: Assessment, word: Word | None) -> Assessment:
    """The assessment with a person's verdict in place of ours, where there is one."""
    if word is None:
        return assessment
    said = Sentence(f"Verdict by {word.person}: {word.value.replace('_', ' ')}.", ())
    verdict = Verdict(word.value)
    return replace(assessment, verdict=verdict, confidence=Confidence.HIGH, summary=(said, *assessment.summary))


def _verdict(incident: Incident, facts: Index) -> Verdict:
    """Who read a configuration or a package list is believed; a detection when it is grave or not alone.

    Only what consists of ordered detections and nothing else is benign.
    """
    threats = [one for one in about(facts, "threat") if threat_weight(one) >= _MEDIUM]
    if about(facts, "expected") and not about(facts, "severity"):
        return Verdict.BENIGN_POSITIVE
    if threats:
        grave = any(threat_weight(one) >= _HIGH for one in threats)
        return Verdict.TRUE_POSITIVE if grave or len(threats) > 1 else Verdict.UNDETERMINED
    only_quiet_detections = all(finding.kind is Kind.THREAT for finding in incident.findings)
    return Verdict.UNDETERMINED if only_quiet_detections else Verdict.TRUE_POSITIVE


def _corroborated(incident: Incident, facts: Index) -> bool:
    if incident.scope != "story":
        return False
    several = sum(threat_weight(one) >= _MEDIUM for one in about(facts, "threat")) > 1
    return several or len({finding.source for finding in incident.findings}) > 1


def _confidence(incident: Incident, facts: Index, missing: Sequence[str]) -> Confidence:
    if incident.scope == "backlog":
        return Confidence.LOW
    if _corroborated(incident, facts):
        return Confidence.HIGH if len(missing) <= 2 else Confidence.MEDIUM
    weak = [one for one in about(facts, "threat") if threat_weight(one) == _MEDIUM]
    return Confidence.LOW if weak or len(missing) > 3 else Confidence.MEDIUM


def _missing(incident: Incident, facts: Index) -> Iterator[str]:
    """What would make us surer, named so that somebody can go and get it."""
    if not about(facts, "internet"):
        yield "whether it can be reached from the internet"
    if about(facts, "environment", Environment.UNKNOWN):
        yield "which environment the account is (set it in the settings)"
    if not about(facts, "owner"):
        yield "who owns it"
    if len({finding.source for finding in incident.findings}) == 1:
        yield "a second platform's word"
    if about(facts, "exploited") and not about(facts, "threat"):
        yield "whether it was exploited here (runtime events)"
    if about(facts, "threat") and not any(finding.indicators or finding.ties for finding in incident.findings[:50]):
        yield "who did it and from where"


def _ids(facts: Sequence[Fact], most: int = 3) -> tuple[str, ...]:
    return tuple(one.id for one in facts[:most])


def _summary(incident: Incident, facts: Index) -> Iterator[Sentence]:
    sources = sorted({finding.source for finding in incident.findings})
    assets = {finding.asset.id for finding in incident.findings}
    hidden = f", the gravest {len(incident.members)} of them shown," if incident.size > len(incident.members) else ""
    yield Sentence(
        f"{_counted(incident.size, 'finding')}{hidden} from {', '.join(sources)} about {_counted(len(assets), 'asset')}.",
        _ids(about(facts, "severity") or about(facts, "expected"), 1),
    )
    threats = about(facts, "threat")
    if threats:
        yield Sentence(f"Seen: {'; '.join(one.text for one in threats[:4])}.", _ids(threats, 4))
    exploited = about(facts, "exploited")
    if exploited:
        yield Sentence(f"{'; '.join(one.text for one in exploited[:3])}.", _ids(exploited))
    reachable = about(facts, "internet", "true")
    if reachable:
        yield Sentence(f"{reachable[0].text}.", _ids(reachable, 1))
    ordered, gravest = about(facts, "expected"), about(facts, "severity")
    if ordered:
        yield Sentence(f"Ordered by ourselves: {ordered[0].value}.", _ids(ordered, 1))
    if gravest and not threats and not exploited:
        yield Sentence(f"Gravest: {gravest[0].text}.", _ids(gravest, 1))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _impact(facts: Index) -> Iterator[Sentence]:
    said = False
    for name, value, text in (
        ("sensitive", "true", "Sensitive data is within reach."),
        ("privileged", "true", "Whoever holds it can change much of the estate."),
        ("criticality", Criticality.HIGH, "The business rates it as highly critical."),
    ):
        found = about(facts, name, value)
        if found:
            said = True
            yield Sentence(text, _ids(found))
    environments = about(facts, "environment")
    if environments:
        yield Sentence(f"{environments[0].text[:1].upper()}{environments[0].text[1:]}.", _ids(environments, 1))
    if not said:
        yield Sentence("No platform said that sensitive data or high privileges are within reach.", ())


_CAUSES = {
    Problem.LEAKED_KEY: "A long-lived secret lies where others can read it.",
    Problem.PUBLIC_BUCKET: "The bucket's policy, access list or public-access block lets anyone in.",
    Problem.PUBLIC_DATABASE: "A data store answers to the whole internet.",
    Problem.OPEN_SECURITY_GROUP: "A firewall rule lets any address in.",
    Problem.PERMISSIVE_IDENTITY: "An identity holds far more permissions than its work needs.",
    Problem.EXPOSED_INSTANCE: "A workload answers to the whole internet.",
}


def _root_cause(incident: Incident, facts: Index) -> Iterator[Sentence]:
    """The most likely door: an exploited or open weakness on an asset of the story; else the weakness itself; else unknown."""
    threats = bool(about(facts, "threat"))
    for finding in incident.findings[:200]:
        text = _cause_in(finding, facts)
        if text:
            lead = "Most likely way in: " if threats else ""
            yield Sentence(lead + text, _ids(_of_asset(facts, finding), 2))
            return
    if about(facts, "expected") and not threats:
        yield Sentence("Activity the settings say we ordered.", _ids(about(facts, "expected"), 1))
    elif threats:
        yield Sentence("Not established: no platform reported a weakness on these assets that explains the way in.", ())
    else:
        yield Sentence("The weakness itself, as the platform describes it.", _ids(about(facts, "severity"), 1))


def _of_asset(facts: Index, finding: Finding) -> tuple[Fact, ...]:
    return tuple(one for name, told in facts.items() if name != "owner" for one in told if one.asset == finding.asset.id)


def _cause_in(finding: Finding, facts: Index) -> str:
    if finding.kind is Kind.VULNERABILITY:
        exploited = {one.value for one in about(facts, "exploited")}
        for one in finding.vulnerabilities:
            if one.cve in exploited or finding.internet:
                fixed = f"; fixed in {one.fixed_version}" if one.fixed_version else ""
                return f"{one.cve} in {one.package or 'a package'} {one.version}".rstrip() + f" on {finding.asset.id}{fixed}."
        return ""
    return next((f"{_CAUSES[one]} ({finding.asset.id})" for one in finding.problems if one in _CAUSES), "")

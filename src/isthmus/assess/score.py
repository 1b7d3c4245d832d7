"""The business-risk score: arithmetic over facts, every point with its reason and its citations.

Reads what platforms said in fields of their own, what the world says of a CVE, and what we know ourselves. Words of an
alert give no points and take none away. Only our own settings, or the platform's own word that it stopped an attack,
can make anything less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isthmus.model.assessment import Reason
from isthmus.model.estate import Criticality, Environment
from isthmus.model.facts import Fact, Index, about, indexed
from isthmus.model.incidents import Incident
from isthmus.model.severity import Severity

HIGHEST = 100
BACKLOG_CEILING = 35
ORDERED = 5
_SEVERITY = {"critical": 40, "high": 30, "unknown": 30, "medium": 18, "low": 8, "informational": 2}
_THREAT = {5: 20, 4: 20, 3: 12, 2: 0, 1: 0}
_EACH_FURTHER, _MOST_FURTHER = 6, 24
_MEDIUM = 3


def reasons_for(incident: Incident, given: Sequence[Fact]) -> tuple[Reason, ...]:
    """Why the score is what it is; the points add up to it and stay between 0 and 100."""
    facts = indexed(given)
    raised = [reason for reason in _raising(incident, facts) if reason.points]
    total = sum(reason.points for reason in raised)
    for text, ceiling, cites in _ceilings(incident, facts):
        if total > ceiling:
            raised.append(Reason(text, ceiling - total, cites))
            total = ceiling
    return tuple(raised)


def _raising(incident: Incident, facts: Index) -> Iterator[Reason]:
    yield _severity(facts)
    yield from _threats(facts)
    yield from _exploitation(facts)
    yield from _standing(facts)
    yield from _estate(facts)
    sources = {finding.source for finding in incident.findings} if incident.scope == "story" else set()
    if len(sources) > 1:
        told = {one.source: one.id for told in reversed(list(facts.values())) for one in reversed(told)}
        first = [told[source] for source in sorted(sources) if source in told]
        yield Reason(f"{len(sources)} platforms tell of it: {', '.join(sorted(sources))}", 4, tuple(first))


def _ids(facts: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(one.id for one in facts[:3])


def _severity(facts: Index) -> Reason:
    words = [one.value for one in about(facts, "severity")]
    if not words:
        return Reason("all of it was ordered by ourselves", ORDERED, _ids(about(facts, "expected")))
    word = max(words, key=lambda one: _SEVERITY[one])
    said = " (a word we do not know counts as high)" if word == "unknown" else ""
    return Reason(f"gravest severity given: {word}{said}", _SEVERITY[word], _ids(about(facts, "severity", word)))


def threat_weight(one: Fact) -> int:
    """Severity weight 1-5 of a `threat` fact."""
    return int(one.value.split(" ", 1)[0])


def _threats(facts: Index) -> Iterator[Reason]:
    """One detection may be wrong; each further sort of detection in the same story makes it surer that it is not."""
    seen = sorted(about(facts, "threat"), key=threat_weight, reverse=True)
    if not seen or not _THREAT[threat_weight(seen[0])]:
        return
    stopped = about(facts, "blocked")
    if stopped:
        yield Reason("an attack was tried, and the platform says it stopped every detection", 0, _ids(stopped))
        return
    weight = threat_weight(seen[0])
    word = Severity(weight).word
    yield Reason(f"an attack was seen, not only a weakness ({word} detection)", _THREAT[weight], _ids(seen))
    different = [one for one in seen if threat_weight(one) >= _MEDIUM]
    if len(different) > 1:
        points = min(_EACH_FURTHER * (len(different) - 1), _MOST_FURTHER)
        yield Reason(f"{len(different)} different detections in one story", points, _ids(different))


def _exploitation(facts: Index) -> Iterator[Reason]:
    reachable = about(facts, "internet", "true")
    exploited = about(facts, "exploited")
    if exploited and reachable:
        yield Reason("exploited in the wild and reachable from the internet", 20, _ids(exploited) + _ids(reachable)[:1])
    elif exploited:
        yield Reason("exploited in the wild; no platform says it can be reached", 12, _ids(exploited))
    elif likely := sorted(about(facts, "epss"), key=lambda one: one.value, reverse=True):
        yield Reason("likely to be exploited soon (EPSS)", 8 if likely[0].value >= "0.50" else 4, _ids(likely))
    elif public := about(facts, "exploit"):
        yield Reason("an exploit is public", 4, _ids(public))
    scores = sorted(about(facts, "cvss"), key=lambda one: one.value, reverse=True)
    if scores and scores[0].value >= "07.0":
        yield Reason(f"CVSS {scores[0].value.lstrip('0')}", 4 if scores[0].value >= "09.0" else 2, _ids(scores)[:1])


def _standing(facts: Index) -> Iterator[Reason]:
    for name, text, points in (
        ("internet", "reachable from the internet", 10),
        ("sensitive", "sensitive data within reach", 10),
        ("privileged", "high privileges within reach", 8),
    ):
        said = about(facts, name, "true")
        if said:
            yield Reason(text, points, _ids(said))
    if keys := about(facts, "secret", "key"):
        yield Reason("a key of an identity is out", 15, _ids(keys))
    elif secrets := about(facts, "secret"):
        yield Reason("a secret lies where it should not", 6, _ids(secrets))


def _estate(facts: Index) -> Iterator[Reason]:
    critical = about(facts, "criticality", Criticality.HIGH)
    if critical:
        yield Reason("of high criticality to the business", 8, _ids(critical))
    for environment, text in (
        (Environment.PRODUCTION, "production"),
        (Environment.UNKNOWN, "environment unknown: counts as production"),
    ):
        said = about(facts, "environment", environment)
        if said:
            yield Reason(text, 4, _ids(said)[:1])
            return


def _ceilings(incident: Incident, facts: Index) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    if incident.scope == "backlog":
        yield "ceiling: quiet, without attack or exploitation", BACKLOG_CEILING, _ids(about(facts, "severity"))
    yield "ceiling: a score ends at 100", HIGHEST, _ids(about(facts, "severity"))

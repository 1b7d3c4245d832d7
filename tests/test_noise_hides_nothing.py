"""What else comes in makes a finding no milder: not its score, not its priority, not the belief in it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telling import asset, documented, finding, told, triaged

from isthmus.answer.document import IncidentRow
from isthmus.model.assets import AssetKind
from isthmus.model.findings import Finding, Indicator, Kind, Vulnerability
from isthmus.model.severity import Severity

PRIORITIES = ["track", "track*", "attend", "act"]
KINDS = {
    Kind.THREAT: "wiz",
    Kind.MISCONFIGURATION: "wiz",
    Kind.TOXIC_COMBINATION: "wiz",
    Kind.VULNERABILITY: "wiz",
    Kind.SECRET: "orca",
}
ORDER = 'expected:\n  - {addresses: ["198.51.100.9"], until: 2026-03-09, why: "pentest"}\n'

described = st.builds(
    lambda kind, on, number, severity, internet, ip: replace(
        finding(kind, asset(on, number), "Something", severity, internet=internet),
        vulnerabilities=(Vulnerability("CVE-2021-44228", "log4j", "2.14", "2.17", 9.8),) if kind is Kind.VULNERABILITY else (),
        indicators=(Indicator("ip", ip),) if kind is Kind.THREAT else (),
    ),
    kind=st.sampled_from(list(KINDS)),
    on=st.sampled_from([AssetKind.INSTANCE, AssetKind.BUCKET, AssetKind.ROLE]),
    number=st.integers(1, 3),
    severity=st.sampled_from(list(Severity)[1:]),
    internet=st.sampled_from([None, False, True]),
    ip=st.sampled_from(["203.0.113.9", "198.51.100.9"]),
)


def gravity(victim: Finding, among: list[Finding]) -> tuple[int, int]:
    """Score and priority of the incident that holds the victim, which is always number 1."""
    named = [
        replace(one, source_id=f"7f0c2d54-0a54-4f0e-9d53-{n:012d}", rule=f"rule-{n}")
        for n, one in enumerate([victim, *among], 1)
    ]
    document = documented(triaged([told(KINDS[one.kind], one) for one in named], ORDER))
    holder = next(one for one in document.incidents if _holds(one, named[0].source_id))
    return holder.score, PRIORITIES.index(holder.priority)


def _holds(incident: IncidentRow, source_id: str) -> bool:
    return any(one.source_id.endswith(source_id[-12:]) or source_id in one.source_id for one in incident.findings)


@settings(max_examples=400)
@given(described, described)
def test_one_more_finding_takes_nothing_from_another(victim: Finding, other: Finding) -> None:
    alone, together = gravity(victim, []), gravity(victim, [other])
    assert together[1] >= alone[1]
    assert together[0] >= alone[0]

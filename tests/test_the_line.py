"""From bytes to a ranked, explained incident, through the real vendors' shapes."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telling import asset, documented, finding, told, triaged

from isthmus.answer.document import TriageDocument
from isthmus.model.assets import AssetKind
from isthmus.model.findings import Indicator, Kind, Tie, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status
from isthmus.model.triage import Triage

LOG4J = Vulnerability("CVE-2021-44228", "log4j-core", "2.14.1", "2.17.1", 10.0)
ROLE = asset(AssetKind.ROLE)
HOST = asset(AssetKind.INSTANCE)
BUCKET = asset(AssetKind.BUCKET)
KEY = asset(AssetKind.ACCESS_KEY)
REMOTE = (Indicator("ip", "203.0.113.9"),)


def an_attack() -> list[Any]:
    """One story told by several platforms: a door, a shell, stolen credentials, a bucket; and things beside it."""
    hole = finding(Kind.VULNERABILITY, HOST, "CVE-2021-44228 in log4j-core", Severity.CRITICAL, "1", vulnerabilities=(LOG4J,))
    shell = finding(Kind.THREAT, HOST, "Reverse shell", Severity.HIGH, "2", indicators=REMOTE)
    theft = finding(Kind.THREAT, BUCKET, "Bulk download", Severity.MEDIUM, "3", ties=(Tie("actor", ROLE),), indicators=REMOTE)
    public = finding(Kind.MISCONFIGURATION, asset(AssetKind.BUCKET, 2), "Bucket public", Severity.HIGH, "4", internet=True)
    quiet = [
        finding(Kind.MISCONFIGURATION, asset(AssetKind.USER, number), "No MFA", Severity.LOW, str(number))
        for number in range(10, 20)
    ]
    return [
        told("wiz", replace(hole, internet=True)),
        told("guardduty", shell),
        told("wiz", shell),
        told("wiz", theft),
        told("orca", public),
        told("wiz", replace(public, kind=Kind.TOXIC_COMBINATION)),
        *(told("prisma", one) for one in quiet),
    ]


def shape_of(done: Triage) -> list[tuple[str, frozenset[str], int]]:
    return [
        (one.id, frozenset(each.key for each in one.findings), one.current.assessment.score if one.current.assessment else -1)
        for one in done.incidents
    ]


def test_an_attack_seen_by_several_platforms_is_one_incident_on_top() -> None:
    top = triaged(an_attack()).incidents[0]
    assert {one.source for one in top.findings} == {"wiz", "guardduty"}
    assert {one.kind for one in top.findings} == {Kind.VULNERABILITY, Kind.THREAT}
    assert any("same remote address" in one.because for one in top.members)
    assert top.current.assessment is not None
    assert top.current.assessment.score >= 80


def test_the_same_problem_seen_by_two_platforms_on_one_asset_is_one_incident() -> None:
    vendors = ["wiz", "prisma", "orca", "securityhub", "ocsf"]
    for severity in (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL):
        for one, other in itertools.combinations(vendors, 2):
            public = finding(Kind.MISCONFIGURATION, BUCKET, "S3 bucket is publicly readable", severity, internet=True)
            done = triaged([told(one, public), told(other, replace(public, title=Outside("Bucket policy allows anyone")))])
            assert [len(each.members) for each in done.incidents] == [2], (one, other, severity)


@given(st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_incidents(shuffled: random.Random) -> None:
    payloads = an_attack()
    again = payloads + shuffled.sample(payloads, 4)
    shuffled.shuffle(again)
    first, second = triaged(payloads), triaged(again)
    assert shape_of(first) == shape_of(second)
    assert second.counts.duplicate == first.counts.duplicate + 4


def test_conservation_and_every_finding_in_exactly_one_place() -> None:
    done = triaged(
        [
            *an_attack(),
            {"what": "is this"},
            b"{",
            told("wiz", finding(Kind.THREAT, HOST, "x", name="9", status=Status.RESOLVED)),
        ]
    )
    kept = [one.key for incident in done.incidents for one in incident.findings]
    assert len(kept) == len(set(kept))
    assert len(kept) + len(done.suppressed) == done.counts.stored
    assert done.counts.seen == done.counts.stored + done.counts.duplicate + done.counts.rejected
    assert done.counts.rejected == 2


def test_the_document_keeps_its_contract() -> None:
    document = documented(triaged(an_attack()))
    facts = {one.id for one in document.facts}
    for incident in document.incidents:
        assert sum(one.points for one in incident.score_reasons) == incident.score
        cites = [cite for one in incident.score_reasons for cite in one.cites]
        cites += [*incident.cites.summary, *incident.cites.impact, *incident.cites.root_cause]
        assert set(cites) <= facts
        assert all(one.cites for one in incident.score_reasons)
        assert [one.rank for one in incident.actions] == list(range(1, len(incident.actions) + 1))
        assert all(one.merged_because for one in incident.findings)
    again = msgspec.json.decode(msgspec.json.encode(document), type=TriageDocument)
    assert again == document


def test_the_attack_path_is_drawn_from_outside_to_the_data() -> None:
    path = documented(triaged(an_attack())).incidents[0].attack_path
    assert path is not None
    assert path.nodes[0].role == "outside"
    assert any(one.kind == "bucket" and one.role == "goal" for one in path.nodes)
    assert {one.source for one in path.edges} | {one.target for one in path.edges} <= {one.id for one in path.nodes}


@pytest.mark.parametrize(
    ("kind", "on", "title", "form", "words"),
    [
        (Kind.MISCONFIGURATION, BUCKET, "S3 bucket is public", "terraform", "aws_s3_bucket_public_access_block"),
        (Kind.MISCONFIGURATION, ROLE, "Role has full administrative privileges", "policy", "Deny"),
        (Kind.SECRET, KEY, "Access key leaked in a repository", "cli", "update-access-key"),
        (Kind.VULNERABILITY, HOST, "CVE-2021-44228", "text", "Upgrade log4j-core 2.14.1 to 2.17.1"),
        (Kind.THREAT, HOST, "Cryptomining process", "cli", "create-snapshots"),
        (
            Kind.MISCONFIGURATION,
            asset(AssetKind.SECURITY_GROUP),
            "Security group allows SSH from anywhere",
            "terraform",
            "ingress",
        ),
    ],
)
def test_each_sort_of_incident_has_a_remedy_fitted_to_it(kind: Kind, on: Any, title: str, form: str, words: str) -> None:
    vulnerabilities = (LOG4J,) if kind is Kind.VULNERABILITY else ()
    one = finding(kind, on, title, Severity.CRITICAL, internet=True, vulnerabilities=vulnerabilities)
    vendor = "orca" if kind is Kind.SECRET else "wiz"
    incident = documented(triaged([told(vendor, one)])).incidents[0]
    fitted = [each for each in incident.remediation if each.form == form and words in each.body]
    assert fitted, incident.remediation
    assert incident.actions[0].ability != "case.open"


def test_an_expired_order_is_an_attack_again() -> None:
    scan = told("wiz", finding(Kind.THREAT, HOST, "Port scan", Severity.HIGH, indicators=REMOTE))
    order = 'expected:\n  - addresses: ["203.0.113.9"]\n    until: {}\n    why: "pentest of the quarter"\n'
    standing = triaged([scan], order.format("2026-03-09")).incidents[0].current.assessment
    expired = triaged([scan], order.format("2026-03-01")).incidents[0].current.assessment
    assert standing is not None
    assert expired is not None
    assert (standing.verdict, standing.score <= 20) == ("benign_positive", True)
    ordered = documented(triaged([scan], order.format("2026-03-09"))).incidents[0]
    assert [one.ability for one in ordered.actions] == ["case.open"]
    assert (expired.verdict, expired.score > 50) == ("true_positive", True)


def test_only_our_own_inventory_makes_an_environment_mild() -> None:
    tagged = replace(HOST, tags=(("env", Outside("dev")), ("Environment", Outside("sandbox"))))
    one = finding(Kind.THREAT, tagged, "Reverse shell", Severity.HIGH)
    plain = finding(Kind.THREAT, HOST, "Reverse shell", Severity.HIGH)
    assert shape_of(triaged([told("wiz", one)])) == shape_of(triaged([told("wiz", plain)]))
    ours = 'accounts:\n  "210987654321": {environment: development, owner: payments}\n'
    milder = documented(triaged([told("wiz", plain)], ours)).incidents[0]
    assert (milder.environment, milder.owner) == ("development", "payments")
    assert milder.score < documented(triaged([told("wiz", plain)])).incidents[0].score


def test_hygiene_gets_a_remedy_and_no_containment() -> None:
    for kind, on, title in (
        (Kind.MISCONFIGURATION, asset(AssetKind.USER), "Ensure MFA is enabled for all IAM users"),
        (Kind.VULNERABILITY, HOST, "CVE-2022-4899 in libzstd1"),
        (Kind.MISCONFIGURATION, ROLE, "Role unused for 90 days"),
    ):
        cves = (Vulnerability("CVE-2022-4899", "libzstd1", "1.4.8", "1.5.4", 7.5),) if kind is Kind.VULNERABILITY else ()
        (one,) = documented(triaged([told("wiz", finding(kind, on, title, Severity.HIGH, vulnerabilities=cves))])).incidents
        assert [each.ability for each in one.actions] == ["case.open"], title


def test_a_blocked_attack_is_no_incident_to_act_on() -> None:
    ran = told("prisma", finding(Kind.THREAT, HOST, "Crypto miner", Severity.HIGH))
    stopped = told("prisma", finding(Kind.THREAT, HOST, "Crypto miner", Severity.HIGH, blocked=True))
    (first,), (second,) = (documented(triaged([one])).incidents for one in (ran, stopped))
    assert (first.priority, second.priority) == ("act", "track")
    assert second.score < first.score

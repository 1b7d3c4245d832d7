"""Alerts as a CNAPP tells them in a week: most are posture, some are vulnerabilities, a few are attacks; 2.5 to 4 KB each."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from isthmus import assembly
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Indicator, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PER_ASSET = 10
"""Findings on one asset, on average."""
PER_ACCOUNT = 5_000
GRAVE = "c0ffee00"
"""How the id of an attack on a machine of its own begins: each is an incident, and each gets a case."""
_KINDS = (AssetKind.INSTANCE, AssetKind.BUCKET, AssetKind.ROLE, AssetKind.USER, AssetKind.SECURITY_GROUP)
_TITLES = (
    "Bucket is public",
    "Unencrypted volume",
    "Security group allows SSH from anywhere",
    "Key not rotated",
    "Log is not kept",
)
_TOLD = "What the platform writes about it: how it was found, since when it is so, and what is recommended. " * 20
_SEVERITIES = (Severity.INFORMATIONAL, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


def account(number: int) -> str:
    """The id of an account."""
    return f"21{number:010d}"


def findings(seed: int, count: int, accounts: int, start: int = 0) -> Iterator[Finding]:
    """So many, each its own, over these accounts and ten times fewer assets; the same ones for the same seed."""
    chance = random.Random(seed)
    fleet = max(count // PER_ASSET // accounts, 5)
    for number in range(start, start + count):
        yield _finding(chance, seed, number, account(chance.randrange(accounts)), fleet)


def _finding(chance: random.Random, seed: int, number: int, home: str, fleet: int) -> Finding:
    kind = chance.choices((Kind.MISCONFIGURATION, Kind.VULNERABILITY, Kind.THREAT), (65, 30, 5))[0]
    cve = Vulnerability(
        f"CVE-2025-{10_000 + chance.randrange(3_000)}", "openssl", "3.0.1", "3.0.9", chance.choice([5.5, 7.8, 9.8])
    )
    return Finding(
        source="wiz",
        source_id=f"{seed:08x}-0a54-4f0e-9d53-{number:012d}",
        kind=kind,
        title=Outside(cve.cve if kind is Kind.VULNERABILITY else chance.choice(_TITLES)),
        description=Outside(_TOLD),
        rule=f"rule-{chance.randrange(60)}",
        severity=chance.choices(_SEVERITIES, (10, 40, 35, 13, 2))[0],
        asset=_asset(chance, home, fleet),
        times=Times(NOW - timedelta(hours=chance.randrange(200)), NOW - timedelta(minutes=chance.randrange(60))),
        vulnerabilities=(cve,) if kind is Kind.VULNERABILITY else (),
        indicators=(Indicator("ip", f"198.51.{chance.randrange(250)}.{chance.randrange(250)}"),) if kind is Kind.THREAT else (),
        internet=chance.choice([None, None, False, True]),
    )


def _asset(chance: random.Random, home: str, fleet: int) -> Asset:
    number, kind = chance.randrange(fleet), chance.choice(_KINDS)
    ids = {
        AssetKind.INSTANCE: f"arn:aws:ec2:eu-west-1:{home}:instance/i-0{number:016x}",
        AssetKind.BUCKET: f"arn:aws:s3:::tidewater-{home}-{number}",
        AssetKind.SECURITY_GROUP: f"arn:aws:ec2:eu-west-1:{home}:security-group/sg-0{number:016x}",
    }
    given = ids.get(kind, f"arn:aws:iam::{home}:{kind.value}/name-{number}")
    return Asset(kind, "aws", home, "eu-west-1", Outside(f"{kind.value}-{number}"), (given,))


def grave(seed: int, number: int, home: str) -> Finding:
    """An attack on a machine that has nothing else."""
    machine = f"arn:aws:ec2:eu-west-1:{home}:instance/{host(seed, number)}"
    return Finding(
        source="wiz",
        source_id=f"{GRAVE}-{seed % 65_536:04x}-4f0e-9d53-{number:012d}",
        kind=Kind.THREAT,
        title=Outside("Reverse shell on a machine"),
        description=Outside(_TOLD),
        rule="rule-shell",
        severity=Severity.CRITICAL,
        asset=Asset(AssetKind.INSTANCE, "aws", home, "eu-west-1", Outside(f"web-{number}"), (machine,)),
        times=Times(NOW - timedelta(minutes=5), NOW - timedelta(minutes=1)),
        attack=("T1059",),
    )


def host(seed: int, number: int) -> str:
    """The id of the machine of an attack."""
    return f"i-0{seed % 65_536:04x}{number:012x}"


def body(finding: Finding) -> bytes:
    """The finding as Wiz's API tells it."""
    return json.dumps(next(iter(assembly.connector("wiz").simulator.payloads(finding)))).encode()

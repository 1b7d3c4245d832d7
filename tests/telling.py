"""Alerts for tests: findings written down by vendors' simulators, triaged through the real line."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus import assembly, pipeline
from isthmus.answer import report
from isthmus.answer.document import TriageDocument
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity
from isthmus.model.triage import Triage
from isthmus.settings import Settings, parse

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ACCOUNT = "210987654321"


def asset(kind: AssetKind = AssetKind.INSTANCE, number: int = 1) -> Asset:
    """An AWS asset of this kind; the same number is the same asset."""
    ids = {
        AssetKind.INSTANCE: f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0{number:016x}",
        AssetKind.BUCKET: f"arn:aws:s3:::tidewater-{number}",
        AssetKind.ROLE: f"arn:aws:iam::{ACCOUNT}:role/service-{number}",
        AssetKind.USER: f"arn:aws:iam::{ACCOUNT}:user/person-{number}",
        AssetKind.ACCESS_KEY: f"AKIA{number:016d}",
        AssetKind.SECURITY_GROUP: f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-0{number:016x}",
    }
    return Asset(kind, "aws", ACCOUNT, "eu-west-1", Outside(f"{kind.value}-{number}"), (ids[kind],))


def finding(kind: Kind, on: Asset, title: str, severity: Severity = Severity.HIGH, name: str = "1", **more: Any) -> Finding:
    """A finding of a day ago; `name` makes it another one."""
    plain = Finding(
        source="",
        source_id=f"7f0c2d54-0a54-4f0e-9d53-{int(name):012d}",
        kind=kind,
        title=Outside(title),
        rule=f"rule-{name}",
        severity=severity,
        asset=on,
        times=Times(NOW - timedelta(days=1), NOW - timedelta(hours=2)),
    )
    return replace(plain, **more)


def told(vendor: str, one: Finding, shape: int = 0) -> dict[str, Any]:
    """The finding as this vendor writes it, as plain JSON."""
    connector = next(each for each in assembly.catalogue() if each.name == vendor)
    payload = list(connector.simulator.payloads(replace(one, source=vendor)))[shape]
    plain: dict[str, Any] = json.loads(json.dumps(payload))
    return plain


def triaged(payloads: Iterable[Any], settings: str = "") -> Triage:
    """These payloads, each a delivery of its own, through the line."""
    parts = assembly.parts(parse(settings, "settings") if settings else Settings(), None)
    intake = pipeline.Intake(parts)
    for number, payload in enumerate(payloads):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        intake.take(f"delivery-{number}", io.BytesIO(body), Origin(received=NOW))
    with asyncio.Runner() as runner:
        return runner.get_loop().run_until_complete(pipeline.triage(intake, parts, NOW))


def documented(done: Triage) -> TriageDocument:
    """The document of a triage."""
    return report.document(done, (), NOW, {one.id: None for one in done.incidents})

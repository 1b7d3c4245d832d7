"""How pressing a delivery looks: near what its reading says, for every vendor's samples, and cheap whatever it holds."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.record.urgency import HIGH, HIGHEST, LOOKED_AT, LOWEST, MIDDLE, urgency

CONNECTORS = Path(__file__).parents[2] / "src/isthmus/connectors"
MEANT = {"unknown": 1, "informational": 0, "low": 0, "medium": 1, "high": 2, "critical": 3}


def samples() -> list[tuple[str, bytes, int]]:
    found = []
    for path in sorted(CONNECTORS.glob("*/samples/*.json")):
        sample = json.loads(path.read_text(encoding="utf-8"))
        told = sample["expect"] if isinstance(sample["expect"], list) else [sample["expect"]]
        levels = [MEANT[one["severity"]] for one in told if isinstance(one, dict) and "severity" in one]
        if levels:
            found.append((path.parts[-3], json.dumps(sample["payload"]).encode(), max(levels)))
    return found


def test_what_the_vendors_call_grave_is_read_first() -> None:
    every = samples()
    guessed = [(urgency(source, body), meant) for source, body, meant in every]
    assert len(every) > 80
    assert sum(one == meant for one, meant in guessed) / len(every) > 0.9
    # What is critical is never taken for less than high.
    assert [
        (source, body) for (source, body, meant), (one, _) in zip(every, guessed, strict=True) if meant == 3 > one + 1
    ] == []


@pytest.mark.parametrize(
    ("source", "body", "meant"),
    [
        ("wiz", b'{"issue":{"severity":"CRITICAL"}}', HIGHEST),
        ("prisma", b'{"policy":{"severity" : "critical"}}', HIGHEST),
        ("orca", b'{"state":{"severity":"imminent compromise"}}', HIGHEST),
        ("orca", b'{"state":{"severity":"hazardous"}}', HIGH),
        ("orca", b'{"RiskLevel":{"value":"high"}}', HIGH),
        ("orca", b'{"OrcaScore": 9.1}', HIGHEST),
        ("lacework", b'{"event_severity":"1"}', HIGHEST),
        ("lacework", b'{"SEVERITY":2}', HIGH),
        ("lacework", b'{"SEVERITY":5}', LOWEST),
        ("guardduty", b'{"Severity":8.1}', HIGH),
        ("guardduty", b'{"severity":9}', HIGHEST),
        ("guardduty", b'{"severity":2}', LOWEST),
        ("ocsf", b'{"severity_id":5}', HIGHEST),
        ("ocsf", b'{"severity_id":99}', MIDDLE),
        ("securityhub", b'{"Severity":{"Normalized":90}}', HIGHEST),
        ("securityhub", b'{"Severity":{"Label":"LOW"}}', LOWEST),
        ("falco", b'{"priority":"Emergency"}', HIGHEST),
        ("wiz", b'{"body":"{\\"severity\\": \\"HIGH\\"}"}', HIGH),
        ("wiz", b'{"severity":"LOW","other":{"severity":"HIGH"}}', HIGH),
        ("wiz", b'{"title":"critical"}', MIDDLE),
        ("wiz", b"[]", MIDDLE),
        ("wiz", b'{"severity":"LOW"' + b" " * LOOKED_AT + b',"severity":"CRITICAL"}', LOWEST),
    ],
)
def test_each_spelling(source: str, body: bytes, meant: int) -> None:
    assert urgency(source, body) == meant


@given(st.binary(max_size=300), st.sampled_from(["wiz", "lacework", ""]))
def test_any_bytes_have_one(body: bytes, source: str) -> None:
    assert urgency(source, body) in range(4)
    assert urgency(source, b'"severity":"critical"' + body) == HIGHEST


@pytest.mark.parametrize(
    "part", [b'severity" ', b'severity":', b'severity\\\\\\\\"         :         {         "value"         :', b'label":"a ']
)
def test_no_body_takes_long(part: bytes) -> None:
    body = part * (2 * LOOKED_AT // len(part))
    began = time.thread_time()
    urgency("wiz", body)
    assert time.thread_time() - began < 0.2

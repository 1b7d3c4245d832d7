"""Targets, circumstances, packs and people for the tests of deciding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cedarpy

from isthmus import lab
from isthmus.decide.asking import Bundle, Circumstances
from isthmus.decide.bundle import load
from isthmus.model.assets import AssetKind
from isthmus.model.estate import Criticality, Environment
from isthmus.model.plans import Action, Target

LAB = Path(lab.__file__).parent / "policy"
ISOLATE = Action("aws.isolate_instance", "i-0abc", {}, 1)
TARGET = Target(
    "aws:210987654321/eu-west-1/instance/i-0abc",
    "i-0abc",
    AssetKind.INSTANCE,
    "aws",
    "210987654321",
    "eu-west-1",
    Environment.SANDBOX,
    Criticality.LOW,
    "team",
)
CASE = Target("case:jira/default/INC-1", "default/INC-1", AssetKind.OTHER, "case", "jira")
SURE = Circumstances(
    score=95,
    priority="act",
    verdict="true_positive",
    confidence="high",
    scope="story",
    confirmed=True,
    known_asset=True,
    reach=2,
    undoable=True,
    hour=12,
    weekday=2,
    verdict_by_person=False,
)


@cache
def lab_pack() -> Bundle:
    """The lab's pack, loaded once."""
    return load(LAB)


@cache
def saying(policies: str) -> Bundle:
    """A bundle of these policies as they are, unchecked: what it would be like if the checks at loading were passed by."""
    parsed = cedarpy.PolicySet.from_str(policies)
    return replace(lab_pack(), name="unchecked", policies=parsed)


EVERYTHING = "permit (principal, action, resource);"

GOLDEN = """
usual:
  target: {environment: sandbox, criticality: low, kind: instance, provider: aws, account: "1", region: r, owner: o,
    crown_jewel: false}
  circumstances: {score: 95, priority: act, verdict: true_positive, confidence: high, scope: story, confirmed: true,
    known_asset: true, reach: 1, undoable: true, hour: 12, weekday: 2, verdict_by_person: false}
cases:
  - name: nothing is known of this
    action: case.update
    circumstances: {priority: track}
    expect: refuse
"""


def pack(folder: Path, **files: str | bytes) -> Path:
    """A pack in this folder: `name_cedar=text` becomes `name.cedar`, `golden_yaml` is sane unless given."""
    for name, content in ({"golden_yaml": GOLDEN} | files).items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def also(one: Any, **changes: Any) -> Any:
    """`replace` without the type checker, for values that must not be."""
    return replace(one, **changes)

"""A step people are asked about, and people to ask."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tests.decide.making import ISOLATE, TARGET

from isthmus.decide.approvals import ask, counted, give
from isthmus.model.people import Person, Role
from isthmus.model.plans import Approval, Decision, Preview, Request, Ruling, Step, version_of

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTES = timedelta(minutes=5)
BEFORE = {"groups": ["sg-1"]}
PREVIEW = Preview(
    ISOLATE.ability,
    TARGET,
    ISOLATE.parameters,
    ("ec2:ModifyNetworkInterfaceAttribute eni-1 sg-empty",),
    BEFORE,
    version_of(BEFORE),
    AT,
)
ANN, BEN, CAT = (Person(name, "default", name.title(), Role.APPROVER) for name in ("ann", "ben", "cat"))
REQUESTER = Person("requester", "default", "Req", Role.APPROVER)
PEOPLE = {one.id: one for one in (ANN, BEN, CAT, REQUESTER)}


class Seal:
    """Signs and verifies as an installation's key does."""

    def __init__(self, key: bytes = b"key") -> None:
        self._key = key

    def __call__(self, content: bytes) -> str:
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def holds(self, content: bytes, signature: str) -> bool:
        return hmac.compare_digest(self(content), signature)


def asked(nonce: str = "nonce", people: int = 1, bundle: str = "bundle") -> Step:
    """Isolating an instance, asked at `AT`: half an hour to agree, a quarter of an hour more to do it."""
    decision = Decision(Ruling.ASK, ("ask",), "needs people", bundle, people)
    step = Step(ISOLATE, TARGET, decision, PREVIEW)
    half, quarter = timedelta(minutes=30), timedelta(minutes=15)
    request = ask(step, decision, REQUESTER.id, AT, nonce, half, quarter)
    return Step(ISOLATE, TARGET, decision, PREVIEW, request)


def request_of(step: Step) -> Request:
    """The question of this step, which there is."""
    assert step.request is not None
    return step.request


def held(step: Step, people: Mapping[str, Person], seal: Seal, now: datetime, bundle: str = "bundle") -> tuple[Approval, ...]:
    """The approvals that count, under the policy it was asked under unless told otherwise."""
    return counted(step, people, seal.holds, now, bundle=bundle)


def word(step: Step, person: Person, seal: Seal, granted: bool = True, at: datetime = AT) -> Step:
    """The step with this person's word on it."""
    return give(step, person, request_of(step).plan_hash, granted, "seen", at, seal, tenant="default")

"""A whole day of every vendor's alerts: order, repetition and conservation, and what the triage may cost."""

from __future__ import annotations

import random

import msgspec
import pytest
from tests.telling import documented, triaged

from isthmus.answer.document import TriageDocument
from isthmus.lab.day import Day
from isthmus.model.triage import Triage


def told(done: Triage) -> bytes:
    """The whole document but for what depends on how often and under which name things came."""
    document = documented(done)
    same = msgspec.structs.replace(document, counts=document.counts.__class__(0, 0, 0, 0), rejected=())
    return msgspec.json.encode(same)


@pytest.mark.parametrize("seed", [3, 11, 42])
def test_any_order_and_repetition_of_a_day_gives_the_same_document(seed: int) -> None:
    day, chance = Day(seed), random.Random(seed)
    payloads = [alert.payload for alert in day.alerts]
    first = triaged(payloads, day.settings)
    again = payloads + chance.sample(payloads, len(payloads) // 3)
    chance.shuffle(again)
    second = triaged(again, day.settings)
    assert told(second) == told(first)
    assert second.counts.stored == first.counts.stored
    assert second.counts.duplicate == first.counts.duplicate + len(payloads) // 3


def test_every_stored_finding_of_a_day_is_in_exactly_one_place() -> None:
    day = Day(5, "medium")
    done = triaged([alert.payload for alert in day.alerts], day.settings)
    shown = [one.key for incident in done.incidents for one in incident.findings]
    assert len(shown) == len(set(shown))
    assert len(shown) + len(done.suppressed) == done.counts.stored
    document = documented(done)
    again = msgspec.json.decode(msgspec.json.encode(document), type=TriageDocument)
    facts = {one.id for one in again.facts}
    for incident in again.incidents:
        assert sum(one.points for one in incident.score_reasons) == incident.score
        assert {cite for one in incident.score_reasons for cite in one.cites} <= facts

"""A sample of the tampering lane: every class, with the log's key in the attacker's hands and without."""

from __future__ import annotations

import pytest
from bench.tampering import Template, false_alarm, found
from bench.tampering_classes import CLASSES, Change

TEMPLATES = [Template(seed) for seed in range(12)]


@pytest.mark.parametrize("change", CLASSES, ids=lambda one: one.__name__)
def test_what_a_witness_signed_is_not_changed_unseen(change: Change) -> None:
    assert [number for number in range(12) if not found(change, TEMPLATES, number)] == []


def test_a_log_that_only_went_on_raises_no_alarm() -> None:
    assert [number for number in range(150) if false_alarm(TEMPLATES, number)] == []


def test_there_are_enough_classes() -> None:
    assert len(CLASSES) >= 16

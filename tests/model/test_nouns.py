"""What the nouns promise by themselves."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import model
from isthmus.model.assessment import Assessment, Confidence, Priority, Reason, Verdict
from isthmus.model.deliveries import Counts
from isthmus.model.errors import IsthmusError
from isthmus.model.outside import Outside
from isthmus.model.plans import Action, Plan, digest
from isthmus.model.severity import Severity, severity_named, severity_of_cvss, status_named


def test_every_noun_is_frozen() -> None:
    for module in pkgutil.iter_modules(model.__path__):
        for noun in vars(importlib.import_module(f"isthmus.model.{module.name}")).values():  # noqa: TID251 - looks at all of a room
            if dataclasses.is_dataclass(noun) and isinstance(noun, type):
                assert noun.__dataclass_params__.frozen, noun  # type: ignore[attr-defined]


def test_a_count_that_does_not_add_up_cannot_be_made() -> None:
    Counts(6, 3, 2, 1)
    with pytest.raises(IsthmusError, match="conservation broken"):
        Counts(6, 3, 2, 0)


def test_a_score_that_is_not_its_reasons_cannot_be_made() -> None:
    for score, points in ((40, 30), (101, 101), (-1, -1)):
        with pytest.raises(IsthmusError, match="sum of its reasons"):
            Assessment(score, (Reason("r", points, ()),), Priority.ACT, Verdict.UNDETERMINED, Confidence.LOW, (), (), (), ())


@given(st.text())
def test_outside_text_is_one_printable_line_that_encodes(text: str) -> None:
    shown = str(Outside(text))
    assert shown.isprintable()
    shown.encode()


def test_outside_text_is_no_string() -> None:
    assert not isinstance(Outside("a"), str)
    assert Outside("a") != "a"


def test_a_digest_is_of_what_would_be_executed() -> None:
    step = Action("aws.stop_instance", "i-1", {"region": "eu", "account": "1"}, 1)
    same = Action("aws.stop_instance", "i-1", {"account": "1", "region": "eu"}, 1)
    other = Action("aws.stop_instance", "i-2", {"account": "1", "region": "eu"}, 1)
    assert digest(Plan((step,))) == digest(Plan((same,)))
    assert digest(Plan((step,))) != digest(Plan((other,)))
    assert digest(Plan((step, other))) != digest(Plan((other, step)))


def test_new_words_are_open_and_grave() -> None:
    assert status_named("some new status").open
    assert severity_named("SEV-0") is Severity.UNKNOWN
    assert Severity.UNKNOWN.weight == Severity.HIGH


@pytest.mark.parametrize(("score", "severity"), [(10, 5), (9, 5), (8.9, 4), (7, 4), (4, 3), (3.9, 2), (0.1, 2), (0, 1)])
def test_cvss_ratings(score: float, severity: int) -> None:
    assert severity_of_cvss(score) == severity

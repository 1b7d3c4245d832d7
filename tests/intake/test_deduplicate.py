"""Many tellings of one finding become one, in whatever order and however often they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.telling import NOW, asset, finding

from isthmus.intake.deduplicate import Reducer, reduced
from isthmus.intake.normalise import normalise
from isthmus.model.findings import Finding, Indicator, Kind, Times
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status
from isthmus.model.tellings import telling

tellings = st.builds(
    lambda name, hours, severity, status, title, hint: normalise(
        replace(
            finding(Kind.MISCONFIGURATION, asset(number=name), title, severity, name=str(name)),
            source="wiz",
            status=status,
            hint=hint,
            times=Times(NOW - timedelta(days=3), NOW - timedelta(hours=hours)),
        )
    ),
    name=st.integers(1, 3),
    hours=st.integers(0, 3),
    severity=st.sampled_from(Severity),
    status=st.sampled_from(Status),
    title=st.sampled_from(["one", "two"]),
    hint=st.booleans(),
)


@given(st.lists(tellings, max_size=8), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(told: list[Finding], random: object) -> None:
    again = told + [one for one in told if random.random() < 0.5]  # type: ignore[attr-defined]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert reduced(told) == reduced(again)


@given(st.lists(tellings, min_size=3, max_size=3).map(lambda three: [replace(one, source_id="x") for one in three]))
def test_merging_is_associative_commutative_and_idempotent(told: list[Finding]) -> None:
    one, other, third = (telling(each) for each in told)
    assert one.merged(other).merged(third).finding() == one.merged(other.merged(third)).finding()
    assert one.merged(other).finding() == other.merged(one).finding()
    assert one.merged(one) == one


def told(hours: int, **more: object) -> Finding:
    plain = finding(Kind.MISCONFIGURATION, asset(), "open", source="wiz", times=Times(NOW, NOW - timedelta(hours=hours)))
    return normalise(replace(plain, **more))  # type: ignore[arg-type]


def test_the_latest_by_the_sources_clock_wins() -> None:
    (best,) = reduced([told(1, status=Status.RESOLVED), told(2), told(3)])
    assert best.status is Status.RESOLVED


def test_at_the_same_time_the_open_one_wins_then_the_graver() -> None:
    (best,) = reduced([told(1, status=Status.RESOLVED), told(1, severity=Severity.LOW), told(1, severity=Severity.CRITICAL)])
    assert (best.status, best.severity) == (Status.NEW, Severity.CRITICAL)


def test_a_rename_is_the_same_finding() -> None:
    reducer = Reducer()
    reducer.add(told(2))
    reducer.add(told(1, title=Outside("renamed")))
    assert len(reducer) == reducer.repeats == 1
    assert [str(one.title) for one in reducer.findings()] == ["renamed"]


def test_a_hint_never_closes_renames_or_softens_what_a_full_telling_said() -> None:
    full = told(2, internet=True, severity=Severity.CRITICAL)
    elsewhere = normalise(replace(told(1), asset=asset(number=9))).asset
    thin = told(1, hint=True, status=Status.RESOLVED, severity=Severity.LOW, asset=elsewhere)
    (best,) = reduced([thin, full])
    assert (best.status, best.severity, best.internet) == (Status.NEW, Severity.CRITICAL, True)
    assert best.asset.aliases == full.asset.aliases


def test_a_newer_hint_may_reopen_and_raise() -> None:
    closed = told(2, status=Status.RESOLVED, severity=Severity.LOW)
    (best,) = reduced([closed, told(1, hint=True, severity=Severity.CRITICAL)])
    assert (best.status, best.severity) == (Status.NEW, Severity.CRITICAL)
    (alone,) = reduced([told(1, hint=True, status=Status.RESOLVED)])
    assert alone.status is Status.RESOLVED


def test_another_event_of_the_same_rule_takes_nothing_back() -> None:
    seen = told(2, kind=Kind.THREAT, severity=Severity.CRITICAL, indicators=(Indicator("ip", "203.0.113.66"),))
    again = told(1, kind=Kind.THREAT, severity=Severity.LOW, indicators=(Indicator("ip", "198.51.100.1"),), blocked=True)
    (best,) = reduced([seen, again])
    assert (best.severity, best.blocked) == (Severity.CRITICAL, False)
    assert {one.value for one in best.indicators} == {"203.0.113.66", "198.51.100.1"}


def test_nobody_outranks_later_words_by_dating_his_own_into_the_future() -> None:
    forged = told(0, status=Status.RESOLVED, times=Times(NOW, NOW + timedelta(days=900), NOW))
    honest = told(0, times=Times(NOW, NOW, NOW))
    (best,) = reduced([forged, honest])
    assert best.status is Status.NEW


def test_first_and_last_sight_are_the_extremes() -> None:
    early, late = NOW - timedelta(days=30), NOW
    (best,) = reduced([told(1, first_seen=late, last_seen=late), told(2, first_seen=early, last_seen=early)])
    assert (best.first_seen, best.last_seen) == (early, late)

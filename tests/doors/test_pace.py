"""Token buckets: never more than the pace allows, never less, and bounded whoever asks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isthmus.doors.pace import Buckets, Pace, network


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 8)), max_size=60))
def test_in_any_stretch_no_more_is_given_than_the_pace_allows(steps: list[tuple[float, int]]) -> None:
    buckets, now = Buckets(Pace(2, 10)), 0.0
    given_at: list[tuple[float, int]] = []
    for later, number in steps:
        now += later
        wait = buckets.take("one", now, number)
        if wait == 0:
            given_at.append((now, number))
        else:
            # Exactly as long as said: a little earlier there is none.
            assert 0 < wait < 10
    for start in range(len(given_at)):
        for end in range(start, len(given_at)):
            # What the last one took beyond its token is owed, not given again.
            taken = sum(number for _, number in given_at[start:end]) + 1
            assert taken <= 10 + 2 * (given_at[end][0] - given_at[start][0]) + 1e-6


def test_the_wait_that_is_said_is_enough_and_not_too_long() -> None:
    buckets = Buckets(Pace(4, 2))
    assert [buckets.take("a", 0.0) for _ in range(2)] == [0.0, 0.0]
    assert buckets.take("a", 0.0) == 0.25
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.24) > 0
    assert buckets.take("a", 0.251) == 0.0


def test_what_is_owed_is_paid_back_first() -> None:
    buckets = Buckets(Pace(10, 10))
    assert buckets.take("a", 0.0) == 0.0
    buckets.owe("a", 0.0, 999)
    assert 98 < buckets.take("a", 0.0) < 100
    assert buckets.take("a", 50.0) > 0
    assert buckets.take("a", 100.0) == 0.0


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    buckets = Buckets(Pace(1, 1))
    assert buckets.take("a", 100.0) == 0.0
    assert buckets.take("a", 50.0) > 0
    assert buckets.take("a", 50.0) > 0


def test_those_asked_for_longest_ago_are_forgotten() -> None:
    buckets = Buckets(Pace(0.001, 1), most=3)
    for name in "abcd":
        assert buckets.take(name, 0.0) == 0.0
    assert len(buckets._left) == 3
    assert buckets.take("d", 0.0) > 0
    assert buckets.take("a", 0.0) == 0.0
    assert len(buckets._left) == 3


def test_one_machine_is_one_network() -> None:
    assert network("192.0.2.1") == "192.0.2.1"
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:0:1::1")
    assert network("::ffff:192.0.2.1") == "192.0.2.1"
    assert network("") == ""
    assert len(network("x" * 1_000)) == 64

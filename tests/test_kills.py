"""A small sample of `make kill-test`: killed at a few boundaries and resumed, nothing is lost and nothing is done twice.

And the lane can see: with a bug planted in the product it fails.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from bench.kills_choice import chosen, tried, twice

LANE = Path(__file__).parent.parent / "bench" / "kills.py"


def test_killed_at_a_few_boundaries_it_goes_on_as_if_nothing_had_happened_and_a_planted_bug_is_seen() -> None:
    asked = ["--lanes", "1", "--sample", "1", "--twice", "1", "--then-plant", "blind-repeat"]
    ran = subprocess.run([sys.executable, str(LANE), *asked], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 runs with violations" in ran.stdout
    assert "caught  blind-repeat" in ran.stdout


NAMES = ["before|a", "after|a", "before|b", "after|b", "before|a", "after|a"]


def test_every_boundary_is_chosen_once_and_a_sample_has_every_kind_first() -> None:
    rng = random.Random(1)
    assert sorted(chosen(NAMES, 0, rng)) == [1, 2, 3, 4, 5, 6]
    assert {NAMES[number - 1] for number in chosen(NAMES, 4, rng)} == set(NAMES)


def test_a_bug_is_looked_for_first_where_it_would_show() -> None:
    numbers = tried(NAMES, ("after|b",), random.Random(1))
    assert (numbers[0], len(numbers)) == (4, 4)


@pytest.mark.parametrize("seed", range(5))
def test_the_second_life_has_something_left_to_die_in(seed: int) -> None:
    assert all(1 <= first <= len(NAMES) and second >= 1 for first, second in twice(NAMES, 20, random.Random(seed)))

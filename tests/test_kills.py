"""A small sample of `make kill-test`: struck here and there and resumed, nothing is lost and nothing is done twice.

And the lane can see: with a bug planted in the product it fails.
"""

from __future__ import annotations

import random
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from bench.kills_choice import at_random, chosen, doubles, episodes, outages, places, recovering, tried
from bench.kills_plants import PLANTS
from bench.kills_run import Result
from bench.kills_table import table
from bench.kills_tasks import tasks
from bench.kills_watch import JUMP, STOP, Boundaries

LANE = Path(__file__).parent.parent / "bench" / "kills.py"
ONE_OF_EACH = [word for name in ("sample", "shared", "random", "twice", "outages", "episodes") for word in (f"--{name}", "1")]
NAMES = ["before|a", "after|a", "before|b", "after|b", "before|a", "after|a"]


def test_struck_here_and_there_it_goes_on_as_if_nothing_had_happened_and_a_planted_bug_is_seen() -> None:
    asked = [sys.executable, str(LANE), "--lanes", "1", *ONE_OF_EACH, "--then-plant", "blind-repeat"]
    ran = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 runs with violations" in ran.stdout
    assert "caught  blind-repeat" in ran.stdout


def test_every_boundary_is_chosen_once_and_a_sample_has_every_kind_first() -> None:
    rng = random.Random(1)
    assert sorted(chosen(NAMES, 0, rng)) == sorted(places(NAMES)) == sorted(set(places(NAMES)))
    assert {name for name, _ in chosen(NAMES, 4, rng)} == set(NAMES)


def test_a_bug_is_looked_for_first_where_it_would_show() -> None:
    found = tried(NAMES, ("after|b", "before|b"), random.Random(1))
    assert ([name for name, _ in found[:2]], len(found)) == (["after|b", "before|b"], 4)


@pytest.mark.parametrize("seed", range(5))
def test_of_five_kills_in_a_row_four_are_of_a_life_that_recovers(seed: int) -> None:
    found = doubles(20, 300, random.Random(seed))
    assert sum(map(recovering, found[1:])) >= 16
    assert all(1 <= one["number"] <= 300 for (one,) in found)


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_kills_at_random_come_from_outside_and_a_database_dies_before_its_life(seed: int) -> None:
    found = at_random(40, 300, random.Random(seed))
    assert 5 < sum("after" in one for (one,) in found) < 35
    assert all(
        first["how"] == STOP and first["number"] < second["number"] for first, second in outages(9, 300, random.Random(seed))
    )


def test_episodes_have_two_and_four_lives_killed_asleep_and_with_clocks_ahead_and_behind() -> None:
    passed = [f"{side}|{what}" for side in ("before", "after") for what in ("POST /api/now", "commit claim")]
    found = episodes(passed, 40, random.Random(1))
    assert {one["workers"] for one in found} == {2, 4}
    assert Counter(one["fatals"][0].get("how", "kill") for one in found) == {"kill": 10, STOP: 20, JUMP: 10}
    assert {one["fatals"][0]["hours"] for one in found if "hours" in one["fatals"][0]} == {1, -1}


def test_no_less_is_done_than_was_asked_for() -> None:
    asked = Namespace(sample=0, shared=2, random=100, twice=100, outages=10, episodes=5)
    passed = ["before|POST /api/now", *NAMES * 20]
    found = tasks(asked, passed, random.Random(1))
    strikes = Counter(one["kind"] for one in found for _ in one["fatals"])
    assert strikes["each once"] == len(passed)
    assert all(
        strikes[kind] >= number for kind, number in {"at random": 100, "twice": 125, "outages": 10, "several": 5}.items()
    )
    assert tasks(asked, passed, random.Random(1)) == found


def test_a_life_is_struck_at_the_boundary_it_was_told_and_nowhere_else() -> None:
    told: list[dict[str, Any]] = []
    hours: list[float] = []
    fatal = {"name": "after|commit b", "count": 2, "how": JUMP, "hours": 1}
    marks = Boundaries([fatal], told.append, jump=hours.append)
    for _ in range(3):
        marks.at("before", "commit b")
        marks.at("after", "commit b")
    assert told == [{"struck": "after|commit b", "how": JUMP}]
    assert hours == [1]
    assert marks.passed == ["before|commit b", "after|commit b"] * 3


def test_writes_of_one_commit_are_a_boundary_each() -> None:
    marks = Boundaries([], lambda _: None)
    marks.note("b")
    marks.note("a")
    marks.around("before")
    assert marks.passed == ["before|commit a", "before|commit b"]


def test_the_table_says_what_was_found_wrong_and_what_none_is_worth() -> None:
    clean = Result("clean", passed=NAMES)
    well = [Result("each once", struck=["after|a"], deaths=1) for _ in range(300)]
    assert "fewer than 1.00% of kills do harm" in table(well, clean)
    assert "not struck: after|b, before|a, before|b" in table(well, clean)
    wrong = table([*well, Result("several", problems=["owners: sent by nobody"])], clean)
    assert "do harm" not in wrong
    assert [line.split()[9] for line in wrong.splitlines() if line.startswith("several")] == ["1"]


def test_there_are_bugs_enough_to_look_for() -> None:
    assert len(PLANTS) >= 20
    assert {one.shows for one in PLANTS.values()} == {"line", "several", "outage"}

"""Queues: nothing is acknowledged before it is stored, nothing lost when anything fails, and nothing claimed twice."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL
from tests.desk.pile import LOST, NOW, Killed, Pile, Shore, alert, away, names

from isthmus.desk.queues import LARGEST, Queues
from isthmus.model.errors import Refused

Making = Callable[..., Shore]
SOURCES = {"wiz", "guardduty"}


@pytest.fixture
def making(tmp_path: Path, database: URL | None) -> Iterator[Making]:
    made: list[Shore] = []

    def make(**given: Any) -> Shore:
        made.append(Shore(tmp_path, database, **given))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def shore(making: Making) -> Shore:
    return making()


def test_what_comes_is_stored_first_and_acknowledged_then(shore: Shore) -> None:
    shore.pile.put(*(alert(number) for number in range(7)))
    seen: list[int] = []
    shore.pile.on_acknowledge = lambda: seen.append(shore.depth())
    assert shore.turn() == NOW
    assert seen == [7] and not shore.pile.bodies
    assert shore.turn() == NOW + timedelta(seconds=1)
    assert names(shore.read()) == list(range(7))
    assert shore.counts() == {"deliveries": 7, "repeated": 0, "seen": 7, "stored": 7, "duplicate": 0, "rejected": 0}


def test_killed_between_store_and_acknowledgement_it_comes_again_and_is_one_claim(shore: Shore) -> None:
    shore.pile.put(alert(1), alert(2), "not an alert")
    shore.pile.acknowledging.append(Killed())
    with pytest.raises(Killed):
        shore.turn()
    assert len(shore.pile.bodies) == 3
    shore.pile.lapse()
    shore.turn(shore.process())
    assert not shore.pile.bodies and shore.pile.delivered == 6
    assert names(shore.read()) == [1, 2]
    assert shore.counts() == {"deliveries": 6, "repeated": 3, "seen": 3, "stored": 2, "duplicate": 0, "rejected": 1}


def test_killed_before_the_commit_it_comes_again(shore: Shore) -> None:
    shore.turn()
    shore.pile.put(alert(1))
    shore.store.failing.append(Killed())
    with pytest.raises(Killed):
        shore.turn()
    assert shore.depth() == 0 and len(shore.pile.bodies) == 1
    shore.pile.lapse()
    shore.turn(shore.process())
    assert names(shore.read()) == [1] and shore.counts()["repeated"] == 0


@pytest.mark.parametrize("fault", [away(), LOST, Refused("not allowed")], ids=["away", "answer lost", "refused"])
def test_an_acknowledgement_that_fails_is_tried_again_and_nothing_is_doubled(shore: Shore, fault: Exception) -> None:
    shore.pile.put(alert(1), alert(2))
    shore.pile.acknowledging.append(fault)
    again = shore.turn()
    assert again == NOW + timedelta(seconds=1) and shore.depth() == 2
    assert shore.turn() == again, "not before that time"
    shore.now = NOW + timedelta(seconds=1)
    shore.turn()
    assert not shore.pile.bodies and shore.pile.delivered == 2
    assert names(shore.read()) == [1, 2] and shore.counts()["repeated"] == 0


def test_an_acknowledgement_that_is_never_taken_does_not_hold_up_what_comes_later(shore: Shore) -> None:
    shore.pile.put(alert(1))
    shore.pile.acknowledging.extend([Refused("no such handle")] * 4)
    for turns in range(4):
        if turns == 3:
            shore.pile.lapse()
            shore.pile.put(alert(2))
        assert shore.depth() == min(turns, 1)
        again = shore.turn()
        assert again is not None
        shore.now = again
    assert shore.depth() == 2
    shore.turn()
    assert not shore.pile.bodies and names(shore.read()) == [1, 2]
    assert shore.counts()["repeated"] == 1


def test_handles_the_queue_does_not_know_any_more_are_given_up(shore: Shore) -> None:
    shore.pile.put(alert(1))
    shore.pile.acknowledging.append(away())
    shore.turn()
    shore.pile.lapse()
    shore.drain()
    for _ in range(5):
        shore.turn()
    strays = shore.pile.strays
    shore.turn()
    assert shore.pile.strays == strays <= 3 and shore.counts()["stored"] + shore.depth() == 1


def test_when_storing_fails_nothing_is_acknowledged(shore: Shore) -> None:
    shore.turn()
    shore.pile.put(alert(1), alert(2))
    asked: list[int] = []
    shore.pile.on_acknowledge = lambda: asked.append(1)
    shore.store.failing.append(away("database: disk full"))
    again = shore.turn()
    assert not asked and len(shore.pile.bodies) == 2 and shore.depth() == 0
    assert again is not None and again > NOW
    shore.drain()
    assert names(shore.read()) == [1, 2] and shore.counts()["repeated"] == 0


def test_while_nothing_can_be_stored_nothing_is_received(shore: Shore) -> None:
    shore.turn()
    shore.pile.put(alert(1))
    shore.store.failing.append(away("database: disk full"))
    shore.turn()
    received = shore.pile.delivered
    for _ in range(6):
        shore.pile.lapse()
        # The trouble's own line cannot be written either.
        shore.store.failing.extend([away("database: disk full")] * 2)
        shore.now += timedelta(seconds=60)
        shore.turn()
        shore.store.failing.clear()
    assert shore.pile.delivered == received == 1
    shore.pile.lapse()
    shore.drain()
    assert names(shore.read()) == [1]


def test_a_full_inbox_leaves_it_in_the_queue(making: Making) -> None:
    shore = making(room=3)
    shore.pile.put(*(alert(number) for number in range(5)))
    shore.turn()
    shore.pile.put(alert(6))
    assert shore.turn() == NOW + timedelta(seconds=5) and len(shore.pile.bodies) == 1
    shore.read()
    shore.turn()
    assert not shore.pile.bodies


def test_what_cannot_be_an_alert_is_a_rejection_once_and_does_not_come_back(making: Making) -> None:
    shore = making(largest=2_000)
    wrong = [b"", b"plain text", b"\x00\xff\x1f\x8b", b"\xef\xbb\xbf  7", b'{"a": "' + b"x" * 2_000 + b'"}']
    shore.pile.put(*wrong, b'{"cut": ', b'\xef\xbb\xbf{"id": 1}', b"\xed\xa0\x80{}")
    shore.pile.acknowledging.append(Killed())
    with pytest.raises(Killed):
        shore.turn()
    shore.pile.lapse()
    shore.turn(shore.process())
    assert not shore.pile.bodies
    shore.read()
    found = shore.rejections()
    assert [reason for _, reason in found if reason.startswith("a message")] == [
        *["a message that is no JSON object or list"] * 4,
        "a message of 2009 bytes; at most 2000 are read",
        "a message that is no JSON object or list",
    ]
    assert len(found) == 8 and all(name.startswith("alerts m-") for name, _ in found)
    counts = shore.counts()
    assert (counts["deliveries"], counts["repeated"], counts["rejected"]) == (16, 8, 8)


def test_an_alert_as_large_as_a_door_takes_is_read(shore: Shore) -> None:
    body = alert(1)
    shore.pile.put(body + " " * (LARGEST - len(body)))
    shore.turn()
    assert names(shore.read()) == [1]


def test_two_consumers_of_one_queue_store_everything_once(shore: Shore) -> None:
    shore.pile.put(*(alert(number) for number in range(300)))
    shore.pile.acknowledging.extend([None, away(), None, LOST] * 10)
    queues = [shore.process(), shore.process()]

    def consume(mine: Queues) -> None:
        for minute in range(40):
            asyncio.run(mine.turn(NOW + timedelta(minutes=minute)))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(consume, queues, timeout=120)) == [None, None]
    shore.pile.lapse()
    shore.drain()
    assert names(shore.read()) == list(range(300))
    counts = shore.counts()
    assert counts["deliveries"] - counts["repeated"] == 300 and counts["duplicate"] == 0


def test_messages_are_held_while_storing_is_slow(making: Making) -> None:
    shore = making(pile=Pile(lease=timedelta(seconds=0.15)))
    shore.turn()
    shore.pile.put(alert(1), alert(2))
    shore.store.slow.clear()
    timer = threading.Timer(0.6, shore.store.slow.set)
    timer.start()
    shore.turn()
    timer.join()
    assert shore.pile.held >= 4 and not shore.pile.bodies and shore.depth() == 2


FAULTS = st.sampled_from(["none", "none", "receive away", "receive lost", "store", "kill", "acknowledge", "lost", "lapse"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(FAULTS, max_size=12), number=st.integers(1, 9), repeats=st.integers(0, 3))
def test_whatever_fails_in_whatever_order_none_is_lost_and_none_doubled(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str], number: int, repeats: int
) -> None:
    shore = Shore(tmp_path_factory.mktemp("shore"))
    try:
        wanted = [alert(one) for one in range(number)]
        shore.pile.put(*wanted, *wanted[:repeats], *["junk"] * repeats)
        for fault in plan:
            _order(shore, fault)
            shore.now += timedelta(minutes=2)
            try:
                shore.turn()
            except Killed:
                shore.pile.lapse()
                shore.queues = shore.process()
            shore.store.failing.clear()
        shore.pile.receiving.clear()
        shore.pile.acknowledging.clear()
        shore.now += timedelta(minutes=2)
        shore.drain()
        assert Counter(names(shore.read())) == Counter(range(number))
        assert len(shore.rejections()) == min(repeats, 1)
        assert shore.counts()["stored"] == number and shore.counts()["duplicate"] == 0
    finally:
        shore.close()


def _order(shore: Shore, fault: str) -> None:
    match fault:
        case "receive away" | "receive lost":
            shore.pile.receiving.append(LOST if fault == "receive lost" else away())
        case "store":
            shore.store.failing.append(away("database: away"))
        case "kill":
            shore.pile.acknowledging.append(Killed())
        case "acknowledge" | "lost":
            shore.pile.acknowledging.append(LOST if fault == "lost" else away())
        case "lapse":
            shore.pile.lapse()

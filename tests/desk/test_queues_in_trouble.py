"""Whose alerts a queue has and what they count for; and a queue in trouble, which is shown and asked ever more slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, select
from tests.desk.pile import NOW, TENANT, Pile, Shore, alert, away, names

from isthmus import assembly
from isthmus.contracts.roles import Roles
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.queues import place_of
from isthmus.model.errors import Refused, Untrusted
from isthmus.record.schema import CURSORS, INBOX

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


@pytest.mark.parametrize(("trusted", "channel", "hint"), [(False, "webhook", True), (True, "api", False)])
def test_it_is_a_hint_unless_the_settings_vouch_for_the_queue(making: Making, trusted: bool, channel: str, hint: bool) -> None:
    shore = making(pile=Pile(trusted=trusted))
    shore.pile.put(alert(1))
    shore.turn()
    with shore.store.reading() as connection:
        row = connection.execute(select(INBOX)).one()
    assert (row.tenant, row.source, row.instance, row.channel) == (TENANT, "wiz", "wiz-main", channel)
    assert [one.hint for one in shore.read()] == [hint]


def test_trouble_is_shown_slows_down_and_goes_away(shore: Shore) -> None:
    shore.pile.receiving.extend([away("the queue does not answer")] * 9)
    waits = []
    for _ in range(9):
        again = shore.turn()
        assert again is not None
        waits.append((again - shore.now).total_seconds())
        shore.now = again
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert _shown(shore) == [("sqs", "alerts", "queue", "the queue does not answer")]
    shore.turn()
    assert _shown(shore) == [("sqs", "alerts", "queue", "")]


def test_trouble_goes_away_with_the_next_answer(shore: Shore) -> None:
    shore.turn()
    shore.pile.receiving.append(away("no answer"))
    again = shore.turn()
    assert again is not None and _shown(shore)[0][3] == "no answer"
    shore.now = again
    shore.turn()
    assert _shown(shore)[0][3] == ""


def test_a_clock_set_back_does_not_make_a_queue_wait(shore: Shore) -> None:
    shore.pile.receiving.append(away())
    shore.pile.put(alert(1))
    shore.turn()
    shore.now = NOW - timedelta(hours=1)
    shore.turn()
    assert not shore.pile.bodies


def test_an_answer_that_was_too_much_is_asked_for_one_by_one(shore: Shore) -> None:
    shore.pile.receiving.append(Refused("answered with more than 67108864 bytes"))
    shore.pile.put(*(alert(number) for number in range(30)))
    shore.drain()
    assert shore.pile.asked[:4] == [100, 1, 10, 100] and names(shore.read()) == list(range(30))


def test_a_queue_says_whose_alerts_it_has() -> None:
    wiz, snow, sqs = (assembly.connector(name) for name in ("wiz", "servicenow", "sqs"))
    asked: Any = object()
    main = Instance("wiz-main", TENANT, wiz, Roles(refetcher=asked))
    others = [Instance("wiz-theirs", "other", wiz, Roles()), Instance("cases", TENANT, snow, Roles())]

    def place(reads: str, trusted: bool = False) -> Any:
        queue = Instance("alerts", TENANT, sqs, Roles(queue=Pile(reads, trusted)))
        return place_of(queue, Instances([main, *others, queue]), SOURCES)

    assert place("wiz-main") == (TENANT, "wiz", "wiz-main")
    assert place("guardduty", trusted=True) == (TENANT, "guardduty", "alerts")
    for wrong in ("wiz-theirs", "cases", "alerts", "nobody", "", "sqs"):
        with pytest.raises(Untrusted, match=r"instances\.alerts\.config\.reads"):
            place(wrong)
    with pytest.raises(Untrusted, match="can be asked back"):
        place("wiz-main", trusted=True)


def test_an_error_that_is_not_ours_to_expect_is_not_swallowed(shore: Shore) -> None:
    shore.pile.receiving.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        shore.turn()


def _shown(shore: Shore) -> list[tuple[str, ...]]:
    with shore.store.reading() as connection:
        rows = connection.execute(select(CURSORS.c.source, CURSORS.c.instance, CURSORS.c.stream, CURSORS.c.trouble)).all()
    return [tuple(row) for row in rows]

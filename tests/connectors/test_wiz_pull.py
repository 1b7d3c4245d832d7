"""Pulling from Wiz leaves nothing out, in every order of events hypothesis thinks of; without a wire."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.wiz import CONNECTOR, pull
from isthmus.connectors.wiz.config import WizConfig
from isthmus.connectors.wiz.pull import WizPull
from isthmus.connectors.wiz.replies import Answer, Said
from isthmus.connectors.wiz.simulated import SimulatedWiz, Trouble
from isthmus.contracts.checks import drill, read_all, samples
from isthmus.contracts.roles import Page
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.findings import Finding, Kind

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ISSUE = next(iter(CONNECTOR.simulator.payloads(drill(Kind.TOXIC_COMBINATION, "wiz"))))
DETECTION = next(iter(CONNECTOR.simulator.payloads(drill(Kind.THREAT, "wiz"))))
VULNERABILITY = next(iter(CONNECTOR.simulator.payloads(drill(Kind.VULNERABILITY, "wiz"))))
CONFIGURATION = dict(samples(CONNECTOR))["configuration.json"]["payload"]
SETTINGS = {"api_origin": "https://api.eu1.app.wiz.io", "client_id": "env:A", "client_secret": "env:B"}
STREAMS = ("issues", "issue_changes", "detections", "vulnerabilities", "configuration")


def own(number: int) -> str:
    return str(UUID(int=number))


def record(stream: str, number: int, at: datetime) -> dict[str, Any]:
    """A record of this stream, from this moment."""
    moment = at.isoformat()
    times = dict.fromkeys(("createdAt", "statusChangedAt", "updatedAt", "analyzedAt", "firstSeenAt"), moment)
    held = {"issues": ISSUE, "issue_changes": ISSUE, "detections": DETECTION, "vulnerabilities": VULNERABILITY}
    return {**held.get(stream, CONFIGURATION), **times, "id": own(number)}


class Direct:
    """Asks the simulated Wiz without a wire; `at` is what its clock says, `calls` counts."""

    def __init__(self, platform: SimulatedWiz, at: datetime | None = None) -> None:
        self.platform, self.at, self.calls = platform, at, 0

    async def ask(self, query: str, variables: dict[str, Any]) -> Answer:
        self.calls += 1
        try:
            return Answer(self.platform.answer(query, variables), self.at)
        except Trouble as trouble:
            raise Said(trouble.code) from None


def since(puller: WizPull, stream: str, cursor: str) -> Page:
    return asyncio.run(puller.since(stream, cursor))


def drained(puller: WizPull, stream: str, cursor: str = "") -> tuple[list[str], str]:
    """The ids of everything up to the end of a pass, as often as they come, and the cursor after it."""
    found, more = [], True
    while more:
        page = since(puller, stream, cursor)
        found += [one["id"] for one in page.payloads]
        cursor, more = page.cursor, page.more
    return found, cursor


def direct(platform: SimulatedWiz, now: datetime = NOW, **settings: Any) -> WizPull:
    return WizPull(WizConfig.model_validate(SETTINGS | settings), Direct(platform), lambda: now)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 11])
def test_a_pass_shows_each_record_once_whatever_the_page_boundary(stream: str, count: int) -> None:
    platform = SimulatedWiz()
    for number in range(count):
        platform.hold(record(stream, number, NOW - timedelta(hours=1)), NOW - timedelta(hours=1))
    found, _ = drained(direct(platform, page_size=5), stream)
    assert sorted(found) == [own(number) for number in range(count)]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_record_reads_to_the_finding_with_its_id(stream: str) -> None:
    platform = SimulatedWiz()
    platform.hold(record(stream, 1, NOW - timedelta(hours=1)), NOW - timedelta(hours=1))
    (payload,) = since(direct(platform), stream, "").payloads
    (claim,) = read_all(CONNECTOR, payload)
    assert isinstance(claim, Finding) and claim.source_id == own(1)


def test_the_first_pull_begins_at_the_lookback() -> None:
    platform = SimulatedWiz()
    for hours in (1, 3):
        platform.hold(record("issues", hours, NOW - timedelta(hours=hours)), NOW)
    puller = direct(platform, lookback_hours=2, overlap_minutes=600)
    found, cursor = drained(puller, "issues")
    assert found == [own(1)]
    assert drained(puller, "issues", cursor)[0] == [own(1)], "the overlap does not reach behind it either"


def test_an_old_issue_that_is_closed_comes_in_the_stream_of_changes() -> None:
    platform = SimulatedWiz()
    held = record("issues", 1, NOW - timedelta(days=90))
    platform.hold(held | {"status": "RESOLVED", "statusChangedAt": (NOW - timedelta(hours=1)).isoformat()}, NOW)
    assert drained(direct(platform), "issues")[0] == []
    assert drained(direct(platform), "issue_changes")[0] == [own(1)]


def test_matches_without_a_threat_and_passed_checks_come_only_when_asked_for() -> None:
    platform = SimulatedWiz()
    platform.hold(record("detections", 1, NOW - timedelta(hours=1)) | {"type": "MATCH_ONLY"}, NOW)
    platform.hold(record("configuration", 2, NOW - timedelta(hours=1)) | {"result": "PASS", "status": "RESOLVED"}, NOW)
    for stream in ("detections", "configuration"):
        assert drained(direct(platform), stream)[0] == []
        assert len(drained(direct(platform, match_only=True, passed_checks=True), stream)[0]) == 1


def test_what_comes_late_or_in_the_last_moment_is_in_the_next_pass() -> None:
    platform = SimulatedWiz()
    platform.hold(record("issues", 1, NOW - timedelta(seconds=1)), NOW)
    _, cursor = drained(direct(platform), "issues")
    platform.hold(record("issues", 2, NOW - timedelta(seconds=1)), NOW)
    platform.hold(record("issues", 3, NOW - timedelta(minutes=59)), NOW)
    found, cursor = drained(direct(platform, NOW + timedelta(seconds=5)), "issues", cursor)
    assert {own(2), own(3)} <= set(found)
    _, cursor = drained(direct(platform, NOW + timedelta(hours=3)), "issues", cursor)
    found, _ = drained(direct(platform, NOW + timedelta(hours=6)), "issues", cursor)
    assert found == [], "a pull does not reach back for ever"


def test_a_clock_of_ours_that_is_fast_loses_nothing() -> None:
    platform, fast = SimulatedWiz(), NOW + timedelta(hours=5)
    puller = WizPull(WizConfig.model_validate(SETTINGS), Direct(platform, at=NOW), lambda: fast)
    _, cursor = drained(puller, "issues")
    platform.hold(record("issues", 1, NOW + timedelta(minutes=1)), NOW)
    assert drained(puller, "issues", cursor)[0] == [own(1)]


def test_a_page_cursor_wiz_no_longer_takes_begins_the_window_again() -> None:
    platform = SimulatedWiz()
    for number in range(12):
        platform.hold(record("issues", number, NOW - timedelta(hours=1)), NOW)
    puller = direct(platform, page_size=5)
    told = json.loads(since(puller, "issues", "").cursor)
    found, _ = drained(puller, "issues", json.dumps(told | {"page": "of last year"}))
    assert sorted(found) == [own(number) for number in range(12)]


@pytest.mark.parametrize(
    "cursor", ["x", "{}", "[]", "null", '{"v":1}', '{"v":1,"after":"2026","page":"","seen":0}', "[" * 99_999]
)
def test_a_place_that_is_not_ours_is_refused_not_guessed(cursor: str) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        since(direct(SimulatedWiz()), "issues", cursor)


def test_a_stream_there_is_not_is_refused() -> None:
    puller = direct(SimulatedWiz(), streams=("issues",))
    assert puller.streams == ("issues",)
    with pytest.raises(Refused, match="no stream"):
        since(puller, "detections", "")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"issues": None},
        {"issues": {"nodes": None, "pageInfo": {"hasNextPage": False}}},
        {"issues": {"nodes": ["x"], "pageInfo": {"hasNextPage": False}}},
        {"issues": {"nodes": [], "pageInfo": None}},
        {"issues": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}},
        {"issues": {"nodes": [], "pageInfo": {"hasNextPage": "no"}}},
    ],
)
def test_a_reply_that_does_not_say_how_to_go_on_is_no_end(data: dict[str, Any]) -> None:
    class Odd:
        async def ask(self, query: str, variables: dict[str, Any]) -> Answer:
            return Answer(data, None)

    with pytest.raises(Unreachable):
        since(WizPull(WizConfig.model_validate(SETTINGS), Odd(), lambda: NOW), "issues", "")


def test_pages_that_go_round_in_a_circle_are_noticed() -> None:
    class Round:
        async def ask(self, query: str, variables: dict[str, Any]) -> Answer:
            return Answer({"issues": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "same"}}}, None)

    puller = WizPull(WizConfig.model_validate(SETTINGS), Round(), lambda: NOW)
    with pytest.raises(Unreachable, match="circle"):
        drained(puller, "issues")


STEPS = st.lists(
    st.tuples(st.sampled_from(["new", "change", "page", "page", "crash", "wait"]), st.integers(0, 58)), min_size=1, max_size=60
)


@given(STEPS, st.integers(1, 4), st.booleans())
def test_nothing_is_missed_in_any_order_of_events(steps: list[tuple[str, int]], size: int, flood: bool) -> None:
    """Records appear up to 58 minutes late, change while they are paged, and the puller dies after any page."""
    platform, now, saved, seen = SimulatedWiz(), NOW, ["", ""], set[tuple[str, str]]()
    puller = WizPull(WizConfig.model_validate(SETTINGS | {"page_size": size}), Direct(platform), lambda: now)
    held: dict[str, dict[str, Any]] = {}
    for what, number in steps:
        if what == "wait":
            now += timedelta(minutes=number)
        elif what in {"new", "change"}:
            name = own(len(held) if what == "new" else number % max(1, len(held)))
            # A flood shares one timestamp a minute.
            moment = now.replace(second=0) - timedelta(minutes=number if what == "new" and not flood else 0)
            status = f"{len(held)}-{number}" if what == "change" else "OPEN"
            before = held.get(name, record("issues", 0, moment) | {"id": name})
            held[name] = before | {"statusChangedAt": moment.isoformat(), "severity": status, "status": "OPEN"}
            platform.hold(held[name], now)
        elif what == "crash":
            saved.pop()
            saved.append(saved[-1])
        else:
            page = since(puller, "issue_changes", saved[-1])
            seen |= {(one["id"], one["severity"]) for one in page.payloads}
            saved = [saved[-1], page.cursor]
    more = True
    for _ in range(2):
        while more:
            page = since(puller, "issue_changes", saved[-1])
            seen |= {(one["id"], one["severity"]) for one in page.payloads}
            saved, more = [saved[-1], page.cursor], page.more
        more = True
    assert {(one["id"], one["severity"]) for one in held.values()} <= seen


def test_more_records_than_wiz_shows_are_read_in_narrower_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    platform, rng = SimulatedWiz(most_shown=40), random.Random(7)
    monkeypatch.setattr(pull, "_MOST_SHOWN", 40)
    for number in range(600):
        # Most of them within a few minutes, as after a change of a rule.
        late = timedelta(seconds=rng.randrange(60 * 60 * 20) if number % 4 == 0 else 36_000 + rng.randrange(300))
        platform.hold(record("vulnerabilities", number, NOW - late), NOW - late)
    asks = Direct(platform)
    puller = WizPull(WizConfig.model_validate(SETTINGS | {"page_size": 10}), asks, lambda: NOW)
    found, cursor = drained(puller, "vulnerabilities")
    assert set(found) == {own(number) for number in range(600)}
    assert asks.calls < 600 / 10 * 6
    assert len(drained(puller, "vulnerabilities", cursor)[0]) < 40


def test_more_records_in_one_moment_than_wiz_shows_are_said_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = SimulatedWiz(most_shown=40)
    monkeypatch.setattr(pull, "_MOST_SHOWN", 40)
    for number in range(50):
        platform.hold(record("issues", number, NOW - timedelta(hours=5)), NOW)
    with pytest.raises(Refused, match="shows only 40"):
        drained(direct(platform), "issues")

"""The second guard: every rule refuses what it names, and what passes breaks none."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.act import guard as room
from isthmus.act.guard.config import DEFAULT, Breaker, Freeze, GuardConfig, Protected
from isthmus.act.guard.guard import Effect, History, check
from isthmus.act.guard.switch import Switch
from isthmus.model.errors import Refused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFF = Switch({})
EFFECT = Effect(
    tenant="default",
    connector="aws",
    incident="INC-0123456789abcdef",
    ability="aws.isolate_instance",
    handle="aws:210987654321/eu-west-1/instance/i-0abc",
    native_id="i-0abc",
    account="210987654321",
    kind="instance",
)
NOTHING_YET = History(0, 0, 0, 0, 100, 0)
CASE = replace(EFFECT, ability="case.open", handle="case:servicenow/default/INC-1", native_id="default/INC-1", kind="other")


def refusal(
    effect: Effect = EFFECT,
    history: History = NOTHING_YET,
    config: GuardConfig = DEFAULT,
    switch: Switch = OFF,
    now: datetime = NOW,
) -> str:
    """The rule that refused, empty when none did."""
    try:
        check(config, switch, effect, history, now)
    except Refused as error:
        said = str(error)
        assert said.startswith("guard: ") and "\n" not in said
        return said.split(": ")[1]
    return ""


def test_an_ordinary_effect_its_undo_and_a_case_pass() -> None:
    for effect in (EFFECT, replace(EFFECT, undo=True), CASE):
        assert refusal(effect) == ""


HOSTILE = [
    *(
        "",
        " ",
        "*",
        "i-*",
        "i-0?bc",
        "i-[0]",
        "i-{a,b}",
        "i-0abc ",
        "\ti-0abc",
        "i 0abc",
        "i-0abc\n",
        "i-0\x00abc",
        "i-0\x1babc",
    ),
    *("i-0\u200babc", "i-0\u202eabc", "i-0\u00a0abc", "\ud800", "ｉ-0abc", "＊", "x" * 2_049, "\U000e0041"),
]
NO_ONE_THING = ["bucket/", "arn:aws:s3:::", "aws:1/eu/instance/", "None", "aws:1/eu/null", "a/..", "undefined", ":", "/"]


@pytest.mark.parametrize("name", ["handle", "native_id", "tenant", "connector", "incident", "ability", "account", "kind"])
def test_a_name_that_is_no_plain_name_is_refused(name: str) -> None:
    for text in HOSTILE:
        assert refusal(replace(EFFECT, **{name: text})) == "names", repr(text)  # type: ignore[arg-type]
    for value in (None, 7, ["i-0abc"], b"i-0abc"):
        assert refusal(replace(EFFECT, **{name: value})) == "names", value  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["handle", "native_id"])
def test_a_name_of_a_collection_or_of_nothing_is_refused(name: str) -> None:
    for text in NO_ONE_THING:
        assert refusal(replace(EFFECT, **{name: text})) == "names", text  # type: ignore[arg-type]


@pytest.mark.parametrize("ability", ["isolate", "aws.", "aws.*", "AWS.stop", "aws.stop instance", "aws.stop;rm"])
def test_an_ability_has_a_name(ability: str) -> None:
    assert refusal(replace(EFFECT, ability=ability)) == "names"


@pytest.mark.parametrize("targets", [0, -1, True, 1.0, "1", None, float("nan")])
def test_it_changes_a_whole_number_of_things(targets: Any) -> None:
    assert refusal(replace(EFFECT, targets=targets)) == "names"
    assert refusal(replace(EFFECT, targets=targets, undo=True)) == "names"


@pytest.mark.parametrize("name", ["of_incident", "last_hour", "last_hour_in_account", "in_place", "fleet", "failures"])
@pytest.mark.parametrize("value", [-1, True, 0.0, float("nan"), "0"])
def test_what_cannot_have_been_counted_is_refused(name: str, value: Any) -> None:
    assert refusal(history=replace(NOTHING_YET, **{name: value})) == "history"
    if name != "fleet":
        assert refusal(history=replace(NOTHING_YET, **{name: None})) == "history"  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_refused() -> None:
    assert refusal(now=NOW.replace(tzinfo=None)) == "freeze"


@pytest.mark.parametrize(
    ("name", "count", "rule", "most"),
    [
        ("of_incident", "max_effects_per_incident", "max_effects_per_incident", 5),
        ("last_hour", "per_hour", "per_hour", 20),
        ("last_hour_in_account", "per_account_per_hour", "per_account_per_hour", 10),
    ],
)
def test_a_budget_is_spent_to_its_last_and_no_further(name: str, count: str, rule: str, most: int) -> None:
    assert getattr(DEFAULT, count) == most
    assert refusal(history=replace(NOTHING_YET, **{name: most - 1})) == ""
    assert refusal(history=replace(NOTHING_YET, **{name: most})) == rule
    assert refusal(replace(EFFECT, targets=2), replace(NOTHING_YET, **{name: most - 1})) == rule
    assert refusal(replace(EFFECT, undo=True), replace(NOTHING_YET, **{name: most})) == ""


@pytest.mark.parametrize(("fleet", "most"), [(None, 2), (0, 2), (1, 2), (59, 2), (60, 3), (79, 3), (100, 5)])
def test_a_share_of_the_fleet_and_two_of_a_small_or_unknown_one(fleet: int | None, most: int) -> None:
    assert refusal(history=replace(NOTHING_YET, fleet=fleet, in_place=most - 1)) == ""
    assert refusal(history=replace(NOTHING_YET, fleet=fleet, in_place=most)) == "share_of_fleet"
    assert refusal(replace(EFFECT, undo=True), replace(NOTHING_YET, fleet=fleet, in_place=most)) == ""
    nobody = GuardConfig(least_in_place=0)
    assert refusal(history=replace(NOTHING_YET, fleet=None), config=nobody) == "share_of_fleet"


def test_the_breaker_opens_for_changes_and_not_for_undo() -> None:
    config = GuardConfig(breaker=Breaker(failures=2))
    assert refusal(history=replace(NOTHING_YET, failures=1), config=config) == ""
    assert refusal(history=replace(NOTHING_YET, failures=2), config=config) == "breaker"
    assert refusal(replace(EFFECT, undo=True), replace(NOTHING_YET, failures=2), config) == ""


def test_a_freeze_holds_from_its_first_moment_to_its_last() -> None:
    hour = {"start": NOW, "end": NOW + timedelta(hours=1)}
    freeze = Freeze.model_validate({**hour, "reason": "year's end", "except": ["aws.bound_user"]})
    config, tick = GuardConfig(freezes=(freeze,)), timedelta(microseconds=1)
    for now, held in ((NOW - tick, False), (NOW, True), (freeze.end, True), (freeze.end + tick, False)):
        assert refusal(config=config, now=now) == ("freeze" if held else "")
    assert refusal(replace(EFFECT, ability="aws.bound_user"), config=config) == ""
    assert refusal(replace(EFFECT, undo=True), config=config) == ""
    assert refusal(CASE, config=config) == ""


def test_cases_have_a_budget_of_their_own() -> None:
    assert refusal(CASE, replace(NOTHING_YET, of_incident=500, last_hour=599, last_hour_in_account=599, in_place=9)) == ""
    assert refusal(CASE, replace(NOTHING_YET, last_hour=600)) == "cases_per_hour"


ARN = "arn:aws:iam::210987654321:role/service/break-glass"
ROLE = replace(
    EFFECT, ability="aws.bound_role", handle="aws:210987654321//role/break-glass", native_id="break-glass", kind="role"
)


@pytest.mark.parametrize(
    "entry",
    [
        Protected(id=ARN),
        Protected(id=ARN.upper()),
        Protected(id="break-glass"),
        Protected(id="BREAK-GLASS"),
        Protected(handle=ROLE.handle),
        Protected(account="210987654321"),
        Protected(handle_prefix="aws:210987654321/"),
        Protected(handle_prefix="AWS:"),
    ],
    ids=repr,
)
def test_what_is_protected_is_never_touched_however_it_is_written(entry: Protected) -> None:
    config = GuardConfig(protected=(entry,))
    for native in ("break-glass", ARN, "Break-Glass"):
        for undo in (False, True):
            assert refusal(replace(ROLE, native_id=native, undo=undo), config=config) == "protected"


def test_a_protected_handle_is_known_whatever_the_id_beside_it() -> None:
    config = GuardConfig(protected=(Protected(handle=EFFECT.handle),))
    assert refusal(replace(EFFECT, native_id="eni-7"), config=config) == "protected"
    assert refusal(replace(EFFECT, handle="aws:210987654321/eu-west-1/eni/eni-7"), config=config) == "protected"


def test_an_account_is_known_from_the_handle_too() -> None:
    config = GuardConfig(protected=(Protected(account="210987654321", why="the log archive"),))
    mislabelled = replace(EFFECT, account="elsewhere")
    assert refusal(mislabelled, config=config) == "protected"
    with pytest.raises(Refused, match=r"never touched \(the log archive\)"):
        check(config, OFF, mislabelled, NOTHING_YET, NOW)


def test_an_entry_that_names_another_account_is_about_another_thing() -> None:
    assert refusal(ROLE, config=GuardConfig(protected=(Protected(id=ARN.replace("2109", "3109")),))) == ""
    # But only where both accounts are surely accounts: in doubt it is protected.
    nicknamed = replace(ROLE, account="production")
    assert refusal(nicknamed, config=GuardConfig(protected=(Protected(id=ARN.replace("2109", "3109")),))) == "protected"
    assert refusal(ROLE, config=GuardConfig(protected=(Protected(id="other-role"), Protected(account="310987654321")))) == ""


def test_a_protected_ability_is_neither_done_nor_undone() -> None:
    config = GuardConfig(protected_abilities=frozenset({"aws.isolate_instance"}))
    assert refusal(config=config) == refusal(replace(EFFECT, undo=True), config=config) == "protected_abilities"
    assert refusal(replace(EFFECT, ability="aws.bound_user"), config=config) == ""


@pytest.mark.parametrize(
    ("name", "stops", "stops_undo"),
    [
        ("all", True, True),
        ("effects", True, False),
        ("tenant-default", True, True),
        ("connector-aws", True, True),
        ("ability-aws.isolate_instance", True, True),
        ("tenant-other", False, False),
        ("connector-azure", False, False),
        ("ability-aws.isolate", False, False),
    ],
)
def test_the_kill_switch_stops_what_it_names(name: str, stops: bool, stops_undo: bool) -> None:
    switch = Switch({name: "drill"})
    assert refusal(switch=switch) == ("kill switch" if stops else "")
    assert refusal(replace(EFFECT, undo=True), switch=switch) == ("kill switch" if stops_undo else "")


def test_only_a_plain_yes_makes_an_undo() -> None:
    for value in ("no", 1, [False]):
        assert refusal(replace(EFFECT, undo=value), replace(NOTHING_YET, last_hour=20)) == "per_hour"  # type: ignore[arg-type]
        assert refusal(replace(EFFECT, undo=value), switch=Switch({"effects": "drill"})) == "kill switch"  # type: ignore[arg-type]


def test_what_no_file_could_stop_is_refused() -> None:
    for name in ("tenant", "connector", "ability"):
        assert refusal(replace(EFFECT, **{name: "aws/main"})) == "names"  # type: ignore[arg-type]


def test_the_guard_shares_nothing_with_policy() -> None:
    files = sorted(Path(room.__file__).parent.glob("*.py"))
    assert len(files) == 5
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            for name in named:
                assert not name.startswith("isthmus") or name.startswith(("isthmus.act.guard", "isthmus.model.errors")), path
                assert not name.startswith("cedar")

"""Very many effects, judged a second time by rules written otherwise."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from isthmus.act.guard.config import DEFAULT, Freeze, GuardConfig, Protected
from isthmus.act.guard.guard import Effect, History, check
from isthmus.act.guard.switch import Switch
from isthmus.model.errors import Refused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRONG = ["", "*", "i-*", "i-0?bc", "i 0abc", "i-0abc\n", "i-0\u200babc", "ｉ-0abc", "x" * 2_049, "bucket/", "None", ".."]


def refusal(effect: Effect, history: History, config: GuardConfig, switch: Switch, now: datetime) -> str:
    """The rule that refused, empty when none did."""
    try:
        check(config, switch, effect, history, now)
    except Refused as error:
        return str(error).split(": ")[1]
    return ""


IDS = ["i-1", "i-2", "break-glass", "log-archive", "dns", "Break-Glass"]
CONFIG = GuardConfig(
    protected=(
        Protected(id="arn:aws:iam::111111111111:role/break-glass"),
        Protected(handle="aws:222222222222/eu/bucket/log-archive"),
        Protected(account="333333333333"),
        Protected(handle_prefix="gcp:"),
    ),
    protected_abilities=frozenset({"aws.stop_instance"}),
    freezes=(Freeze(start=NOW, end=NOW + timedelta(hours=2), reason="freeze"),),
)


ORDINARY = Effect(
    *("default", "aws", "INC-1", "aws.isolate_instance", "aws:210987654321/eu/instance/i-1", "i-1", "210987654321", "instance")
)


def generated(rng: random.Random) -> tuple[Effect, History, Switch, datetime]:
    """An effect of any sort: most almost right, some plainly wrong."""
    account = rng.choice(["111111111111", "222222222222", "333333333333", "444444444444"])
    native = rng.choice(IDS) if rng.random() < 0.9 else rng.choice(WRONG)
    cloud = rng.choice(["aws", "aws", "aws", "gcp"])
    effect = Effect(
        tenant=rng.choice(["default", "other"]) if rng.random() < 0.98 else rng.choice(WRONG[:9]),
        connector=cloud,
        incident=f"INC-{rng.randrange(50)}",
        ability=rng.choice([f"{cloud}.isolate_instance", f"{cloud}.bound_role", "aws.stop_instance", "case.update"]),
        handle=f"{cloud}:{account}/eu/thing/{native}",
        native_id=rng.choice([native, f"arn:aws:x::{account}:thing/{native}"]),
        account=account if rng.random() < 0.95 else rng.choice(["", "nickname"]),
        kind="instance",
        targets=rng.choice([1, 1, 1, 1, 2, 6, 0, -1]),
        undo=rng.random() < 0.2,
    )
    history = History(
        of_incident=rng.choice([0, 0, 1, 3, 4, 5]),
        last_hour=rng.choice([0, 3, 9, 19, 20, 599, 600]),
        last_hour_in_account=rng.choice([0, 0, 3, 9, 10]),
        in_place=rng.choice([0, 1, 2, 4, 5]),
        fleet=rng.choice([None, 0, 40, 100, 1_000]),
        failures=rng.choice([0, 0, 0, 2, 3]),
    )
    on = rng.choice(["", "", "", "", "all", "effects", "tenant-other", "connector-gcp", "ability-aws.bound_role"])
    return effect, history, Switch({on: "drill"} if on else {}), NOW + timedelta(hours=rng.choice([-1, 1, 3]))


def broken(effect: Effect, history: History, switch: Switch, now: datetime) -> set[str]:
    """Every rule an effect breaks, written a second time and otherwise than the guard."""
    found = (
        {"names"} if any(one in WRONG for one in (effect.tenant, effect.account, effect.handle.rsplit("/", 1)[1])) else set()
    )
    last = effect.handle.replace(":", "/").rsplit("/", 1)[1]
    if last == "" or effect.targets < 1:
        found.add("names")
    stops = {"all", f"tenant-{effect.tenant}", f"connector-{effect.connector}", f"ability-{effect.ability}"}
    if set(switch.on) & (stops if effect.undo else stops | {"effects"}):
        found.add("kill switch")
    owned = effect.handle.split(":")[1].split("/")[0]
    if owned == "333333333333" or effect.handle.startswith("gcp:"):
        found.add("protected")
    for name, home in (("break-glass", "111111111111"), ("log-archive", "222222222222")):
        if last.lower() == name and (home == owned or effect.account == "nickname"):
            found.add("protected")
    if effect.ability == "aws.stop_instance":
        found.add("protected_abilities")
    return found if effect.undo else found | over(effect, history, now)


def over(effect: Effect, history: History, now: datetime) -> set[str]:
    if effect.ability == "case.update":
        return {"cases_per_hour"} if history.last_hour + effect.targets > 600 else set()
    limits = {
        "max_effects_per_incident": (history.of_incident, 5),
        "per_hour": (history.last_hour, 20),
        "per_account_per_hour": (history.last_hour_in_account, 10),
        "share_of_fleet": (history.in_place, max(2, (history.fleet or 0) * 5 // 100)),
    }
    found = {rule for rule, (count, most) in limits.items() if count + effect.targets > most}
    found |= {"freeze"} if NOW <= now <= NOW + timedelta(hours=2) else set()
    return found | ({"breaker"} if history.failures >= 3 else set())


def test_of_sixty_thousand_effects_none_passes_that_breaks_a_rule_and_none_is_refused_for_nothing() -> None:
    rng, passed, seen = random.Random(20260301), 0, set[str]()
    for _ in range(60_000):
        effect, history, switch, now = generated(rng)
        rule, rules = refusal(effect, history, CONFIG, switch, now), broken(effect, history, switch, now)
        assert rule in rules if rules else rule == "", (effect, history, switch, rule, rules)
        passed, seen = passed + (rule == ""), seen | {rule}
    assert passed > 1_000
    assert seen >= {
        "names",
        "kill switch",
        "protected",
        "protected_abilities",
        "freeze",
        "breaker",
        "per_hour",
        "share_of_fleet",
    }
    assert seen >= {"max_effects_per_incident", "per_account_per_hour", "cases_per_hour"}


def test_no_hour_of_a_long_day_goes_over_budget() -> None:
    rng, done = random.Random(7), list[tuple[datetime, str, str]]()
    config = GuardConfig(share_of_fleet=DEFAULT.share_of_fleet, least_in_place=10)
    for minute in range(24 * 60):
        now = NOW + timedelta(minutes=minute)
        for _ in range(rng.choice([0, 0, 1, 4])):
            account, incident = rng.choice("123") * 12, f"INC-{rng.randrange(200)}"
            hour = [one for one in done if one[0] > now - timedelta(hours=1)]
            of = sum(one[2] == incident for one in done)
            history = History(of, len(hour), sum(one[1] == account for one in hour), 0, None, 0)
            effect = replace(ORDINARY, account=account, incident=incident)
            if refusal(effect, history, config, Switch({}), now) == "":
                done.append((now, account, incident))
    for at, account, incident in done:
        hour = [one for one in done if at - timedelta(hours=1) < one[0] <= at]
        assert len(hour) <= 20 and sum(one[1] == account for one in hour) <= 10
        assert sum(one[2] == incident for one in done) <= 5
    assert len(done) > 300

"""The last question before an effect: a pure function that returns nothing or raises `Refused`.

What an effect may be refused for, in this order: its names, the kill switch, the protected set, a freeze, the breaker,
the budgets, the share of the fleet. An undo restores what was recorded, so freezes, breaker, budgets and share let it
through; kill switch and protected set do not (what nobody may touch is put right by people). Writing a case changes
nobody's estate: it has a budget of its own, and no freeze.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from isthmus.act.guard.config import GuardConfig, Protected
from isthmus.act.guard.names import LONGEST_WORD, parts, wrong, wrong_id
from isthmus.act.guard.switch import Switch
from isthmus.model.errors import Refused

_ABILITY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ACCOUNT_IN = re.compile(r"(?:arn:[^:]*:[^:]*:[^:]*:|[a-z]+:|/subscriptions/)([0-9a-f-]{12,36})[:/].+", re.ASCII)
_CASE = "case."
_WORDS = ("tenant", "connector", "incident", "ability", "account", "kind")
_SWITCHED = {"tenant", "connector", "ability"}
_COUNTS = ("of_incident", "last_hour", "last_hour_in_account", "in_place", "failures")


@dataclass(frozen=True, slots=True)
class Effect:
    """What is about to be done to one thing. `targets` is how many things it changes at once; `undo` takes one back."""

    tenant: str
    connector: str
    incident: str
    ability: str
    handle: str
    native_id: str
    account: str
    kind: str
    targets: int = 1
    undo: bool = False

    @property
    def writes_a_case(self) -> bool:
        """Whether it only tells people, in a case of theirs."""
        return self.ability.startswith(_CASE)


@dataclass(frozen=True, slots=True)
class History:
    """What was done before, this effect left out, in numbers of things changed.

    The first three count intents, not outcomes, of effects of the same sort (cases, or all else): what was meant and
    not heard of again may have happened. `in_place` is how many of its kind in its account are under containment now,
    `fleet` how many the inventory knows there (None: nobody knows), `failures` how many effects of its connector failed
    within the breaker's minutes. They must be counted in the transaction that records the intent, or two workers count
    the same.
    """

    of_incident: int
    last_hour: int
    last_hour_in_account: int
    in_place: int
    fleet: int | None
    failures: int


def check(config: GuardConfig, switch: Switch, effect: Effect, history: History, now: datetime) -> None:
    """Raises `Refused` naming the rule that stands against this effect at this moment (UTC or any other zone)."""
    _well_formed(effect, history, now)
    undo = effect.undo is True
    stop = switch.stopping(tenant=effect.tenant, connector=effect.connector, ability=effect.ability, undo=undo)
    if stop:
        _refuse("kill switch", f"{stop} is on")
    _not_protected(config, effect)
    if undo:
        return
    if effect.writes_a_case:
        _within("cases_per_hour", history.last_hour + effect.targets, config.cases_per_hour)
        return
    _not_frozen(config, effect, now)
    if history.failures >= config.breaker.failures:
        said = f"{history.failures} effects of {effect.connector} failed within {config.breaker.minutes} minutes"
        _refuse("breaker", said)
    _within("max_effects_per_incident", history.of_incident + effect.targets, config.max_effects_per_incident)
    _within("per_hour", history.last_hour + effect.targets, config.per_hour)
    _within("per_account_per_hour", history.last_hour_in_account + effect.targets, config.per_account_per_hour)
    _within_fleet(config, effect, history)


def _refuse(rule: str, said: str) -> None:
    raise Refused(f"guard: {rule}: {said}")


def _well_formed(effect: Effect, history: History, now: datetime) -> None:
    """What is not plainly one thing, and what cannot have been counted, is not looked at any further."""
    for said in _wrong_names(effect):
        _refuse("names", said)
    if not _counted(effect.targets) or effect.targets < 1:
        _refuse("names", "it must change at least one thing")
    if not _counted(0 if history.fleet is None else history.fleet) or not all(
        _counted(getattr(history, name)) for name in _COUNTS
    ):
        _refuse("history", "what was done before is not counted in whole numbers")
    if now.tzinfo is None:
        _refuse("freeze", "the time has no zone")


def _wrong_names(effect: Effect) -> Iterator[str]:
    for name in _WORDS:
        said = wrong(getattr(effect, name), LONGEST_WORD)
        if said:
            yield f"the {name} {said}"
        elif name in _SWITCHED and "/" in getattr(effect, name):
            yield f"the {name} has a slash in it: no file of the kill switch could stop it"
    for name in ("handle", "native_id"):
        said = wrong_id(getattr(effect, name))
        if said:
            yield f"the {name.replace('_', ' ')} {said}"
    if not _ABILITY.fullmatch(effect.ability):
        yield "the ability is no ability's name"


def _counted(count: object) -> bool:
    return isinstance(count, int) and not isinstance(count, bool) and count >= 0


def _not_protected(config: GuardConfig, effect: Effect) -> None:
    if effect.ability in config.protected_abilities:
        _refuse("protected_abilities", f"{effect.ability} is never done")
    for entry in config.protected:
        if _protects(entry, effect):
            _refuse("protected", f"{effect.handle} is never touched{f' ({entry.why})' if entry.why else ''}")


def _protects(entry: Protected, effect: Effect) -> bool:
    """Whether the entry is about this effect's target. In doubt it is: the price is a refusal."""
    account, handle = effect.account.casefold(), effect.handle.casefold()
    names = {account, *parts(handle), *parts(effect.native_id)}
    if entry.account is not None:
        return entry.account.casefold() in names
    if entry.handle_prefix is not None:
        return handle.startswith(entry.handle_prefix.casefold())
    protected = (entry.id or entry.handle or "").casefold()
    if parts(protected)[-1] not in {parts(handle)[-1], parts(effect.native_id)[-1]}:
        return False
    told = _ACCOUNT_IN.fullmatch(protected)
    elsewhere = told is not None and all(_ACCOUNT.fullmatch(one) for one in (account, told[1])) and told[1] not in names
    return not elsewhere


def _not_frozen(config: GuardConfig, effect: Effect, now: datetime) -> None:
    for freeze in config.freezes:
        if freeze.start <= now <= freeze.end and effect.ability not in freeze.excepted:
            _refuse("freeze", f"nothing is changed until {freeze.end.isoformat(timespec='minutes')}: {freeze.reason}")


def _within(rule: str, would_be: int, most: int) -> None:
    if would_be > most:
        _refuse(rule, f"this would be {would_be}, the most is {most}")


def _within_fleet(config: GuardConfig, effect: Effect, history: History) -> None:
    """A share of the fleet, rounded down, and in a small or unknown one the number that is always allowed."""
    share = 0 if history.fleet is None else int(config.share_of_fleet * history.fleet)
    most = max(share, config.least_in_place)
    would_be = history.in_place + effect.targets
    if would_be > most:
        known = "an unknown number" if history.fleet is None else str(history.fleet)
        said = f"{would_be} of {known} of kind {effect.kind} in {effect.account} would be under containment, the most is {most}"
        _refuse("share_of_fleet", said)

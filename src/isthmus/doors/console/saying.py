"""Everything a person can say of an incident by a form: a closed list, each with the right it needs.

A form is only read here. What it does, and whether this person may, is for `desk.words` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import FormData

from isthmus.answer.incident_view import IncidentView
from isthmus.desk.words import Words
from isthmus.doors.console.deciding import hindrance
from isthmus.doors.console.session import Declined, field
from isthmus.model.errors import Untrusted
from isthmus.model.people import Person, Right


@dataclass(frozen=True, slots=True)
class Spoken:
    """Who says what of which incident, and when."""

    words: Words
    person: Person
    view: IncidentView
    form: FormData
    now: datetime

    def text(self, name: str) -> str:
        """A field of the form."""
        return field(self.form, name)

    def until(self) -> datetime:
        """The moment in the field `until`; without a zone it is UTC. Raises `Untrusted` when it is none."""
        try:
            given = datetime.fromisoformat(self.text("until"))
            return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
        except (ValueError, OverflowError):
            raise Untrusted("must be a date and a time, such as 2026-03-31T18:00", "until") from None


@dataclass(frozen=True, slots=True)
class Saying:
    """A form: the right it needs, and what it does. `say` returns the sentence to show afterwards."""

    right: Right
    say: Callable[[Spoken], str]


def _yes(one: Spoken) -> str:
    return _approval(one, True)


def _no(one: Spoken) -> str:
    if not one.text("reason").strip():
        raise Untrusted("a rejection needs a reason", "reason")
    return _approval(one, False)


def _approval(one: Spoken, granted: bool) -> str:
    plan_hash = one.text("plan_hash")
    step = next((each for each in one.view.steps if each.plan_hash and each.plan_hash == plan_hash), None)
    if step is None:
        raise Declined(409, "This incident asks for nothing with that plan hash. It may have changed since you looked.")
    stands = hindrance(step, one.person, one.now)
    if stands is not None:
        raise Declined(stands.status, stands.sentence)
    one.words.approve(one.person, one.view.id, plan_hash, granted, one.text("reason"), one.now)
    return f"You {'agreed to' if granted else 'rejected'} {step.ability} on {step.target} (plan {plan_hash[:12]}…)."


def _undo(one: Spoken) -> str:
    ability, target = one.text("ability"), one.text("target")
    one.words.order_undo(one.person, one.view.id, ability, target, one.text("reason"), one.now)
    return f"{ability} on {target} is being taken back."


def _renew(one: Spoken) -> str:
    ability, target, until = one.text("ability"), one.text("target"), one.until()
    one.words.renew(one.person, one.view.id, ability, target, until, one.now)
    return f"{ability} on {target} stands until {until:%Y-%m-%d %H:%M} UTC."


def _verdict(one: Spoken) -> str:
    one.words.verdict(one.person, one.view.id, one.text("verdict"), one.text("reason"), one.now)
    return f"Your verdict is on record: {one.text('verdict').replace('_', ' ')}."


def _assign(one: Spoken) -> str:
    one.words.assign(one.person, one.view.id, one.person.id, one.now)
    return "This incident is yours."


def _release(one: Spoken) -> str:
    one.words.assign(one.person, one.view.id, "", one.now)
    return "This incident is nobody's now."


def _comment(one: Spoken) -> str:
    one.words.comment(one.person, one.view.id, one.text("text"), one.now)
    return "Your comment is on record."


def _suppress(one: Spoken) -> str:
    until = one.until()
    one.words.suppress(one.person, one.view.id, one.text("reason"), until, one.now)
    return f"Quiet until {until:%Y-%m-%d %H:%M} UTC, as long as nothing joins it."


def _accept(one: Spoken) -> str:
    until = one.until()
    one.words.accept_risk(one.person, one.view.id, one.text("reason"), until, one.now)
    return f"The risk is accepted until {until:%Y-%m-%d %H:%M} UTC."


def _reopen(one: Spoken) -> str:
    one.words.reopen(one.person, one.view.id, one.text("reason"), one.now)
    return "The incident is thought through again."


def _split(one: Spoken) -> str:
    keys = [value for value in one.form.getlist("finding") if isinstance(value, str)]
    other = one.words.split(one.person, one.view.id, keys, one.text("reason"), one.now)
    return f"{len(keys)} of its findings are an incident of their own now: {other}."


def _merge(one: Spoken) -> str:
    other = one.text("other").strip()
    one.words.merge(one.person, one.view.id, other, one.text("reason"), one.now)
    return f"{other} is part of this incident now."


SAYINGS: Mapping[str, Saying] = {
    "approve": Saying(Right.APPROVE, _yes),
    "reject": Saying(Right.APPROVE, _no),
    "undo": Saying(Right.SPEAK, _undo),
    "renew": Saying(Right.APPROVE, _renew),
    "verdict": Saying(Right.SPEAK, _verdict),
    "assign": Saying(Right.SPEAK, _assign),
    "release": Saying(Right.SPEAK, _release),
    "comment": Saying(Right.SPEAK, _comment),
    "suppress": Saying(Right.SPEAK, _suppress),
    "accept": Saying(Right.APPROVE, _accept),
    "reopen": Saying(Right.SPEAK, _reopen),
    "split": Saying(Right.SPEAK, _split),
    "merge": Saying(Right.SPEAK, _merge),
}
"""Forms by the last part of their address."""

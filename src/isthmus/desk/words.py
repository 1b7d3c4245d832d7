"""What people say of incidents: each word is checked against their role, opens a round, and is on record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from isthmus.decide import approvals
from isthmus.desk.saving import save
from isthmus.intake.reconcile import SCOPES
from isthmus.model.assessment import Verdict
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.findings import seen_as, short_hash
from isthmus.model.incidents import Incident, Round, Word, WordKind
from isthmus.model.outside import printable
from isthmus.model.people import Person, Right
from isthmus.model.plans import Step, UndoOrder
from isthmus.record import incidents, pins
from isthmus.record.incidents import NEW, Stored
from isthmus.record.store import Store

_LONGEST_SILENCE, _LONGEST_LEASE = timedelta(days=365), timedelta(days=7)
_ASKING = {WordKind.VERDICT, WordKind.REOPEN, WordKind.SPLIT, WordKind.MERGE}
"""Words that make the line think and plan anew: who says one has asked for what follows and does not also approve it."""


@dataclass(frozen=True, slots=True)
class Words:
    """Takes people's words. Every method raises `Refused` when this person may not, `Untrusted` when the word is no word."""

    store: Store

    def approve(self, person: Person, name: str, plan_hash: str, granted: bool, reason: str, now: datetime) -> None:
        """A yes or a no to exactly one plan hash."""
        _may(person, Right.APPROVE)

        def spoken(incident: Incident) -> Incident:
            position, step = _step(incident, lambda one: one.request is not None and one.request.plan_hash == plan_hash)
            sign, tenant = self.store.keys.sign, incident.tenant
            said = approvals.give(step, person, plan_hash, granted, _text(reason), now, sign, tenant=tenant)
            return incident.with_step(position, said)

        event = "approval.granted" if granted else "approval.rejected"
        self._changed(person, name, event, {"plan_hash": plan_hash}, spoken, now)

    def order_undo(self, person: Person, name: str, ability: str, target: str, reason: str, now: datetime) -> None:
        """Take a containment back. Somebody's reason is needed, nobody's approval: it restores what was."""
        _may(person, Right.SPEAK)
        order = UndoOrder(person.id, _needed(reason, "reason"), now)

        def said(incident: Incident) -> Incident:
            position, step = _placed(incident, ability, target)
            if step.undo is not None and step.undone is None:
                raise Refused("it is being undone already")
            return incident.with_step(position, replace(step, undo=order, undone=None, trouble=None))

        self._changed(person, name, "undo.ordered", {"ability": ability, "target": target}, said, now)

    def renew(self, person: Person, name: str, ability: str, target: str, until: datetime, now: datetime) -> None:
        """Let a containment stand longer."""
        _may(person, Right.APPROVE)

        def said(incident: Incident) -> Incident:
            position, step = _placed(incident, ability, target)
            if until > now + _LONGEST_LEASE:
                raise Untrusted(f"a containment is renewed for at most {_LONGEST_LEASE.days} days at a time", "until")
            return incident.with_step(position, replace(step, lease_until=_ahead(until, now)))

        self._changed(person, name, "lease.renewed", {"ability": ability, "target": target}, said, now)

    def verdict(self, person: Person, name: str, verdict: str, text: str, now: datetime) -> None:
        """true_positive, benign_positive, false_positive or undetermined, and why."""
        if verdict not in {one.value for one in Verdict}:
            raise Untrusted(f"{printable(verdict[:40])!r} is none of {', '.join(one.value for one in Verdict)}", "verdict")
        self._say(person, name, Word(WordKind.VERDICT, person.id, now, verdict, _needed(text, "reason")), now)

    def assign(self, person: Person, name: str, to: str, now: datetime) -> None:
        """Whose it is: a person's id; empty takes it from everybody."""
        self._say(person, name, Word(WordKind.ASSIGN, person.id, now, printable(to[:64])), now)

    def comment(self, person: Person, name: str, text: str, now: datetime) -> None:
        """Something worth keeping."""
        self._say(person, name, Word(WordKind.COMMENT, person.id, now, "", _needed(text, "text")), now)

    def suppress(self, person: Person, name: str, reason: str, until: datetime, now: datetime) -> None:
        """Quiet until then, as long as nothing joins it."""
        self._say(person, name, Word(WordKind.SUPPRESS, person.id, now, "", _needed(reason, "reason"), _ahead(until, now)), now)

    def accept_risk(self, person: Person, name: str, reason: str, until: datetime, now: datetime) -> None:
        """Known and lived with until then; for approvers, as it stands for the business."""
        _may(person, Right.APPROVE)
        word = Word(WordKind.ACCEPT_RISK, person.id, now, "", _needed(reason, "reason"), _ahead(until, now))
        self._say(person, name, word, now)

    def reopen(self, person: Person, name: str, reason: str, now: datetime) -> None:
        """Think again: ends a verdict, a suppression or an accepted risk."""
        self._say(person, name, Word(WordKind.REOPEN, person.id, now, "", _needed(reason, "reason")), now)

    def split(self, person: Person, name: str, keys: Sequence[str], reason: str, now: datetime) -> str:
        """These findings are another story. Returns the name of the new incident."""
        _may(person, Right.SPEAK)
        why, chosen = _needed(reason, "reason"), frozenset(keys)
        with self.store.writing() as connection:
            stored = incidents.load(connection, self.store.keys, person.tenant, name)
            leaving = tuple(one for one in stored.incident.members if one.finding.key in chosen)
            staying = tuple(one for one in stored.incident.members if one.finding.key not in chosen)
            if len(leaving) != len(chosen) or not leaving or not staying:
                raise Untrusted("name some, not all, of the findings of this incident", "findings")
            other = f"INC-{short_hash('split', name, *sorted(chosen), now.isoformat(), length=16)}"
            pins.put(connection, person.tenant, chosen, pins.APART, other)
            word = Word(WordKind.SPLIT, person.id, now, other, why)
            self._kept(connection, person, replace(stored, incident=replace(stored.incident, members=staying)), word, now)
            opened = Incident(other, person.tenant, "story", leaving, (Round(f"split from {name}", now, person.id),), (word,))
            save(connection, self.store.keys, Stored(opened, NEW), now, "incident.opened", {"from": name}, person.id, now)
        return other

    def merge(self, person: Person, name: str, other: str, reason: str, now: datetime) -> None:
        """The other incident is part of this one."""
        _may(person, Right.SPEAK)
        why = _needed(reason, "reason")
        with self.store.writing() as connection:
            stored = incidents.load(connection, self.store.keys, person.tenant, name)
            gone = incidents.load(connection, self.store.keys, person.tenant, other)
            if name == other or stored.merged_into or gone.merged_into:
                raise Refused("one of them is part of another incident already, or they are the same")
            for one in (stored.incident, gone.incident):
                if one.size > len(one.members):
                    raise Refused(f"{one.id} has more findings than are shown; split out of it what belongs together")
            keys = {one.finding.key for one in gone.incident.members}
            pins.put(connection, person.tenant, keys, pins.WITH, stored.incident.members[0].finding.key)
            members = stored.incident.members + gone.incident.members
            scope = min(stored.incident.scope, gone.incident.scope, key=SCOPES.index)
            word = Word(WordKind.MERGE, person.id, now, other, why)
            self._kept(
                connection, person, replace(stored, incident=replace(stored.incident, members=members, scope=scope)), word, now
            )
            body = {"into": name}
            save(connection, self.store.keys, replace(gone, merged_into=name), now, "incident.merged", body, person.id, now)

    def _say(self, person: Person, name: str, word: Word, now: datetime) -> None:
        _may(person, Right.SPEAK)
        with self.store.writing() as connection:
            stored = incidents.load(connection, self.store.keys, person.tenant, name)
            if stored.merged_into:
                raise Refused(f"{name} is part of {stored.merged_into}; say it there")
            self._kept(connection, person, stored, word, now)

    def _kept(self, connection: Connection, person: Person, stored: Stored, word: Word, now: datetime) -> None:
        """The word, the round it opens, and its entry."""
        reaching = word.kind in {WordKind.VERDICT, WordKind.SUPPRESS, WordKind.ACCEPT_RISK}
        covers = frozenset(seen_as(one.finding) for one in stored.incident.members if reaching)
        seen = replace(word, covers=covers, number=stored.incident.size)
        spoken = replace(stored.incident, words=(*stored.incident.words, seen))
        requester = person.id if word.kind in _ASKING else "isthmus"
        because = f"{word.kind.value.replace('_', ' ')} {word.value}".strip() + f" by {person.id}"
        incident = spoken.reopened(because, now, requester)
        body: dict[str, Any] = {"value": word.value, "until": word.until.isoformat() if word.until else ""}
        event = f"word.{word.kind.value}"
        save(connection, self.store.keys, replace(stored, incident=incident), now, event, body, person.id, now)

    def _changed(
        self, person: Person, name: str, event: str, body: dict[str, Any], said: Callable[[Incident], Incident], now: datetime
    ) -> None:
        with self.store.writing() as connection:
            stored = incidents.load(connection, self.store.keys, person.tenant, name)
            after = replace(stored, incident=said(stored.incident))
            save(connection, self.store.keys, after, now, event, body, person.id, now)


def _may(person: Person, right: Right) -> None:
    if not person.may(right):
        what = "a person who may approve" if right is Right.APPROVE else f"the right to {right.value}"
        raise Refused(f"{person.id} ({person.role.value}{'' if person.human else ', a program'}): this needs {what}")


def _step(incident: Incident, fits: Callable[[Step], bool]) -> tuple[int, Step]:
    for position, step in enumerate(incident.steps):
        if fits(step):
            return position, step
    raise Refused("this incident asks for nothing with that plan hash; it may have changed since you looked")


def _placed(incident: Incident, ability: str, target: str) -> tuple[int, Step]:
    if ability.startswith("case."):
        raise Refused("a case is closed by people, not taken back")
    for position, step in enumerate(incident.steps):
        if (step.action.ability, step.action.target) == (ability, target) and step.may_stand:
            return position, step
    raise Refused(f"no {printable(ability[:64])} of ours is in place on {printable(target[:200])}")


def _text(text: str) -> str:
    return printable(text)[:2_000]


def _needed(text: str, name: str) -> str:
    if not _text(text).strip():
        raise Untrusted("is needed", name)
    return _text(text)


def _ahead(until: datetime, now: datetime) -> datetime:
    if until.tzinfo is None or not now < until <= now + _LONGEST_SILENCE:
        raise Untrusted(f"must be a time with a zone, after now and within {_LONGEST_SILENCE.days} days", "until")
    return until

"""Brings incidents on record up to what correlation says, opening a round where something of weight changed.

A story is loaded whole. A fold (one problem on many assets, or what is quiet) may have any number of findings: those a
batch brings or takes away are counted, and only when its gravest change is it loaded and thought about again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import Connection

from isthmus.answer.report import renumbered
from isthmus.desk.neighbourhood import Region
from isthmus.desk.saving import save
from isthmus.intake.reconcile import Reconciled
from isthmus.intake.tiers import why_folded
from isthmus.model.disposition import State
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.findings import Finding, Kind, weight
from isthmus.model.incidents import MOST_MEMBERS, STORY, Incident, Member, Round
from isthmus.record import findings, holdings, incidents
from isthmus.record.findings import WANTED
from isthmus.record.holdings import Holding
from isthmus.record.incidents import NEW, Stored
from isthmus.record.store import Store

CONFIRMED_WITHIN = timedelta(seconds=30)
"""How long an incident waits for its platform to confirm a webhook before it goes on with a hint."""
_QUIET = {State.SUPPRESSED.value, State.ACCEPTED.value, State.CLOSED.value}
"""A person's word keeps it quiet, and reaches no further than what was there."""
_RESOLVED = "every finding is resolved or dismissed at its source"


class SetAside(IsthmusError):
    """An incident that must not be used, met while new findings were folded."""

    def __init__(self, tenant: str, incident: str, reason: str) -> None:
        super().__init__(reason)
        self.tenant, self.incident = tenant, incident


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a batch did to a fold: keys that joined it and that left it."""

    held: Holding
    joined: Collection[str]
    left: Collection[str]
    because: Mapping[str, str]

    @property
    def number(self) -> int:
        return max(self.held.number + len(self.joined) - len(self.left), 0)


@dataclass(frozen=True)
class Folding:
    """Folds one region, in the transaction that keeps its findings, after them. Raises `SetAside` on an edited incident."""

    connection: Connection
    store: Store
    tenant: str
    region: Region
    now: datetime

    @cached_property
    def _seen(self) -> Mapping[str, Finding]:
        """Findings as they are on record now, as far as they are at hand; what a hint says is left out of others' sight."""
        return {key: one for key, one in self.region.known.items() if not one.hint}

    def fold(self, found: Reconciled) -> None:
        """Every story and fold of the region, and every incident that has nothing of it any more."""
        was = self._were_in()
        for name, story in sorted(found.stories.items()):
            held = self.region.holdings.get(name)
            if held is None:
                self._opened(story)
            elif story.scope == STORY:
                self._story(story, held)
            else:
                because = {one.finding.key: one.because for one in story.members}
                self._turned(_Turn(held, because.keys() - was.get(name, set()), was.get(name, set()) - because.keys(), because))
        for name, into in sorted(found.folded.items()):
            self._merged(self.region.holdings[name], into)
        for name in sorted(was.keys() - found.stories.keys() - found.folded.keys()):
            self._emptied(self.region.holdings.get(name), was[name])

    def _were_in(self) -> dict[str, set[str]]:
        """Keys of the region's findings that were open, by the incident they were in."""
        was: dict[str, set[str]] = {}
        for key, kept in self.region.before.items():
            if kept.incident and kept.gravity:
                was.setdefault(kept.incident, set()).add(key)
        return was

    def _opened(self, story: Incident) -> None:
        number = len(story.members)
        shown = story if story.scope == STORY else replace(story, members=story.members[:MOST_MEMBERS], number=number)
        opened = replace(shown, rounds=(Round(_counted(number, "finding"), self.now),))
        self._save(Stored(opened, NEW), "incident.opened", sorted(one.finding.key for one in shown.members))
        if story.scope != STORY:
            holdings.counted(self.connection, self.tenant, story.id, number, None, self.now)

    def _story(self, story: Incident, held: Holding) -> None:
        keys = {one.finding.key for one in story.members}
        unseen = held.shown - self.region.after.keys()
        fresh, left = keys - held.shown, held.shown - keys - unseen
        graver = [key for key in keys & held.shown if self._weighs(key)]
        if not fresh and not graver and not left and not held.fold:
            return
        stored = self._loaded(held)
        staying = tuple(one for one in stored.incident.members if one.finding.key in unseen)
        grown = replace(stored.incident, members=(*story.members, *staying), scope=story.scope, number=0)
        self._save(self._again(stored, grown, fresh, graver, left), "round.opened", sorted(fresh | left) + sorted(graver))
        if held.number:
            holdings.counted(self.connection, self.tenant, held.id, 0, None, self.now)

    def _turned(self, turn: _Turn) -> None:
        """A fold that goes on: its number, and what is shown of it when that changed."""
        held = turn.held
        keys = findings.gravest(self.connection, self.tenant, held.id, MOST_MEMBERS)
        graver = [key for key in keys if key in held.shown and self._weighs(key)]
        if not (turn.joined or turn.left or graver):
            return
        quiet = held.state in _QUIET and turn.joined
        yesterday = held.changed_at is None or held.changed_at.date() != self.now.date()
        if set(keys) == held.shown and not graver and not quiet and not yesterday:
            title = renumbered(held.title, turn.number)
            holdings.counted(self.connection, self.tenant, held.id, turn.number, title, self.now)
            return
        stored = self._loaded(held)
        members = self._members(keys, stored.incident, turn.because)
        grown = replace(stored.incident, members=members, number=turn.number)
        about = sorted(turn.joined) + sorted(turn.left) + graver
        self._save(self._again(stored, grown, turn.joined, graver, turn.left), "round.opened", about)
        holdings.counted(self.connection, self.tenant, held.id, turn.number, None, self.now)

    def _members(self, keys: Iterable[str], incident: Incident, because: Mapping[str, str]) -> tuple[Member, ...]:
        """What is shown of a fold: these findings, each with the reason known of it."""
        wanted = list(keys)
        known = {one.finding.key: one.because for one in incident.members}
        seen = {**{one.key: one for one in incident.findings}, **self._seen}
        read = findings.by_keys(self.connection, self.tenant, (key for key in wanted if key not in seen))
        members = []
        for key in wanted:
            finding = seen[key] if key in seen else read[key].finding
            told = because.get(key, "")
            # Only the first finding of a new fold opens it.
            why = known.get(key) or (told if told and not told.startswith("opens ") else why_folded(incident.scope, finding))
            members.append(Member(finding, why))
        return tuple(members)

    def _emptied(self, held: Holding | None, left: set[str]) -> None:
        """Nothing that was looked at is in it any more."""
        if held is None or held.gone:
            return
        if held.fold and held.number > len(left):
            self._turned(_Turn(held, (), left, {}))
            return
        unseen = held.shown - self.region.after.keys()
        stored = self._loaded(held)
        if unseen and not held.fold:
            staying = tuple(one for one in stored.incident.members if one.finding.key in unseen)
            gone = held.shown - unseen
            grown = replace(stored.incident, members=staying)
            self._save(self._again(stored, grown, (), (), gone), "round.opened", sorted(gone))
        elif stored.incident.current.opened_because != _RESOLVED:
            # Said once, in a round of its own.
            over = replace(stored.incident.reopened(_RESOLVED, self.now), number=0)
            self._save(replace(stored, incident=over), "round.opened", [])
        if held.fold:
            holdings.counted(self.connection, self.tenant, held.id, 0, None, self.now)

    def _again(
        self, stored: Stored, grown: Incident, fresh: Collection[str], graver: Collection[str], left: Collection[str]
    ) -> Stored:
        """A round that has not begun takes in what is new; one that has is left as it was thought."""
        if grown.current.facts is not None:
            grown = grown.reopened("; ".join(_reasons(len(fresh), len(graver), len(left))), self.now)
        return replace(stored, incident=grown)

    def _weighs(self, key: str) -> bool:
        """Whether what is now told of a finding could change what is thought of it."""
        before, after = self.region.before.get(key), self.region.after.get(key)
        return before is not None and after is not None and weight(before.finding) != weight(after.finding)

    def _merged(self, held: Holding, into: str) -> None:
        self._save(replace(self._loaded(held), merged_into=into), "incident.merged", [into])
        if held.fold:
            holdings.counted(self.connection, self.tenant, held.id, 0, None, self.now)

    def _loaded(self, held: Holding) -> Stored:
        try:
            return incidents.load(self.connection, self.store.keys, self.tenant, held.id, self._seen)
        except Untrusted as error:
            raise SetAside(self.tenant, held.id, str(error)) from None

    def _save(self, stored: Stored, event: str, about: list[str]) -> None:
        body = {"because": stored.incident.current.opened_because, "about": about[:100], "number": len(about)}
        opened = stored.incident.current.opened_at
        waits = self._unconfirmed(stored.incident) and self.now < opened + CONFIRMED_WITHIN
        wake = opened + CONFIRMED_WITHIN if waits else self.now
        save(self.connection, self.store.keys, stored, self.now, event, body, wake=wake)

    def _unconfirmed(self, incident: Incident) -> bool:
        """Whether its platform is just being asked about something in it, and told us of no attack in it yet."""
        if any(one.finding.kind is Kind.THREAT and not one.finding.hint for one in incident.members):
            return False
        kept = (self.region.after.get(one.finding.key) for one in incident.members)
        return any(one is not None and one.refetch == WANTED and one.finding.hint for one in kept)


def _reasons(fresh: int, graver: int, left: int) -> Iterator[str]:
    if fresh:
        yield _counted(fresh, "new finding")
    if graver:
        yield f"{_counted(graver, 'finding')} changed"
    if left:
        yield f"{_counted(left, 'finding')} resolved or moved"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""Deliveries become findings and incidents: computed aside, then kept in one transaction, or not at all."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from isthmus.contracts.roles import Source
from isthmus.desk.saving import OURSELVES, save, set_aside
from isthmus.intake.correlate import correlate
from isthmus.intake.normalise import normalise
from isthmus.intake.parse import Parsed, records
from isthmus.intake.recognise import Recogniser
from isthmus.intake.reconcile import Reconciled, reconcile
from isthmus.intake.suppress import suppress
from isthmus.model.deliveries import Counts, Origin, Rejection
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.findings import Finding, Kind, weight
from isthmus.model.incidents import Held, Incident, Round
from isthmus.model.outside import printable
from isthmus.model.tellings import telling
from isthmus.record import findings, inbox, incidents, ledger, pins
from isthmus.record.findings import DONE, NONE, WANTED, Kept
from isthmus.record.inbox import WEBHOOK, Handed
from isthmus.record.incidents import NEW, Stored
from isthmus.record.store import Store

LOG = logging.getLogger("isthmus.reading")
BATCH = 500
CONFIRMED_WITHIN = timedelta(seconds=30)
"""How long an incident waits for its platform to confirm a webhook before it goes on with a hint."""
_MOST_REJECTED = 1_000


class _SetAside(IsthmusError):
    """An incident that must not be used, met while new findings were folded."""

    def __init__(self, tenant: str, incident: str, reason: str) -> None:
        super().__init__(reason)
        self.tenant, self.incident = tenant, incident


@dataclass
class _Read:
    """What a batch of deliveries says, before anything of it is kept."""

    ids: list[int] = field(default_factory=list)
    told: dict[str, Kept] = field(default_factory=dict)
    counts: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    rejected: list[tuple[tuple[str, str, str], Rejection]] = field(default_factory=list)


class Reader:
    """Reads the inbox. `exploited` are CVEs known to be; `refetchable` the instances that can be asked back."""

    def __init__(
        self, store: Store, sources: Mapping[str, Source], exploited: frozenset[str], refetchable: frozenset[str]
    ) -> None:
        self._store = store
        self._recognisers = {name: Recogniser([source]) for name, source in sources.items()}
        self._exports = {name: list(source.csv_exports) for name, source in sources.items()}
        self._exploited = exploited
        self._refetchable = refetchable

    def read(self, now: datetime) -> int:
        """Read up to a batch of deliveries of one tenant. Returns how many; what fails half-way leaves no trace.

        An incident whose row somebody else changed is set aside, and the batch read again without it.
        """
        while True:
            try:
                return self._read(now)
            except _SetAside as error:
                LOG.error("incident %s: %s", error.incident, error)
                with self._store.writing() as connection:
                    set_aside(connection, error.tenant, error.incident, str(error), now)

    def _read(self, now: datetime) -> int:
        with self._store.reading() as connection:
            batch = inbox.waiting(connection, BATCH)
            if not batch:
                return 0
            tenant = batch[0].handed.tenant
            known = dict(findings.every(connection, tenant))
            held = incidents.known(connection, tenant)
            pinned = pins.of(connection, tenant)
        read = self._claims(((one.id, one.handed) for one in batch), known)
        every = {**known, **read.told}
        kept, _ = suppress(_alone(one.finding) for one in every.values())
        stories = reconcile(correlate(kept, lambda cve: cve in self._exploited), held, pinned)
        with self._store.writing() as connection:
            inbox.done(connection, read.ids)
            self._keep(connection, tenant, read, known, every, stories, held, now)
        return len(batch)

    def _claims(self, batch: Iterable[tuple[int, Handed]], known: Mapping[str, Kept]) -> _Read:
        read = _Read()
        for number, handed in batch:
            read.ids.append(number)
            counts = read.counts.setdefault(handed.place, Counter())
            for claim in self._of(handed):
                counts["seen"] += 1
                if isinstance(claim, Finding):
                    self._take(read, handed, claim, known, counts)
                else:
                    counts["rejected"] += 1
                    if len(read.rejected) < _MOST_REJECTED:
                        reason, place = printable(claim.reason[:2_000]), printable(claim.place[:2_000])
                        read.rejected.append((handed.place, Rejection(handed.name, place, reason)))
        return read

    def _take(self, read: _Read, handed: Handed, claim: Finding, known: Mapping[str, Kept], counts: Counter[str]) -> None:
        # No CNAPP signs its webhooks: whatever its shape, what came by one is a hint until the platform repeats it to us.
        finding = normalise(claim if handed.channel != WEBHOOK else replace(claim, hint=True))
        before = read.told.get(finding.key) or known.get(finding.key)
        counts["stored" if before is None else "duplicate"] += 1
        told = telling(finding) if before is None else before.telling.merged(telling(finding))
        asks = handed.channel == WEBHOOK and handed.instance in self._refetchable
        state = WANTED if asks else DONE if handed.channel != WEBHOOK else before.refetch if before else NONE
        read.told[finding.key] = Kept(told, finding.asset.id, before.incident if before else "", state)

    def _of(self, handed: Handed) -> Iterator[Finding | Untrusted]:
        recogniser = self._recognisers.get(handed.source)
        if recogniser is None:
            yield Untrusted(f"no connector {handed.source}", handed.name)
            return
        origin = Origin(received=handed.at, tenant=handed.tenant, instance=handed.instance)
        for one in records(io.BytesIO(handed.body), self._exports[handed.source]):
            if isinstance(one, Parsed):
                yield from recogniser.claims(one, origin)
            else:
                yield one

    def _keep(
        self,
        connection: Connection,
        tenant: str,
        read: _Read,
        known: Mapping[str, Kept],
        every: Mapping[str, Kept],
        stories: Reconciled,
        held: Sequence[Held],
        now: datetime,
    ) -> None:
        for place, numbers in read.counts.items():
            Counts(numbers["seen"], numbers["stored"], numbers["duplicate"], numbers["rejected"])
            inbox.add(connection, place, **numbers)
        for place, rejection in read.rejected:
            inbox.reject(connection, place, [rejection], now)
        places = {
            one.finding.key: (name, one.finding.asset.id) for name, story in stories.stories.items() for one in story.members
        }
        moved = _moved(every, known, read.told, places)
        findings.save(connection, tenant, moved, known, now)
        Folding(connection, self._store, tenant, known, every, now).fold(stories, held)
        totals = {name: sum(one[name] for one in read.counts.values()) for name in ("seen", "stored", "duplicate", "rejected")}
        ledger.append(
            connection, tenant=tenant, actor=OURSELVES, event="intake.read", subject=tenant, body=dict(totals), at=now
        )


def _alone(finding: Finding) -> Finding:
    """What a hint says of others than its own asset joins no stories: anybody may have written it."""
    return replace(finding, ties=(), indicators=()) if finding.hint else finding


def _moved(
    every: Mapping[str, Kept], known: Mapping[str, Kept], told: Mapping[str, Kept], places: Mapping[str, tuple[str, str]]
) -> dict[str, Kept]:
    """Findings to write: told anew, or folded elsewhere, or standing on an asset that has another name now."""
    moved = {}
    for key, one in every.items():
        incident, asset = places.get(key, (one.incident, one.asset))
        placed = replace(one, incident=incident, asset=asset)
        if key in told or known[key] != placed:
            moved[key] = placed
    return moved


@dataclass(frozen=True, slots=True)
class Folding:
    """Brings the incidents on record up to what correlation says, opening a round where something of weight changed."""

    connection: Connection
    store: Store
    tenant: str
    before: Mapping[str, Kept]
    after: Mapping[str, Kept]
    now: datetime

    def fold(self, stories: Reconciled, held: Sequence[Held]) -> None:
        """Every story, and every incident that has none any more."""
        known = {one.id: one for one in held}
        for name, story in stories.stories.items():
            self._story(story, known.get(name))
        for name, into in stories.folded.items():
            self._merged(known[name], into)
        gone = [one for one in held if one.id not in stories.stories and one.id not in stories.folded and not one.merged_into]
        for one in gone:
            self._resolved(one)

    def _story(self, story: Incident, held: Held | None) -> None:
        keys = {one.finding.key for one in story.members}
        if held is None:
            opened = replace(story, rounds=(Round(_counted(len(keys), "finding"), self.now),))
            self._save(Stored(opened, NEW), "incident.opened", sorted(keys))
            return
        fresh = keys - held.keys
        graver = [key for key in keys & held.keys if self._weighs(key)]
        left = held.keys - keys
        if not fresh and not graver and not left:
            return
        stored = self._loaded(story.tenant, held)
        grown = replace(stored.incident, members=story.members, scope=story.scope)
        if grown.current.facts is not None:
            # A round that has not begun takes in what is new; one that has is left as it was thought.
            grown = grown.reopened("; ".join(_reasons(len(fresh), len(graver), len(left))), self.now)
        self._save(replace(stored, incident=grown), "round.opened", sorted(fresh | left) + sorted(graver))

    def _weighs(self, key: str) -> bool:
        """Whether what is now told of a finding could change what is thought of it."""
        return weight(self.before[key].finding) != weight(self.after[key].finding)

    def _merged(self, held: Held, into: str) -> None:
        stored = self._loaded(self.tenant, held)
        self._save(replace(stored, merged_into=into), "incident.merged", [into])

    def _resolved(self, held: Held) -> None:
        """All its findings are closed at their sources: said once, in a round of its own."""
        stored = self._loaded(self.tenant, held)
        if stored.incident.current.opened_because != _RESOLVED:
            self._save(replace(stored, incident=stored.incident.reopened(_RESOLVED, self.now)), "round.opened", [])

    def _loaded(self, tenant: str, held: Held) -> Stored:
        try:
            return incidents.load(self.connection, self.store.keys, tenant, held.id)
        except Untrusted as error:
            raise _SetAside(tenant, held.id, str(error)) from None

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
        kept = (self.after.get(one.finding.key) for one in incident.members)
        return any(one is not None and one.refetch == WANTED and one.finding.hint for one in kept)


_RESOLVED = "every finding is resolved or dismissed at its source"


def _reasons(fresh: int, graver: int, left: int) -> Iterator[str]:
    if fresh:
        yield _counted(fresh, "new finding")
    if graver:
        yield f"{_counted(graver, 'finding')} changed"
    if left:
        yield f"{_counted(left, 'finding')} resolved or moved"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

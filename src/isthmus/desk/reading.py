"""Deliveries become findings and incidents: computed aside, then kept in one transaction, or not at all.

A batch costs what it brings and touches, not what is stored: only its neighbourhood is read. One reader at a time works
for a tenant, by a lease that is confirmed in the transaction that keeps.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from isthmus.contracts.roles import Source
from isthmus.contracts.tracing import begun_by, span
from isthmus.desk.folding import Folding, SetAside
from isthmus.desk.naming import Names, groups_in, groups_of
from isthmus.desk.neighbourhood import Neighbourhood, Region
from isthmus.desk.saving import OURSELVES, set_aside
from isthmus.desk.sorting import Sorting
from isthmus.intake.normalise import normalise
from isthmus.intake.parse import Parsed, records
from isthmus.intake.recognise import Recogniser
from isthmus.intake.reconcile import Reconciled, reconcile
from isthmus.intake.tiers import LIVE, gravity_text, tier_of
from isthmus.intake.ties import moment
from isthmus.model.deliveries import Counts, Origin, Rejection
from isthmus.model.errors import IsthmusError, Unreachable, Untrusted
from isthmus.model.findings import Finding, Kind, weight
from isthmus.model.incidents import Held
from isthmus.model.outside import printable
from isthmus.model.tellings import telling
from isthmus.record import findings, holdings, inbox, leases, ledger, links, pins
from isthmus.record.findings import DONE, NONE, WANTED, Kept
from isthmus.record.holdings import Holding
from isthmus.record.inbox import WEBHOOK, Handed, Waiting
from isthmus.record.incidents import TAMPERED
from isthmus.record.leases import Lease
from isthmus.record.store import Store

LOG = logging.getLogger("isthmus.reading")
BATCH = 500
_MOST_REJECTED, _MOST_LINKS = 1_000, 100
_MOST_SEEDS = 1_000
_MOST_AGAIN = 10

Place = tuple[str, str, str]


class _Again(IsthmusError):
    """Somebody's word changed what belongs together while it was computed."""


@dataclass
class _Read:
    """What a batch of deliveries says, before anything of it is kept."""

    ids: list[int] = field(default_factory=list)
    claims: list[tuple[Handed, Finding]] = field(default_factory=list)
    counts: dict[Place, Counter[str]] = field(default_factory=dict)
    rejected: list[tuple[Place, Rejection]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Folded:
    """What is to be kept of a batch: `told` are the findings it told, `known` those of them that are on record."""

    told: Mapping[str, Kept]
    known: Mapping[str, Kept]
    region: Region
    found: Reconciled
    fresh_names: set[tuple[str, str]]


class Reader:
    """Reads the inbox. `exploited` are CVEs known to be; `refetchable` the instances that can be asked back.

    `owner` names the process to others on the same database; what it reads for a tenant it must keep within `lease`.
    """

    def __init__(
        self,
        store: Store,
        sources: Mapping[str, Source],
        exploited: frozenset[str],
        refetchable: frozenset[str],
        owner: str = "embedded",
        lease: timedelta = timedelta(minutes=2),
    ) -> None:
        self._store = store
        self._recognisers = {name: Recogniser([source]) for name, source in sources.items()}
        self._exports = {name: list(source.csv_exports) for name, source in sources.items()}
        self._exploited = exploited
        self._refetchable = refetchable
        self._owner, self._lease = owner, lease
        self._sorting = Sorting(store, exploited)
        self._served: dict[str, int] = {}

    def read(self, now: datetime) -> int:
        """Read up to a batch of deliveries of one tenant. Returns how many; what fails half-way leaves no trace.

        An incident whose row somebody else changed is set aside, and the batch read again without it.
        """
        again = 0
        while True:
            try:
                return self._read(now)
            except SetAside as error:
                LOG.error("incident %s: %s", error.incident, error)
                with self._store.writing() as connection:
                    set_aside(connection, error.tenant, error.incident, str(error), now)
            except _Again as error:
                again += 1
                if again > _MOST_AGAIN:
                    raise Unreachable(str(error)) from None

    def _read(self, now: datetime) -> int:
        held = self._taken()
        if held is None:
            return 0
        tenant, lease = held
        self._sorting.sort(tenant)
        with self._store.reading() as connection:
            batch = inbox.waiting(connection, BATCH, tenant)
        if not batch:
            # Somebody else read them between our looking and our taking.
            with self._store.writing() as connection:
                leases.give_back(connection, lease)
            return 0
        begun = map(begun_by, sorted({one.handed.name.removeprefix("webhook ") for one in batch})[:_MOST_LINKS])
        with span("intake.read", ("read", tenant, now.isoformat()), begun, tenant=tenant, deliveries=len(batch)):
            self._read_batch(tenant, lease, batch, now)
        return len(batch)

    def _read_batch(self, tenant: str, lease: Lease, batch: Sequence[Waiting], now: datetime) -> None:
        read = self._claims((one.id, one.handed) for one in batch)
        with self._store.reading() as connection:
            folded = self._folded(connection, tenant, read)
        with self._store.writing() as connection:
            leases.confirm(connection, lease)
            inbox.done(connection, read.ids)
            self._keep(connection, tenant, read, folded, now)
            leases.give_back(connection, lease)

    def _taken(self) -> tuple[str, Lease] | None:
        """A tenant with something to read that nobody else reads for, the one served longest ago first."""
        with self._store.reading() as connection:
            tenants = inbox.tenants(connection)
        if not tenants:
            return None
        with self._store.writing() as connection:
            for tenant in sorted(tenants, key=lambda one: (self._served.get(one, 0), one)):
                lease = leases.take(connection, f"reading {tenant}", self._owner, self._lease)
                if lease is not None:
                    self._served[tenant] = max(self._served.values(), default=0) + 1
                    return tenant, lease
        return None

    def _claims(self, batch: Iterable[tuple[int, Handed]]) -> _Read:
        read = _Read()
        for number, handed in batch:
            read.ids.append(number)
            counts = read.counts.setdefault(handed.place, Counter())
            for claim in self._of(handed):
                counts["seen"] += 1
                if isinstance(claim, Finding):
                    # No CNAPP signs its webhooks: whatever its shape, what came by one is a hint until it is repeated to us.
                    hinted = claim if handed.channel != WEBHOOK else replace(claim, hint=True)
                    read.claims.append((handed, normalise(hinted)))
                else:
                    counts["rejected"] += 1
                    if len(read.rejected) < _MOST_REJECTED:
                        reason, place = printable(claim.reason[:2_000]), printable(claim.place[:2_000])
                        read.rejected.append((handed.place, Rejection(handed.name, place, reason)))
        return read

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

    def _told(self, read: _Read, known: Mapping[str, Kept]) -> dict[str, Kept]:
        told: dict[str, Kept] = {}
        for handed, finding in read.claims:
            before = told.get(finding.key) or known.get(finding.key)
            read.counts[handed.place]["stored" if before is None else "duplicate"] += 1
            whole = telling(finding) if before is None else before.telling.merged(telling(finding))
            asks = handed.channel == WEBHOOK and handed.instance in self._refetchable
            state = WANTED if asks else DONE if handed.channel != WEBHOOK else before.refetch if before else NONE
            kept = replace(before, telling=whole) if before else Kept(whole, finding.asset.id, "")
            told[finding.key] = replace(kept, refetch=state, refetch_said="")
        return {key: self._weighed(kept) for key, kept in told.items()}

    def _weighed(self, kept: Kept) -> Kept:
        finding = kept.finding
        tier = tier_of(finding, self._exploited.__contains__)
        return replace(kept, tier=tier, gravity=gravity_text(finding), sorted_by=self._sorting.mark)

    def _folded(self, connection: Connection, tenant: str, read: _Read) -> _Folded:
        """What the batch and its neighbourhood come to."""
        known = findings.readable(connection, tenant, (finding.key for _, finding in read.claims))
        told = self._told(read, known)
        changed = {key for key, one in told.items() if key not in known or _differs(known[key].finding, one.finding)}
        seeds = self._seeds(connection, tenant)
        names = Names(connection, tenant)
        names.learn(group for _, finding in read.claims for group in groups_of(finding))
        names.learn(group for one in told.values() for group in groups_in(one.telling))
        gathered = Neighbourhood(connection, tenant, names, self._exploited.__contains__)
        region = gathered.gather({**seeds, **told}, {**seeds, **known}, changed | seeds.keys())
        held = [_held(one, region) for one in region.holdings.values()]

        def taken(name: str) -> bool:
            return holdings.exists(connection, tenant, name)

        found = reconcile(region.groups, held, region.pins, taken)
        return _Folded(told, known, region, found, names.fresh)

    def _seeds(self, connection: Connection, tenant: str) -> dict[str, Kept]:
        """Findings to be placed again though nobody told of them: their incident was set aside, or they weigh otherwise now."""
        orphans = findings.orphans(connection, tenant, TAMPERED, _MOST_SEEDS)
        again = findings.marked(connection, tenant, self._sorting.again, _MOST_SEEDS)
        return {**findings.readable(connection, tenant, orphans), **again}

    def _keep(self, connection: Connection, tenant: str, read: _Read, folded: _Folded, now: datetime) -> None:
        if pins.touching(connection, tenant, folded.region.after.keys()) != folded.region.pins:
            raise _Again("somebody put findings together or apart while they were read; tried again")
        for place, rejection in read.rejected:
            inbox.reject(connection, place, [rejection], now)
        self._place(connection, tenant, folded, now)
        Folding(connection, self._store, tenant, folded.region, now).fold(folded.found)
        totals = {name: sum(one[name] for one in read.counts.values()) for name in ("seen", "stored", "duplicate", "rejected")}
        ledger.append(
            connection, tenant=tenant, actor=OURSELVES, event="intake.read", subject=tenant, body=dict(totals), at=now
        )
        # Last, and in one order: deliveries that come in meanwhile add to the same rows.
        for place, numbers in sorted(read.counts.items()):
            Counts(numbers["seen"], numbers["stored"], numbers["duplicate"], numbers["rejected"])
            inbox.add(connection, place, **numbers)

    def _place(self, connection: Connection, tenant: str, folded: _Folded, now: datetime) -> None:
        """Write what was told and what moved, with what each finding has hold of."""
        region = folded.region
        places = {
            one.finding.key: (name, one.finding.asset.id)
            for name, story in folded.found.stories.items()
            for one in story.members
        }
        after = {key: self._placed(key, kept, places) for key, kept in region.after.items()}
        told = {key: after.get(key, kept) for key, kept in folded.told.items()}
        findings.save(connection, tenant, told, folded.known, now)
        moved = {key: kept for key, kept in after.items() if key not in told and kept != region.before[key]}
        findings.settle(connection, tenant, moved)
        links.learn(connection, tenant, folded.fresh_names)
        rows = {key: {replace(one, incident=after[key].incident) for one in found} for key, found in region.links.items()}
        live = {key for key, one in region.before.items() if one.tier & LIVE}
        links.save(connection, tenant, links.of_keys(connection, tenant, live | rows.keys()), rows)

    def _placed(self, key: str, kept: Kept, places: Mapping[str, tuple[str, str]]) -> Kept:
        incident, asset = places.get(key, (kept.incident, kept.asset))
        weighed = kept if kept.sorted_by == self._sorting.mark else self._weighed(kept)
        return replace(weighed, incident=incident, asset=asset)


def _held(one: Holding, region: Region) -> Held:
    """As far as the region goes; a fold that has more elsewhere is not whole."""
    before = region.before
    keys = frozenset(key for key, kept in before.items() if kept.incident == one.id)
    seen = sum(1 for key in keys if before[key].gravity)
    whole = one.number <= seen if one.fold else one.shown <= before.keys()
    return Held(one.id, keys, one.opened_at, one.gone, one.scope, whole)


def _differs(one: Finding, other: Finding) -> bool:
    """Whether anything of a finding changed that its place can depend on: not when it was last heard of."""
    return _standing(one) != _standing(other)


def _standing(finding: Finding) -> tuple[object, ...]:
    asset = finding.asset
    place = asset.kind, asset.provider, asset.account, asset.aliases
    # Only attacks are joined by when they were last seen; what is scanned again every night stays where it is.
    seen = moment(finding) if finding.kind is Kind.THREAT else None
    return weight(finding), place, finding.rule, seen, finding.first_seen

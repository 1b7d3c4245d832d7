"""What findings on record weigh by themselves, worked out again where the rules or the list of exploited CVEs changed.

A database of an earlier version has none of it: all of it is filled before the first batch is read, in portions. Later a
portion is looked at with each batch; what weighs otherwise than before is placed again by the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from isthmus.desk.ground import Ground
from isthmus.desk.naming import Names, groups_in
from isthmus.intake.tiers import LIVE, gravity_text, tier_of
from isthmus.model.findings import short_hash
from isthmus.record import findings, holdings, links
from isthmus.record.findings import Kept
from isthmus.record.store import Store

_RULES = "1"
"""Raised when `intake.tiers` judges otherwise."""
_AT_ONCE = 1_000


class Sorting:
    """Sorts by the rules of this version and this list. `mark` is its name; what carries `again` is to be placed again."""

    def __init__(self, store: Store, exploited: frozenset[str]) -> None:
        self._store, self._exploited = store, exploited
        self.mark = short_hash(_RULES, *sorted(exploited), length=16)
        self.again = f"{self.mark}!"
        self._unlinked = f"{self.mark}~"
        self._reached: dict[str, str] = {}
        self._done: set[str] = set()

    def sort(self, tenant: str) -> None:
        """Everything that was never sorted, at once; of what was sorted otherwise, a portion."""
        if tenant in self._done:
            return
        if tenant not in self._reached:
            ours = self.mark, self.again
            with self._store.reading() as connection:
                if not findings.other_marks(connection, tenant, ours):
                    self._done.add(tenant)
                    return
                first = findings.marked(connection, tenant, "", 1) or findings.marked(connection, tenant, self._unlinked, 1)
            self._reached[tenant] = ""
            while first and self._portion(tenant):
                pass
        if not self._portion(tenant):
            while self._linked(tenant):
                pass
            self._done.add(tenant)

    def _portion(self, tenant: str) -> bool:
        """The next findings by key. False when there were none."""
        with self._store.writing() as connection:
            found = findings.following(connection, tenant, self._reached[tenant], _AT_ONCE)
            if not found:
                self._count(connection, tenant)
                return False
            self._reached[tenant] = list(found)[-1]
            marks = {self.mark, self.again, self._unlinked}
            otherwise = {key: one for key, one in found.items() if one is None or one.sorted_by not in marks}
            findings.marks(connection, tenant, [key for key, one in otherwise.items() if one is None], self.mark)
            readable = {key: one for key, one in otherwise.items() if one is not None}
            names = Names(connection, tenant)
            names.learn(group for one in readable.values() for group in groups_in(one.telling))
            links.learn(connection, tenant, names.fresh)
            findings.settle(connection, tenant, {key: self._sorted(one) for key, one in readable.items()})
        return True

    def _sorted(self, kept: Kept) -> Kept:
        finding = kept.finding
        tier = tier_of(finding, self._exploited.__contains__)
        first = not kept.sorted_by
        mark = self._unlinked if first and tier & LIVE else self.again if not first and tier != kept.tier else self.mark
        return replace(kept, tier=tier, gravity=gravity_text(finding), sorted_by=mark)

    def _linked(self, tenant: str) -> bool:
        """What findings of weight have hold of, once all that is known of their assets is sorted. As `_portion`."""
        with self._store.writing() as connection:
            found = findings.marked(connection, tenant, self._unlinked, _AT_ONCE)
            ground = Ground(Names(connection, tenant), self._exploited.__contains__)
            ground.add(found)
            ground.look()
            ground.add(findings.on_assets(connection, tenant, ground.own(found), 0, 10 * _AT_ONCE))
            ground.look()
            rows = {key: one for key, one in ground.links().items() if key in found}
            placed = {key: {replace(one, incident=found[key].incident) for one in several} for key, several in rows.items()}
            links.save(connection, tenant, links.of_keys(connection, tenant, found), placed)
            findings.marks(connection, tenant, found, self.mark)
        return bool(found)

    def _count(self, connection: Connection, tenant: str) -> None:
        """How many findings each fold has."""
        numbers = findings.numbers(connection, tenant)
        folds: Mapping[str, holdings.Holding] = holdings.of(connection, tenant, numbers)
        holdings.numbered(connection, tenant, {name: numbers[name] for name, one in folds.items() if one.fold})

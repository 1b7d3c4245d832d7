"""What a batch of findings can change: everything whose place among the incidents depends on it, and little else.

Correlation of the whole tenant would give each of these findings the same place. What matters is what reaches beyond its
own asset: attacks, secrets and grave risks (`tiers.LIVE`). They are followed from hold to hold; of what is quiet only the
assets of the batch are looked at, and what stands next to many stories is not followed into them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from isthmus.desk.ground import Ground
from isthmus.desk.naming import Names
from isthmus.desk.near import Near, Nearby
from isthmus.intake.correlate import correlate
from isthmus.intake.reconcile import next_name
from isthmus.intake.tiers import ATTACK, HELD, HOT, LIVE, PROBLEM, Exploited
from isthmus.intake.ties import SHARED_BY_ALL
from isthmus.model.findings import Finding
from isthmus.model.incidents import STORY, Incident, Pins
from isthmus.record import findings, holdings, links, pins
from isthmus.record.findings import Kept
from isthmus.record.holdings import Holding
from isthmus.record.links import STRONG, WEAK, Link

LOG = logging.getLogger("isthmus.reading")
MOST = 5_000
"""Findings looked at for one batch. Beyond it, it is folded with what was found, and what was not looked at stays."""
_WEIGHTY, _EVERY = PROBLEM | LIVE, 0


@dataclass(frozen=True, slots=True)
class Region:
    """Findings as they were and as they are now, what correlation makes of the open ones, and what analysts said of them.

    `links` are those of the open ones, by key, with no incident yet; `holdings` every incident that has any of them.
    """

    before: Mapping[str, Kept]
    after: Mapping[str, Kept]
    known: Mapping[str, Finding]
    groups: list[Incident]
    links: Mapping[str, set[Link]]
    pins: Pins
    holdings: Mapping[str, Holding]


class Neighbourhood:
    """Gathers the region of one batch of one tenant."""

    def __init__(self, connection: Connection, tenant: str, names: Names, exploited: Exploited, most: int = MOST) -> None:
        self._connection, self._tenant, self._exploited, self._most = connection, tenant, exploited, most
        self._ground = Ground(names, exploited)
        self._names = names
        self._nearby = Nearby(connection, tenant)
        self._asked: dict[int, set[str]] = {_EVERY: set(), _WEIGHTY: set(), ATTACK: set()}
        self._sought: dict[int, set[str]] = {STRONG: set(), WEAK: set()}
        self._met: set[str] = set()
        self._inside: set[str] = set()
        self._spoken: set[str] = set()
        self._pins = Pins()
        self._holdings: dict[str, Holding] = {}
        self._whole: set[str] = set()

    def gather(self, told: Mapping[str, Kept], before: Mapping[str, Kept], changed: Iterable[str]) -> Region:
        """Everything that can change for what of `told` changed; `before` is what these findings were."""
        self._ground.tell(told, before, changed)
        groups = self._closed()
        while self._followed(groups):
            groups = self._closed()
        ground = self._ground
        known = {one.finding.key: one.finding for group in groups for one in group.members}
        return Region(ground.before, ground.after, known, groups, ground.links(), self._pins, self._holdings)

    def _closed(self) -> list[Incident]:
        """Correlate, look at what the stories reach, and correlate again until they reach nothing new."""
        while True:
            while self._wave():
                pass
            near = self._nearby.count(self._ground, self._inside)
            if self._went_near(near):
                continue
            groups = correlate(self._ground.known.values(), self._exploited, near.around(self._names.same()))
            if self._full() or not self._reached(groups):
                return groups

    def _full(self) -> bool:
        if len(self._ground.after) < self._most:
            return False
        LOG.warning("%s: more than %d findings hang together; folded with those", self._tenant, self._most)
        return True

    def _wave(self) -> bool:
        """One step further from everything that is here. False when that brought nothing new."""
        size = len(self._ground.after)
        self._ground.look()
        if size >= self._most:
            return False
        self._on_assets()
        self._by_holds()
        self._by_incident()
        self._by_words()
        return len(self._ground.after) > size

    def _on_assets(self) -> None:
        """Findings on the assets of the ground: all where something of weight stands or changed, else those of weight."""
        ground = self._ground
        weighed = (key for key in ground.changed if ground.tiers.get(key) or _tier(ground.before.get(key)))
        grave = (key for key, _ in ground.of_tier(ATTACK | HOT))
        self._fetch(_EVERY, ground.own({*weighed, *grave}) | self._names.hashes(self._names.grown()) | self._whole)
        held = {name for key in ground.handles for name in ground.strong(key)}
        self._fetch(_WEIGHTY, ground.own(ground.after) | self._names.hashes(held))
        beside = {name for key, _ in ground.of_tier(ATTACK) for name in ground.weak(key)}
        self._fetch(ATTACK, self._names.hashes(beside))

    def _fetch(self, tier: int, places: Iterable[str]) -> None:
        wanted = set(places) - self._asked[tier] - self._asked[_EVERY]
        if wanted:
            self._asked[tier] |= wanted
            room = self._most - len(self._ground.after)
            self._ground.add(findings.on_assets(self._connection, self._tenant, wanted, tier, room, self._ground.after))

    def _by_holds(self) -> None:
        """Others that have hold of the same; of those that merely stand next to it, attacks, for an attack."""
        ground = self._ground
        held = {name for key in ground.handles for name in ground.strong(key)}
        beside = {name for key, _ in ground.of_tier(ATTACK) for name in ground.weak(key)}
        attacked = {name for key, _ in ground.of_tier(ATTACK) for name in ground.strong(key)}
        attacks = [key for key, _ in ground.of_tier(ATTACK)]
        grown = self._names.hashes(self._names.grown())
        self._seek(STRONG, LIVE, ground.own(ground.after) | self._names.hashes(held | beside) | grown)
        self._seek(WEAK, ATTACK, ground.own(attacks) | self._names.hashes(attacked) | grown)

    def _seek(self, how: int, tier: int, names: set[str]) -> None:
        wanted = names - self._sought[how]
        self._sought[how] |= wanted
        self._add(links.holders(self._connection, self._tenant, how, tier, wanted))

    def _add(self, keys: Iterable[str]) -> None:
        missing = sorted(set(keys) - self._ground.after.keys())[: self._most]
        if missing:
            self._ground.add(findings.readable(self._connection, self._tenant, missing))

    def _by_incident(self) -> None:
        """Stories whole, and which incidents there are."""
        names = {one.incident for one in self._ground.before.values() if one.incident} - self._met
        self._enter(names)

    def _enter(self, names: Iterable[str]) -> None:
        wanted = set(names) - self._met
        if not wanted:
            return
        self._met |= wanted
        found = holdings.of(self._connection, self._tenant, wanted)
        self._holdings |= found
        stories = {name for name, one in found.items() if not one.fold and not one.tampered}
        self._inside |= stories
        room = self._most - len(self._ground.after)
        self._ground.add(findings.in_incidents(self._connection, self._tenant, stories, room, self._ground.after))

    def _by_words(self) -> None:
        """What analysts put together or apart."""
        keys = self._ground.after.keys() - self._spoken
        if keys:
            self._spoken |= keys
            said = pins.touching(self._connection, self._tenant, keys)
            together = tuple(sorted({*self._pins.together, *said.together}))
            self._pins = Pins(together, {**self._pins.apart, **said.apart})
            self._add(key for pair in said.together for key in pair)

    def _went_near(self, near: Near) -> bool:
        """Look at stories and assets that counting asked for. False when they are here already, or there is no room."""
        size, whole = len(self._ground.after), len(self._whole)
        if size >= self._most:
            return False
        self._enter(near.stories)
        self._whole |= near.assets - self._asked[_EVERY]
        return len(self._ground.after) > size or len(self._whole) > whole

    def _reached(self, groups: Iterable[Incident]) -> bool:
        """Every finding on the assets of stories, and on what their findings of weight have hold of."""
        whole = len(self._whole)
        for group in groups:
            keys = [one.finding.key for one in group.members] if group.scope == STORY else []
            own = [key for key in keys if self._ground.known[key].asset.kind not in SHARED_BY_ALL]
            held = {name for key in keys if self._ground.tiers[key] & (HOT | HELD) for name in self._ground.strong(key)}
            self._whole |= (self._ground.own(own) | self._names.hashes(held)) - self._asked[_EVERY]
        return len(self._whole) > whole

    def _followed(self, groups: Iterable[Incident]) -> bool:
        """The incidents these groups would go by, and where those went that were merged. False when that brought nothing."""
        size, wanted = len(self._ground.after), {(group.id, group.scope != STORY) for group in groups}
        while wanted:
            self._enter(name for name, _ in wanted)
            found = [(self._holdings[name], fold) for name, fold in wanted if name in self._holdings]
            spent = {(next_name(one.id), True) for one, fold in found if fold and (one.gone or not one.fold)}
            went = {(one.gone, False) for one, _ in found if one.gone and not one.tampered}
            wanted = spent | {one for one in went if one[0] not in self._met}
        return len(self._ground.after) > size


def _tier(kept: Kept | None) -> int:
    return 0 if kept is None or not kept.gravity else kept.tier

"""How many stories stand next to an asset: what is on it joins one only while there is exactly one.

A role or a security group may have thousands of stories beside it. They are counted by their incidents, not looked at:
two are as good as many, and only a single one has to be known whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from isthmus.desk.ground import Ground
from isthmus.intake.correlate import Around
from isthmus.intake.tiers import ATTACK, HOT
from isthmus.record import links, pins
from isthmus.record.links import WEAK


@dataclass(slots=True)
class Near:
    """What came of counting: assets where it is too crowded to join, stories to look at, assets to look at whole."""

    crowded: set[str] = field(default_factory=set)
    attacked: set[str] = field(default_factory=set)
    stories: set[str] = field(default_factory=set)
    assets: set[str] = field(default_factory=set)

    def around(self, same: tuple[tuple[str, ...], ...]) -> Around:
        """As correlation takes it."""
        return Around(same, frozenset(self.crowded), frozenset(self.attacked))


class Nearby:
    """Counts for one batch; what it asked once it does not ask again."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection, self._tenant = connection, tenant
        self._rows: dict[str, set[tuple[int, str]]] = {}
        self._apart = pins.set_apart(connection, tenant)
        self._gone: set[str] | None = None

    def count(self, ground: Ground, inside: set[str]) -> Near:
        """For every asset a grave finding of the ground stands next to, or stood, and every asset whose findings could
        join a story for it. `inside` are the incidents that are in the ground as a whole.
        """
        beside: dict[str, int] = {}
        for key in ground.grave():
            for name in ground.weak(key):
                beside[name] = beside.get(name, 0) | ground.tiers[key]
        # What is too mild to join for standing there joins with what is not.
        could = {one.asset.id for one in ground.known.values()}
        left = self._left(ground)
        classes = {ground.canonical.get(name, name): ground.names.of(name) for name in beside.keys() | could}
        self._ask({links.hashed(name) for names in classes.values() for name in names} | left)
        near = Near()
        for chosen, names in classes.items():
            hashes = {links.hashed(name) for name in names}
            tiers = beside.get(chosen, 0)
            self._counted(near, chosen, hashes, inside, tiers, bool(tiers) or not left.isdisjoint(hashes))
        for name in left - {links.hashed(name) for names in classes.values() for name in names}:
            self._counted(near, "", {name}, inside, 0, True)
        return near

    def _counted(self, near: Near, chosen: str, hashes: set[str], inside: set[str], tiers: int, touched: bool) -> None:
        outside = {(tier, name) for one in hashes for tier, name in self._rows.get(one, ()) if name not in inside}
        near.stories |= {name for _, name in outside if name in self._apart}
        every = {name for _, name in outside if name not in self._apart}
        attacks = {name for tier, name in outside if tier & ATTACK and name not in self._apart}
        if len(attacks) > 1:
            near.attacked.add(chosen)
            near.crowded.add(chosen)
            return
        near.stories |= attacks
        if len(every) > 1:
            near.crowded.add(chosen)
        else:
            near.stories |= every
        if touched and (len(every) < 2 or tiers & ATTACK):
            near.assets |= hashes

    def _ask(self, hashes: Iterable[str]) -> None:
        wanted = set(hashes) - self._rows.keys()
        for name in wanted:
            self._rows[name] = set()
        for name, tier, incident in links.beside(self._connection, self._tenant, HOT, wanted):
            self._rows[name].add((tier, incident))

    def _left(self, ground: Ground) -> set[str]:
        """Hashes of what the changed findings stood next to."""
        if self._gone is None:
            rows = links.of_keys(self._connection, self._tenant, ground.changed & ground.before.keys())
            self._gone = {one.name for found in rows.values() for one in found if one.how & WEAK and one.tier & HOT}
        return self._gone

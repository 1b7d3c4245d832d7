"""Which names are one thing, as far as a batch can see: looked up name by name, and learnt from what is told.

What platforms once told to be one thing stays one thing, also when the finding that said so is long resolved. Words of
hints are not learnt: anybody may have written them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from isthmus.graph.identity import settle
from isthmus.model.findings import Finding
from isthmus.model.tellings import Telling
from isthmus.record import links
from isthmus.record.links import hashed

_DEEPEST = 50
"""Steps from name to name: what platforms say of a thing is two or three deep."""


def groups_of(finding: Finding) -> Iterator[tuple[str, ...]]:
    """Names a telling says are one thing."""
    if not finding.hint:
        yield finding.asset.aliases
        for tie in finding.ties:
            yield tie.asset.aliases


def groups_in(told: Telling) -> Iterator[tuple[str, ...]]:
    """Names that all tellings of one finding together say are one thing, whatever a hint made of it since."""
    if told.names:
        yield told.names
    if told.full is not None:
        yield from groups_of(told.full)


class Names:
    """Names of one tenant and what they are the same as."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection, self._tenant = connection, tenant
        self._texts: dict[str, str] = {}
        self._known: dict[str, set[str]] = {}
        self._asked: set[str] = set()
        self.fresh: set[tuple[str, str]] = set()
        self._chosen: dict[str, str] = {}
        self._classes: dict[str, tuple[str, ...]] = {}

    def look(self, names: Iterable[str]) -> None:
        """Find everything these are the same as."""
        asking = {hashed(name): name for name in names if name not in self._chosen}
        self._texts |= asking
        wanted = asking.keys() - self._asked
        for _ in range(_DEEPEST):
            if not wanted:
                break
            self._asked |= wanted
            found = links.other_names(self._connection, self._tenant, wanted)
            for name, other, told in found:
                self._texts[other] = told
                self._known.setdefault(name, set()).add(other)
            wanted = {other for _, other, _ in found} - self._asked
        if asking:
            self._settle()

    def learn(self, groups: Iterable[tuple[str, ...]]) -> None:
        """Take what these groups say; `fresh` are the pairs nobody told before."""
        told = {tuple(sorted(set(group))) for group in groups}
        self.look(name for group in told for name in group)
        for first, *others in sorted(told):
            for other in others:
                if self._chosen[first] != self._chosen[other]:
                    self.fresh.add((first, other))
        self._settle()

    def _settle(self) -> None:
        pairs = [(self._texts[one], self._texts[other]) for one, others in self._known.items() for other in others]
        self._chosen = dict(settle([*pairs, *self.fresh, *((name,) for name in self._texts.values())]))
        classes: dict[str, list[str]] = {}
        for name, chosen in self._chosen.items():
            classes.setdefault(chosen, []).append(name)
        self._classes = {chosen: tuple(sorted(members)) for chosen, members in classes.items()}

    def same(self) -> tuple[tuple[str, ...], ...]:
        """Every group of two names or more."""
        return tuple(sorted(members for members in self._classes.values() if len(members) > 1))

    def of(self, name: str) -> tuple[str, ...]:
        """Everything this name is the same as, itself included."""
        return self._classes.get(self._chosen.get(name, name), (name,))

    def hashes(self, names: Iterable[str]) -> set[str]:
        """Hashes of these names and of everything they are the same as."""
        return {hashed(one) for name in names for one in self.of(name)}

    def grown(self) -> set[str]:
        """Names that are now one thing with others they were not one with before."""
        return {name for pair in self.fresh for name in pair}

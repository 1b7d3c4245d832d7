"""Disjoint sets of names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Union:
    """Joins names into groups; what was joined stays joined, in any order of joining."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The representative of a name's group; a name never seen is a group of its own."""
        parent = self._parent
        root = parent.setdefault(name, name)
        while parent[root] != root:
            root = parent[root]
        while parent[name] != root:
            parent[name], name = root, parent[name]
        return root

    def join(self, names: Sequence[str]) -> None:
        """Put all these names into one group."""
        first = self.find(names[0])
        for other in names[1:]:
            self._parent[self.find(other)] = first

    def groups(self) -> Iterable[list[str]]:
        """Every group with its members, in the order they were first seen."""
        found: dict[str, list[str]] = {}
        for name in self._parent:
            found.setdefault(self.find(name), []).append(name)
        return found.values()

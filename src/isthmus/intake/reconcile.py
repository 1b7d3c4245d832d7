"""Which of the incidents on record each freshly correlated story is.

Correlation sees only findings; people have seen incidents, spoken about them and acted in them. An incident keeps its
name while most of what it is made of stays together, and an analyst's split or merge outlives every new finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from isthmus.graph.union import Union
from isthmus.model.findings import short_hash
from isthmus.model.incidents import STORY, Held, Incident, Member, Pins

SCOPES = ("story", "problem", "backlog")
"""Gravest first."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Members by incident, each finding exactly once; and which incidents on record are now part of which other."""

    stories: Mapping[str, Incident]
    folded: Mapping[str, str]


def nobody(_: str) -> bool:
    """No name is known beyond those handed in."""
    return False


def reconcile(
    groups: Sequence[Incident], held: Sequence[Held], pins: Pins, known: Callable[[str], bool] = nobody
) -> Reconciled:
    """A function of what is handed in: the same groups, incidents and words give the same answer, in any order.

    `known` says of a name that is about to be given for the first time whether an incident not handed in has it.
    """
    apart = pins.apart
    set_apart: dict[str, list[Member]] = {}
    left = []
    for group in groups:
        kept = tuple(one for one in group.members if one.finding.key not in apart)
        for one in group.members:
            if one.finding.key in apart:
                set_apart.setdefault(apart[one.finding.key], []).append(one)
        if kept:
            left.append(replace(group, members=kept))
    joined, merged = _joined(left, pins.together)
    stories = _named(joined, _Names(held, set(set_apart), known), merged)
    for name, members in set_apart.items():
        stories[name] = Incident(name, members[0].finding.tenant, STORY, _ordered(members))
    return Reconciled(stories, _folded(stories, held))


def _joined(groups: Sequence[Incident], together: Iterable[tuple[str, str]]) -> tuple[list[Incident], set[str]]:
    """Groups, those an analyst merged as one; and the ids of those."""
    by_key = {one.finding.key: number for number, group in enumerate(groups) for one in group.members}
    union = Union()
    for number in range(len(groups)):
        union.join((str(number),))
    for one, other in together:
        if one in by_key and other in by_key:
            union.join((str(by_key[one]), str(by_key[other])))
    joined, merged = [], set()
    for numbers in union.groups():
        parts = sorted((groups[int(number)] for number in numbers), key=lambda group: (SCOPES.index(group.scope), group.id))
        members = [one for part in parts for one in part.members]
        joined.append(parts[0] if len(parts) == 1 else replace(parts[0], members=tuple(members)))
        merged |= {parts[0].id} if len(parts) > 1 else set()
    return sorted(joined, key=lambda group: group.id), merged


def _ordered(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda one: (-one.finding.severity.weight, one.finding.key)))


@dataclass(frozen=True, slots=True)
class _Names:
    """The incidents on record, names that belong to analysts' words, and who else has one."""

    held: Sequence[Held]
    reserved: set[str]
    known: Callable[[str], bool]

    def free(self, taken: set[str], merged: bool) -> dict[str, Held]:
        """Incidents a group may go on as. A fold that has more findings elsewhere only goes on as itself, or merged."""
        out = self.reserved | taken
        return {one.id: one for one in self.held if not one.merged_into and one.id not in out and (one.whole or merged)}

    def fresh(self, group: Incident, taken: set[str]) -> str:
        """A name nobody has had: the group's own, or one more made of its findings."""
        known = {one.id for one in self.held} | taken
        name, keys = group.id, sorted(one.finding.key for one in group.members)
        while name in known or self.known(name):
            name = f"INC-{short_hash(name, *keys, length=16)}"
        return name

    def of_fold(self, name: str) -> str:
        """The name a fold goes by: its own, or the next when that one was merged, is a story now, or is not used any more."""
        out = {one.id for one in self.held if one.merged_into or one.scope == STORY} | self.reserved
        while name in out:
            name = next_name(name)
        return name


def next_name(name: str) -> str:
    """What a fold is called when this name can be used no more."""
    return f"INC-{short_hash(name, length=16)}"


def _named(groups: Sequence[Incident], names: _Names, merged: set[str]) -> dict[str, Incident]:
    """Each group under the name of the incident it shares most findings with; every name is given once.

    A fold is what it is called: it goes by the name made of what it folds.
    """
    given = {
        number: names.of_fold(group.id)
        for number, group in enumerate(groups)
        if group.scope != STORY and group.id not in merged
    }
    taken = set(given.values())
    for _, _, name, number in sorted(_claims(groups, names, merged, given)):
        if number not in given and name not in taken:
            given[number] = name
            taken.add(name)
    stories = {}
    for number, group in enumerate(groups):
        name = given.get(number) or names.fresh(group, taken)
        taken.add(name)
        stories[name] = replace(group, id=name)
    return stories


def _claims(
    groups: Sequence[Incident], names: _Names, merged: set[str], given: Mapping[int, str]
) -> Iterable[tuple[int, str, str, int]]:
    """Which group shares how many findings with which incident: the most first, then the oldest."""
    taken = set(given.values())
    ways = {one: names.free(taken, one) for one in (False, True)}
    holders = {one: {key: held.id for held in free.values() for key in held.keys} for one, free in ways.items()}
    for number, group in enumerate(groups):
        if number in given:
            continue
        free, holder = ways[group.id in merged], holders[group.id in merged]
        shared = Counter(holder[one.finding.key] for one in group.members if one.finding.key in holder)
        if group.id in free:
            shared[group.id] += 0
        yield from ((-count, free[name].opened_at, name, number) for name, count in shared.items())


def _folded(stories: Mapping[str, Incident], held: Sequence[Held]) -> dict[str, str]:
    """Incidents on record that have no story any more, and which one their findings went to, if to any."""
    now_in = {one.finding.key: name for name, story in stories.items() for one in story.members}
    folded = {}
    for one in held:
        if one.merged_into or one.id in stories or not one.whole:
            continue
        went = Counter(now_in[key] for key in one.keys if key in now_in)
        if went:
            folded[one.id] = min(went, key=lambda name: (-went[name], name))
    return folded

"""Which of the incidents on record each freshly correlated story is.

Correlation sees only findings; people have seen incidents, spoken about them and acted in them. An incident keeps its
name while most of what it is made of stays together, and an analyst's split or merge outlives every new finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from isthmus.graph.union import Union
from isthmus.model.findings import short_hash
from isthmus.model.incidents import Held, Incident, Member, Pins

SCOPES = ("story", "problem", "backlog")
"""Gravest first."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Members by incident, each finding exactly once; and which incidents on record are now part of which other."""

    stories: Mapping[str, Incident]
    folded: Mapping[str, str]


def reconcile(groups: Sequence[Incident], held: Sequence[Held], pins: Pins) -> Reconciled:
    """A function of what is handed in: the same groups, incidents and words give the same answer, in any order."""
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
    stories = _named(_joined(left, pins.together), held, set(set_apart))
    for name, members in set_apart.items():
        stories[name] = Incident(name, members[0].finding.tenant, "story", _ordered(members))
    return Reconciled(stories, _folded(stories, held))


def _joined(groups: Sequence[Incident], together: Iterable[tuple[str, str]]) -> list[Incident]:
    """Groups an analyst merged, as one."""
    by_key = {one.finding.key: number for number, group in enumerate(groups) for one in group.members}
    union = Union()
    for number in range(len(groups)):
        union.join((str(number),))
    for one, other in together:
        if one in by_key and other in by_key:
            union.join((str(by_key[one]), str(by_key[other])))
    joined = []
    for numbers in union.groups():
        parts = sorted((groups[int(number)] for number in numbers), key=lambda group: (SCOPES.index(group.scope), group.id))
        members = [one for part in parts for one in part.members]
        joined.append(parts[0] if len(parts) == 1 else replace(parts[0], members=tuple(members)))
    return sorted(joined, key=lambda group: group.id)


def _ordered(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda one: (-one.finding.severity.weight, one.finding.key)))


def _named(groups: Sequence[Incident], held: Sequence[Held], reserved: set[str]) -> dict[str, Incident]:
    """Each group under the name of the incident it shares most findings with; every name is given once."""
    names = {one.id: one for one in held if not one.merged_into and one.id not in reserved}
    holder = {key: one.id for one in names.values() for key in one.keys}
    claims = []
    for number, group in enumerate(groups):
        shared = Counter(holder[one.finding.key] for one in group.members if one.finding.key in holder)
        if group.id in names:
            shared[group.id] += 0
        claims += [(-count, names[name].opened_at, name, number) for name, count in shared.items()]
    given: dict[int, str] = {}
    taken: set[str] = set()
    for _, _, name, number in sorted(claims):
        if number not in given and name not in taken:
            given[number] = name
            taken.add(name)
    stories = {}
    for number, group in enumerate(groups):
        name = given.get(number) or _fresh(group, held, taken)
        taken.add(name)
        stories[name] = replace(group, id=name)
    return stories


def _fresh(group: Incident, held: Sequence[Held], taken: set[str]) -> str:
    """A name nobody has had: the group's own, or one more made of its findings."""
    known = {one.id for one in held} | taken
    name, keys = group.id, sorted(one.finding.key for one in group.members)
    while name in known:
        name = f"INC-{short_hash(name, *keys, length=16)}"
    return name


def _folded(stories: Mapping[str, Incident], held: Sequence[Held]) -> dict[str, str]:
    """Incidents on record that have no story any more, and which one their findings went to, if to any."""
    now_in = {one.finding.key: name for name, story in stories.items() for one in story.members}
    folded = {}
    for one in held:
        if one.merged_into or one.id in stories:
            continue
        went = Counter(now_in[key] for key in one.keys if key in now_in)
        if went:
            folded[one.id] = min(went, key=lambda name: (-went[name], name))
    return folded

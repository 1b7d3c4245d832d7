"""Findings become incidents: attacks first, then grave risks by asset, then one problem on many assets, then the rest.

Everything here is a function of the set of findings: the same findings in another order give the same incidents.
What puts a finding into a tier is structure (kind, severity, exposure, exploitation, ties), never words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from isthmus.graph.identity import settle
from isthmus.intake.tiers import Exploited, account_of, fold_of, gravity, is_hot, is_problem, why_folded
from isthmus.intake.ties import SHARED_BY_ALL, handles, linked, standing_beside
from isthmus.model.findings import Finding, Kind, short_hash
from isthmus.model.incidents import STORY, Incident, Member, incident_id
from isthmus.model.problems import Problem
from isthmus.model.severity import Severity

_MEDIUM = int(Severity.MEDIUM)


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of findings that are not handed in.

    `same` are groups of names that were seen on one asset. Two stories or more elsewhere stand next to the assets in
    `crowded`, two attacks or more to those in `attacked`: what is on them joins no story for standing next to it.
    """

    same: tuple[tuple[str, ...], ...] = ()
    crowded: Set[str] = frozenset()
    attacked: Set[str] = frozenset()


ALONE = Around()


@dataclass(slots=True)
class _Group:
    """An incident being put together: finding key to the reason it is here."""

    scope: str
    name: str
    because: dict[str, str] = field(default_factory=dict)


_Near = dict[str, dict[str, _Group]]
"""Assets that stand next to stories, and which."""


def correlate(findings: Iterable[Finding], exploited: Exploited, around: Around = ALONE) -> list[Incident]:
    """Every finding in exactly one incident, each with the reason it is there. Tenants never meet."""
    by_tenant: dict[str, list[Finding]] = {}
    for finding in findings:
        by_tenant.setdefault(finding.tenant, []).append(finding)
    return [one for tenant in sorted(by_tenant) for one in _of_one_tenant(by_tenant[tenant], exploited, around)]


def _of_one_tenant(findings: Iterable[Finding], exploited: Exploited, around: Around) -> list[Incident]:
    canonical, known = identified(findings, around.same)
    taken = _Taken(known, canonical, exploited, around)
    taken.attacks()
    taken.grave_risks()
    taken.problems()
    taken.backlog()
    return [_incident(group, known) for group in taken.groups.values()]


def identified(
    findings: Iterable[Finding], same: Iterable[tuple[str, ...]] = ()
) -> tuple[Mapping[str, str], dict[str, Finding]]:
    """The one id of each name, and the findings with the one id of their asset, by key in order of keys."""
    ordered = sorted(findings, key=lambda one: one.key)
    # What only a hint says does not make two names one thing: anybody may have written it.
    names = [finding.asset.aliases for finding in ordered if not finding.hint]
    names += [tie.asset.aliases for finding in ordered for tie in finding.ties]
    names += [(name,) for finding in ordered if finding.hint for name in finding.asset.aliases]
    canonical = settle([*names, *same])
    known = {}
    for finding in ordered:
        own = canonical[finding.asset.aliases[0]]
        known[finding.key] = finding if own == finding.asset.id else replace(finding, asset=replace(finding.asset, id=own))
    return canonical, known


class _Taken:
    """The sorting table: what is not yet in a group, and the groups."""

    def __init__(
        self, known: Mapping[str, Finding], canonical: Mapping[str, str], exploited: Exploited, around: Around
    ) -> None:
        self.known = known
        self.canonical = canonical
        self.beside = standing_beside(known.values(), canonical)
        self.hot = {key for key, finding in known.items() if is_hot(finding, exploited)}
        self.crowded = {canonical.get(name, name) for name in around.crowded}
        self.attacked = {canonical.get(name, name) for name in around.attacked}
        self.left = dict(known)
        self.groups: dict[str, _Group] = {}
        self.leads: dict[tuple[str, str], Finding] = {}

    def put(self, group: _Group, finding: Finding, because: str) -> None:
        group.because[finding.key] = because
        place = group.name, finding.asset.id
        self.leads[place] = min(self.leads.get(place, finding), finding, key=gravity)
        self.groups[group.name] = group
        del self.left[finding.key]

    def attacks(self) -> None:
        """Threats that share an asset, an identity or an address; with at least one grave, or two different ones."""
        threats = [one for one in self.known.values() if one.kind is Kind.THREAT and one.severity.weight >= _MEDIUM]
        union, because = linked(threats, self.canonical, self.beside)
        for keys in union.groups():
            members = [self.known[key] for key in keys]
            if self.hot.isdisjoint(keys) and len({(one.source, one.rule) for one in members}) < 2:
                continue
            lead = min(members, key=gravity)
            group = _Group(STORY, incident_id(keys))
            for finding in members:
                self.put(group, finding, _lead(lead) if finding is lead else because[finding.key])
        self._join_assets(self.attacked)

    def grave_risks(self) -> None:
        """Every asset that a grave claim stands on and no attack has touched."""
        by_asset: dict[str, list[Finding]] = {}
        for key in sorted(self.hot & self.left.keys()):
            by_asset.setdefault(self.known[key].asset.id, []).append(self.known[key])
        told = {}
        for asset, members in by_asset.items():
            lead = min(members, key=gravity)
            told[asset] = _Group(STORY, incident_id([one.key for one in members])), members
            for finding in members:
                self.put(told[asset][0], finding, _lead(lead) if finding is lead else _same(finding, lead))
        self._join_assets(self.crowded)
        self._join_same_problem(told)

    def _join_assets(self, crowded: Set[str]) -> None:
        """What else is known of the assets of a story joins it; what stands next to exactly one story joins that one."""
        own, near = self._assets_of_stories()
        near = {asset: stories for asset, stories in near.items() if asset not in crowded}
        held = {key: self._held(finding) for key, finding in self.left.items()}
        holders: dict[str, list[str]] = {}
        for key, names in held.items():
            for name in names:
                holders.setdefault(name, []).append(key)
        waiting = deque(self.left)
        while waiting:
            finding = self.left.get(waiting.popleft())
            if finding is None:
                continue
            group, because = self._story_of(finding, held[finding.key], own, near)
            if group is not None:
                self.put(group, finding, because)
                for name in held[finding.key]:
                    if own.setdefault(name, group) is group:
                        waiting.extend(holders.pop(name, ()))

    def _story_of(
        self, finding: Finding, held: Iterable[str], own: Mapping[str, _Group], near: _Near
    ) -> tuple[_Group | None, str]:
        asset = finding.asset.id
        if asset in own and finding.asset.kind not in SHARED_BY_ALL:
            lead = self.leads.get((own[asset].name, asset))
            return own[asset], _same(finding, lead) if lead else f"on an asset of this story: {asset}"
        for name in held:
            if name in own:
                return own[name], f"held by the same identity or touches the same asset: {name}"
        beside = near.get(asset, {})
        if len(beside) == 1 and finding.severity.weight >= _MEDIUM and finding.kind is not Kind.THREAT:
            return next(iter(beside.values())), f"stands next to this story: {asset}"
        return None, ""

    def _held(self, finding: Finding) -> list[str]:
        """What a threat or a leaked secret has hold of beyond an address: assets and identities."""
        if finding.kind not in {Kind.THREAT, Kind.SECRET}:
            return []
        found = handles(finding, self.canonical, {})
        return sorted({one.name for one in found if one.strong and one.how != "ip"})

    def _assets_of_stories(self) -> tuple[dict[str, _Group], _Near]:
        own: dict[str, _Group] = {}
        near: _Near = {}
        for group in sorted(self.groups.values(), key=lambda one: one.name):
            for key in group.because:
                finding = self.known[key]
                if finding.asset.kind not in SHARED_BY_ALL:
                    own.setdefault(finding.asset.id, group)
                for handle in handles(finding, self.canonical, self.beside) if key in self.hot else ():
                    if handle.strong and handle.how != "ip":
                        own.setdefault(handle.name, group)
                    elif not handle.strong:
                        near.setdefault(handle.name, {})[group.name] = group
        return own, near

    def problems(self) -> None:
        """Single detections and high weaknesses of doors: by asset, and the same sort in an account as one."""
        by_asset: dict[str, list[Finding]] = {}
        for finding in self.left.values():
            if is_problem(finding):
                by_asset.setdefault(finding.asset.id, []).append(finding)
        told = {}
        for asset, members in by_asset.items():
            label = fold_of(min(members, key=gravity))
            told[asset] = group, _ = self.groups.get(label) or _Group("problem", label), members
            for finding in members:
                first = not group.because
                self.put(group, finding, _lead(finding) if first else f"the same sort in the same account: {label}")
        self._join_same_problem(told)

    def _join_same_problem(self, told: Mapping[str, tuple[_Group, list[Finding]]]) -> None:
        """The milder telling of a problem another platform rates higher goes where that one went."""
        by_mark: dict[tuple[str, str], tuple[_Group, Finding]] = {}
        for group, members in told.values():
            for one in members:
                for mark in _marks(one):
                    by_mark.setdefault((one.asset.id, mark), (group, one))
        for finding in list(self.left.values()):
            found = next((by_mark[place] for mark in _marks(finding) if (place := (finding.asset.id, mark)) in by_mark), None)
            if found is not None:
                self.put(found[0], finding, _same(finding, found[1]))

    def backlog(self) -> None:
        """What is quiet, by account."""
        for finding in list(self.left.values()):
            name = f"backlog {finding.tenant} {account_of(finding)}"
            group = self.groups.get(name) or _Group("backlog", name)
            self.put(group, finding, why_folded("backlog", finding))


def _lead(finding: Finding) -> str:
    return f"opens the incident: {finding.kind.value.replace('_', ' ')} of {finding.severity.word} severity"


def _shared(one: Finding, other: Finding) -> str:
    """What two claims on one asset have in common, in words; empty when nothing."""
    cves = {v.cve for v in one.vulnerabilities} & {v.cve for v in other.vulnerabilities}
    if cves:
        return min(cves)
    problems = set(one.problems) & set(other.problems) - {Problem.VULNERABILITY}
    if problems:
        return min(problems).words
    return "the same rule" if one.rule and one.rule == other.rule else ""


def _marks(finding: Finding) -> list[str]:
    """By what two claims on one asset are known to be the same problem."""
    problems = [one for one in finding.problems if one is not Problem.VULNERABILITY]
    return [*sorted({v.cve for v in finding.vulnerabilities}), *problems, *([finding.rule] if finding.rule else [])]


def _same(finding: Finding, other: Finding) -> str:
    shared = _shared(finding, other)
    if shared and finding.source != other.source:
        return f"same problem on the same asset, also seen by {other.source}: {shared} on {finding.asset.id}"
    return f"same asset as {other.source} finding {other.source_id}: {finding.asset.id}"


def _incident(group: _Group, known: Mapping[str, Finding]) -> Incident:
    keys: Sequence[str] = sorted(group.because, key=lambda key: gravity(known[key]))
    name = group.name if group.scope == STORY else f"INC-{short_hash(group.name, length=16)}"
    members = tuple(Member(known[key], group.because[key]) for key in keys)
    return Incident(id=name, tenant=members[0].finding.tenant, scope=group.scope, members=members)

"""The attack path of an incident: what platforms said hangs together, from outside inwards, and where to cut it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Incident
from isthmus.model.paths import AttackPath, Edge, Node

OUTSIDE = "outside"
_MOST_NODES = 12
_WAYS = {
    "actor": ("tie", "acts on"),
    "acts_as": ("asset", "acts as"),
    "touches": ("asset", "touches"),
    "runs_on": ("asset", "runs on"),
    "owns_key": ("asset", "key of"),
}
_GOALS = {AssetKind.BUCKET, AssetKind.DATABASE, AssetKind.SECRET, AssetKind.ROLE, AssetKind.ACCOUNT}


def attack_path(incident: Incident) -> AttackPath | None:
    """The picture of a story, or None where the platforms said too little to draw one."""
    if incident.scope != "story":
        return None
    assets: dict[str, Asset] = {}
    edges: dict[tuple[str, str], str] = {}
    for finding in incident.findings[:200]:
        for source, target, label in _edges(finding, assets):
            if len(assets) <= _MOST_NODES:
                edges.setdefault((source, target), label)
    if not any(source == OUTSIDE for source, _ in edges):
        return None
    return _drawn(assets, edges)


def _edges(finding: Finding, assets: dict[str, Asset]) -> Iterator[tuple[str, str, str]]:
    own = finding.asset.id
    assets.setdefault(own, finding.asset)
    label = _way_in(finding)
    acted = [tie.asset.id for tie in finding.ties if tie.how == "actor"]
    if label and not (acted and finding.kind is Kind.THREAT):
        yield OUTSIDE, own, label
    for tie in finding.ties:
        if tie.how not in _WAYS or tie.asset.id == own:
            continue
        assets.setdefault(tie.asset.id, tie.asset)
        start, said = _WAYS[tie.how]
        yield (own, tie.asset.id, said) if start == "asset" else (tie.asset.id, own, said)
    for actor in acted:
        if label:
            yield OUTSIDE, actor, label


def _way_in(finding: Finding) -> str:
    """How the outside reaches this asset, if a platform said it does."""
    address = next((one.value for one in finding.indicators if one.kind == "ip"), "")
    if finding.kind is Kind.THREAT and address:
        return f"from {address}"
    if finding.internet and finding.vulnerabilities:
        return finding.vulnerabilities[0].cve
    if finding.internet:
        return "open to the internet"
    return "secret is out" if finding.kind is Kind.SECRET else ""


def _drawn(assets: Mapping[str, Asset], edges: Mapping[tuple[str, str], str]) -> AttackPath:
    ways: dict[str, list[str]] = {}
    for source, target in edges:
        ways.setdefault(source, []).append(target)
    hops = _hops(ways, ())
    goals = _goals(assets, hops, ways)
    nodes = [Node(OUTSIDE, "internet", "Internet", OUTSIDE, 0)]
    for name in sorted(hops, key=lambda one: (hops[one], one)):
        if name != OUTSIDE:
            role = "goal" if name in goals else ("entry" if hops[name] == 1 else "step")
            asset = assets[name]
            nodes.append(Node(name, asset.kind.value, asset.shown, role, hops[name]))
    kept = tuple(Edge(source, target, label) for (source, target), label in edges.items() if source in hops and target in hops)
    return AttackPath(tuple(nodes), kept, _critical(ways, hops, goals))


def _hops(ways: Mapping[str, Iterable[str]], without: Iterable[str]) -> dict[str, int]:
    """Distance of everything that can be reached from outside, with some nodes taken away."""
    closed = set(without)
    hops, waiting = {OUTSIDE: 0}, deque([OUTSIDE])
    while waiting:
        here = waiting.popleft()
        for there in ways.get(here, ()):
            if there not in hops and there not in closed:
                hops[there] = hops[here] + 1
                waiting.append(there)
    return hops


def _goals(assets: Mapping[str, Asset], hops: Mapping[str, int], ways: Mapping[str, Iterable[str]]) -> set[str]:
    """What an attacker wants: data and power within reach; failing that, the ends of the ways."""
    wanted = {name for name in hops if name in assets and assets[name].kind in _GOALS}
    return wanted or {name for name in hops if name != OUTSIDE and not any(way in hops for way in ways.get(name, ()))}


def _critical(ways: Mapping[str, Iterable[str]], hops: Mapping[str, int], goals: set[str]) -> str:
    """The node nearest to the outside whose loss cuts every way to every goal."""
    for name in sorted(hops, key=lambda one: (hops[one], one)):
        if name != OUTSIDE and not goals & _hops(ways, (name,)).keys():
            return name
    return ""

"""Which threats belong to one attack: they share something an attacker would have to share, close enough in time."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from isthmus.graph.union import Union
from isthmus.model.assets import AssetKind
from isthmus.model.findings import Finding
from isthmus.model.severity import Severity

SAME_ASSET = timedelta(days=7)
SAME_ACTOR = timedelta(days=2)
SAME_ADDRESS = timedelta(days=1)
SHARED_BY_ALL = {AssetKind.ACCOUNT, AssetKind.CLUSTER, AssetKind.NETWORK}
"""Everything in an account shares these; sharing them says nothing."""

_STRONG = {"actor", "touches", "runs_on", "owns_key"}
_MOST_BESIDE = 16
_STANDING = {"runs_on", "owns_key", "acts_as", "uses_image", "guarded_by"}
_HOW = {
    "asset": "same asset",
    "actor": "done by the same identity",
    "touches": "touches the same asset",
    "runs_on": "runs on the same host",
    "owns_key": "key of the same user",
    "ip": "same remote address",
    "acts_as": "the role of one is the actor of the other",
    "uses_image": "started from the same image",
    "guarded_by": "behind the same security group",
}
_INSIDE = [
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
]


@dataclass(frozen=True, slots=True)
class Handle:
    """Something a threat has hold of. `strong` is its own; weak is what it merely stands next to."""

    name: str
    how: str
    strong: bool


@lru_cache(maxsize=65_536)
def _from_outside(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not any(parsed in net for net in _INSIDE)


Beside = Mapping[str, tuple[Handle, ...]]
"""What any platform said stands next to an asset, by the asset's id."""


def standing_beside(findings: Iterable[Finding], canonical: Mapping[str, str]) -> Beside:
    """What each asset stands next to, whoever said so: its role, image, security group, host."""
    found: dict[str, set[Handle]] = {}
    for finding in findings:
        for tie in finding.ties:
            if tie.how in _STANDING and tie.asset.kind not in SHARED_BY_ALL:
                name = canonical[tie.asset.aliases[0]]
                found.setdefault(finding.asset.id, set()).add(Handle(name, tie.how, tie.how in _STRONG))
                if tie.how == "acts_as" and "/instance-profile/" in name:
                    # A profile mostly carries a role of its own name: good enough to stand beside, not to be the same.
                    role = name.replace("/instance-profile/", "/role/")
                    found[finding.asset.id].add(Handle(role, tie.how, False))
    return {asset: tuple(sorted(near, key=lambda one: (one.name, one.how))[:_MOST_BESIDE]) for asset, near in found.items()}


def handles(finding: Finding, canonical: Mapping[str, str], beside: Beside) -> Iterator[Handle]:
    """What this threat could share with another."""
    if finding.asset.kind not in SHARED_BY_ALL:
        yield Handle(finding.asset.id, "asset", True)
    for tie in finding.ties:
        if tie.asset.kind not in SHARED_BY_ALL:
            yield Handle(canonical[tie.asset.aliases[0]], tie.how, tie.how in _STRONG)
    yield from beside.get(finding.asset.id, ())
    for indicator in finding.indicators:
        if indicator.kind == "ip" and _from_outside(indicator.value):
            # An office or a scanner has an address too: a mild detection is not linked by it to another mild one.
            strong = finding.severity.weight >= Severity.HIGH
            yield Handle(f"address {indicator.value}", "ip", strong)
        elif indicator.kind == "access_key":
            name = f"aws:key/{indicator.value}"
            yield Handle(canonical.get(name, name), "actor", True)


def moment(finding: Finding) -> datetime | None:
    """When a threat was last seen to happen."""
    return finding.last_seen or finding.times.happened


def linked(threats: Sequence[Finding], canonical: Mapping[str, str], beside: Beside) -> tuple[Union, dict[str, str]]:
    """The threats joined by what they share, and for each key the reason of its first link."""
    union, because, by_handle = Union(), dict[str, str](), dict[str, list[tuple[Finding, Handle]]]()
    for finding in threats:
        union.find(finding.key)
        for handle in dict.fromkeys(handles(finding, canonical, beside)):
            by_handle.setdefault(handle.name, []).append((finding, handle))
    for name in sorted(by_handle, key=lambda one: (one.startswith("address "), one)):
        for one, other, how in _pairs(by_handle[name]):
            union.join((one.key, other.key))
            said = f"{_HOW.get(how, how)} as {one.source} finding {one.source_id}: {name}"
            because.setdefault(other.key, said)
            because.setdefault(one.key, f"{_HOW.get(how, how)} as {other.source} finding {other.source_id}: {name}")
    return union, because


def _pairs(holders: list[tuple[Finding, Handle]]) -> Iterator[tuple[Finding, Finding, str]]:
    """Neighbours in time that share one handle; two that only stand next to it are not linked."""
    ordered = sorted(holders, key=lambda pair: (str(moment(pair[0]) or ""), pair[0].key, pair[1].how))
    before: dict[bool, tuple[Finding, Handle]] = {}
    for finding, handle in ordered:
        for strong in (True, False):
            known = before.get(strong)
            if known and known[0].key != finding.key and (strong or handle.strong) and _close(known[0], finding, handle.how):
                yield known[0], finding, handle.how if handle.how != "asset" else known[1].how
        before[handle.strong] = (finding, handle)


def _close(one: Finding, other: Finding, how: str) -> bool:
    first, second = moment(one), moment(other)
    if first is None or second is None:
        return True
    window = {"asset": SAME_ASSET, "ip": SAME_ADDRESS}.get(how, SAME_ACTOR)
    return abs(second - first) <= window

"""The findings a batch is folded among, as they were and as they are, and what each has hold of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from isthmus.desk.naming import Names
from isthmus.intake.correlate import identified
from isthmus.intake.tiers import HOT, LIVE, Exploited, tier_of
from isthmus.intake.ties import Handle, handles, standing_beside
from isthmus.model.findings import Finding
from isthmus.record.findings import Kept
from isthmus.record.links import STRONG, WEAK, Link, hashed


def as_seen(finding: Finding) -> Finding:
    """What a hint says of others than its own asset joins no stories: anybody may have written it."""
    return replace(finding, ties=(), indicators=()) if finding.hint else finding


class Ground:
    """Grows finding by finding. `before` is what is on record, `after` what is told now; `changed` are the keys that
    differ. `known` are the open ones with the one id of their asset, `tiers` what they weigh, `handles` what those of
    weight have hold of.
    """

    def __init__(self, names: Names, exploited: Exploited) -> None:
        self.names, self._exploited = names, exploited
        self.before: dict[str, Kept] = {}
        self.after: dict[str, Kept] = {}
        self.changed: set[str] = set()
        self.known: dict[str, Finding] = {}
        self.tiers: dict[str, int] = {}
        self.handles: dict[str, tuple[Handle, ...]] = {}
        self.canonical: Mapping[str, str] = {}
        self._told: Mapping[str, Kept] = {}
        self._open: dict[str, Finding] = {}
        self._own: dict[str, set[str]] = {}
        self._unseen: list[Finding] = []

    def tell(self, told: Mapping[str, Kept], before: Mapping[str, Kept], changed: Iterable[str]) -> None:
        """What was told, and what of it was on record; only those that changed are here for it."""
        self._told = told
        self.changed |= set(changed)
        for key in sorted(self.changed):
            if key in before:
                self.before[key] = before[key]
                self._meet(key, before[key].finding)
            self._put(key, told[key])

    def add(self, found: Mapping[str, Kept]) -> None:
        """Findings on record that stand as they stood."""
        for key, kept in found.items():
            if key not in self.after:
                self.before[key] = kept
                self._put(key, self._told.get(key, kept))

    def _put(self, key: str, kept: Kept) -> None:
        self.after[key] = kept
        finding = as_seen(kept.finding)
        self._meet(key, finding)
        if finding.status.open:
            self._open[key] = finding
            self.tiers[key] = tier_of(finding, self._exploited)

    def _meet(self, key: str, finding: Finding) -> None:
        self._unseen.append(finding)
        self._own.setdefault(key, set()).add(finding.asset.aliases[0])

    def look(self) -> None:
        """Bring names, ids and handles up to what is here."""
        told = (name for one in self._unseen for name in _names(one))
        self.names.look(told)
        self._unseen.clear()
        self.canonical, self.known = identified(self._open.values(), self.names.same())
        beside = standing_beside(self.known.values(), self.canonical)
        self.handles = {
            key: tuple(dict.fromkeys(handles(one, self.canonical, beside)))
            for key, one in self.known.items()
            if self.tiers[key] & LIVE
        }

    def of_tier(self, bits: int) -> Iterator[tuple[str, Finding]]:
        """Open findings with any of these bits."""
        return ((key, one) for key, one in self.known.items() if self.tiers[key] & bits)

    def strong(self, key: str) -> Iterator[str]:
        """Names of what this one itself has hold of, but for its own asset."""
        return (one.name for one in self.handles.get(key, ()) if one.strong and one.how != "asset")

    def weak(self, key: str) -> Iterator[str]:
        """Names of what this one stands next to."""
        return (one.name for one in self.handles.get(key, ()) if not one.strong)

    def own(self, keys: Iterable[str]) -> set[str]:
        """Hashes of the assets these findings are on, by every name, as they were and as they are."""
        return self.names.hashes({name for key in keys for name in self._own[key]})

    def links(self) -> dict[str, set[Link]]:
        """The rows of every open finding of weight, with no incident yet."""
        return {key: set(self._links(key)) for key in self.handles}

    def _links(self, key: str) -> Iterator[Link]:
        how: dict[str, int] = {}
        for one in self.handles[key]:
            if one.how != "asset":
                how[one.name] = how.get(one.name, 0) | (STRONG if one.strong else WEAK)
        return (Link(hashed(name), bits, self.tiers[key], "") for name, bits in how.items())

    def grave(self) -> Iterator[str]:
        """Keys of what is a story by itself."""
        return (key for key, _ in self.of_tier(HOT))


def _names(finding: Finding) -> Iterator[str]:
    yield from finding.asset.aliases
    for tie in finding.ties:
        yield from tie.asset.aliases
    yield from (f"aws:key/{one.value}" for one in finding.indicators if one.kind == "access_key")

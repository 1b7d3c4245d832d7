"""A vendor's finding becomes ours: comparable asset names, and labels for the problem."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from isthmus.graph.identity import names_of, preference
from isthmus.intake.classify import problems_of
from isthmus.model.assets import Asset
from isthmus.model.findings import Finding
from isthmus.model.outside import printable

_MOST_TAGS = 32
_AHEAD = timedelta(hours=1)


def normalise(finding: Finding) -> Finding:
    """The finding with the names of its assets, its first and last sight, and the labels of its problem filled in."""
    times, latest = finding.times, finding.times.received
    if latest and times.updated and times.updated > latest + _AHEAD:
        # A source's clock may be ahead, but nobody outranks every later word by dating his own into the future.
        times = replace(times, updated=latest)
    seen = finding.first_seen or times.happened
    last = finding.last_seen or times.updated or seen
    return replace(
        finding,
        times=times,
        first_seen=seen,
        last_seen=min(last, latest + _AHEAD) if last and latest else last,
        asset=_alone(_named(finding.asset), finding.key),
        ties=tuple(replace(tie, asset=named) for tie in finding.ties if (named := _named(tie.asset)).aliases),
        problems=problems_of(finding.kind, finding.rule, str(finding.title), finding.asset.kind, finding.attack),
    )


@lru_cache(maxsize=65_536)
def _named(asset: Asset) -> Asset:
    """The asset with its names; without any, as it was. Cached: an export tells of the same assets again and again."""
    names = names_of(asset)
    if not names:
        return asset
    tags = tuple((printable(name)[:80], value) for name, value in asset.tags[:_MOST_TAGS])
    return replace(asset, aliases=names, id=min(names, key=preference), tags=tags)


def _alone(asset: Asset, key: str) -> Asset:
    """An asset that nobody named belongs to its finding alone and is shared with no other."""
    return asset if asset.aliases else replace(asset, aliases=(f"unnamed:{key}",), id=f"unnamed:{key}", tags=())

"""A vendor's finding becomes ours: comparable asset names, and labels for the problem."""

from __future__ import annotations

from dataclasses import replace

from isthmus.graph.identity import names_of
from isthmus.intake.classify import problems_of
from isthmus.model.assets import Asset
from isthmus.model.findings import Finding
from isthmus.model.outside import printable

_MOST_TAGS = 32


def normalise(finding: Finding) -> Finding:
    """The finding with the names of its assets and the labels of its problem filled in."""
    return replace(
        finding,
        asset=_named(finding.asset, finding.key),
        ties=tuple(replace(tie, asset=named) for tie in finding.ties if (named := _named(tie.asset, "")).aliases),
        problems=problems_of(finding.kind, finding.rule, str(finding.title), finding.asset.kind, finding.attack),
    )


def _named(asset: Asset, key: str) -> Asset:
    """The asset with its names. One that nobody named belongs to its finding alone and is shared with no other."""
    names = names_of(asset) or ((f"unnamed:{key}",) if key else ())
    tags = tuple((printable(name)[:80], value) for name, value in asset.tags[:_MOST_TAGS])
    return replace(asset, aliases=names, id=names[0] if names else "", tags=tags)

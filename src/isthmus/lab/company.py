"""The company as it is: its accounts, its assets by their native ids, and how they hang together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.errors import IsthmusError
from isthmus.model.findings import Tie


@dataclass(frozen=True, slots=True)
class Home:
    """An AWS account, Azure subscription or GCP project, and what the company itself knows of it."""

    id: str
    name: str
    provider: str
    region: str
    environment: str
    owner: str
    criticality: str


@dataclass(frozen=True, slots=True)
class Company:
    """Everything there is. Sets and mappings are by an asset's strongest id.

    `facing` is reachable from the internet, `sensitive` holds personal or payment data, `privileged` may change other
    people's access, `reads` is which bucket a role may read. `office` and `testers` are addresses.
    """

    homes: tuple[Home, ...]
    assets: tuple[Asset, ...]
    ties: Mapping[str, tuple[Tie, ...]]
    reads: Mapping[str, Asset]
    facing: frozenset[str]
    sensitive: frozenset[str]
    privileged: frozenset[str]
    office: tuple[str, ...]
    testers: tuple[str, ...]

    def of(self, kind: AssetKind, provider: str = "aws") -> list[Asset]:
        """Every asset of one kind in one cloud, always in the same order."""
        return [one for one in self.assets if one.kind is kind and one.provider == provider]

    def home(self, asset: Asset) -> Home:
        """The account an asset lives in."""
        return next(home for home in self.homes if home.id == asset.account)

    def tied(self, asset: Asset, how: str) -> Asset:
        """The one thing this asset is tied to in this way."""
        found = next((tie.asset for tie in self.ties.get(asset.ids[0], ()) if tie.how == how), None)
        if found is None:
            raise IsthmusError(f"the lab's {asset.ids[0]} has no tie {how!r}")
        return found

    def around(self, asset: Asset) -> list[Asset]:
        """The asset, what it directly hangs on, and what runs on it; not its cluster, on which everything hangs."""
        ties = [tie.asset for own in asset.ids for tie in self.ties.get(own, ())]
        over = [one for one in self.assets if any(_runs_on(tie, asset) for tie in self.ties[one.ids[0]])]
        return [asset, *(one for one in ties + over if one.kind is not AssetKind.CLUSTER)]


def _runs_on(tie: Tie, asset: Asset) -> bool:
    return tie.how == "runs_on" and tie.asset.ids[0] in asset.ids


class Cast:
    """Gives each story assets of its own, so that the truth about an asset is never two stories."""

    def __init__(self, company: Company, rng: random.Random) -> None:
        self._company = company
        self._rng = rng
        self.taken: set[str] = set()

    def free(self, kind: AssetKind, provider: str = "aws") -> list[Asset]:
        """Everything of this kind that nobody plays yet."""
        return [one for one in self._company.of(kind, provider) if one.ids[0] not in self.taken]

    def take(self, kind: AssetKind, provider: str = "aws", fits: Callable[[Asset], bool] | None = None) -> Asset:
        """An asset nobody plays yet. Raises when the company is too small for its stories."""
        free = [one for one in self.free(kind, provider) if not fits or fits(one)]
        if not free:
            raise IsthmusError(f"the lab's company has no free {provider} {kind.value} left for a story")
        return self.also(self._rng.choice(free))

    def also(self, asset: Asset) -> Asset:
        """This asset, which now belongs to a story."""
        self.taken.add(asset.ids[0])
        return asset

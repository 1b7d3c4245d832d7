"""How a story is told: what each platform says of it, when, and under which id of its own."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from isthmus.lab.company import Cast, Company
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Indicator, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity


class Role(StrEnum):
    """What a claim really is. `context` is noise that happens to stand on a story's asset."""

    ATTACK = "attack"
    NEAR_MISS = "near_miss"
    NOISE = "noise"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One platform saying one thing at one moment. `hook` says that it was also sent by webhook."""

    vendor: str
    finding: Finding
    role: Role = Role.NOISE
    story: str = ""
    hook: bool = False

    @property
    def arrives(self) -> datetime:
        """When the platform said it."""
        updated = self.finding.times.updated
        assert updated is not None  # noqa: S101 - every sighting is made with its times
        return updated


def seen(**kinds: str | Iterable[str]) -> tuple[Indicator, ...]:
    """Indicators by kind: `seen(ip="192.0.2.1", process=("sh", "curl"))`."""
    rows = [(kind, (given,) if isinstance(given, str) else tuple(given)) for kind, given in kinds.items()]
    return tuple(Indicator(kind, value) for kind, values in rows for value in values)


def own_id(vendor: str, rng: random.Random) -> str:
    """An id as this platform makes them."""
    bits, number = rng.getrandbits(128), rng.randrange(100_000, 9_999_999)
    plain = {"guardduty": f"{bits:032x}", "scc": f"{bits:032x}", "prisma": f"P-{number}", "orca": f"orca-{number}"}
    return plain.get(vendor) or (str(number) if vendor == "lacework" else str(UUID(int=bits)))


_BY_PLAIN_NAME = ("prisma", "lacework", "orca")
_ABOUT = {
    "guardduty": "{title} Found by GuardDuty in {region}.",
    "securityhub": "{title} Resource {name} in account {account}.",
    "wiz": "{title}. Resource {name} ({kind}), subscription {account}.",
    "prisma": "{title}. Review the resource {name} and its account {account}.",
    "orca": "Orca has found that {name} is affected: {title}.",
    "lacework": "{title} for {kind} {name} in account {account}.",
    "falco": "{title} (resource={name})",
    "defender": "{title}. Analysis of host data on {name} indicates this activity.",
    "scc": "{title} in project {account}, resource {name}.",
    "ocsf": "{title} Checked resource {name} in {region}.",
}


def named(asset: Asset, vendor: str) -> Asset:
    """The asset under the name this platform uses for it: buckets by ARN here, by plain name there."""
    if asset.kind is AssetKind.BUCKET and len(asset.ids) > 1 and vendor in _BY_PLAIN_NAME:
        return replace(asset, ids=asset.ids[::-1])
    return asset


def told(vendor: str, title: str, asset: Asset) -> str:
    """The longer text a platform puts under a title. The title goes in last, so braces in it stay what they are."""
    text = _ABOUT.get(vendor, "{title}")
    words = {"name": str(asset.name), "kind": asset.kind.value, "account": asset.account, "region": asset.region}
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text.replace("{title}", title)


class Scene:
    """Collects what is seen of one story. Minutes count from its start; posture was seen in scans of the night."""

    def __init__(self, company: Company, cast: Cast, rng: random.Random, start: datetime, story: str, role: Role) -> None:
        self.company, self.cast, self.rng = company, cast, rng
        self.start, self.story, self.role = start, story, role
        self.sightings: list[Sighting] = []

    def threat(
        self,
        minute: float,
        vendor: str,
        asset: Asset,
        severity: Severity,
        rule: str,
        title: str,
        indicators: tuple[Indicator, ...] = (),
        ties: tuple[Tie, ...] = (),
        **more: Any,
    ) -> Finding:
        """Something a platform saw happen; it says so some minutes later."""
        happened = self.start + timedelta(minutes=minute, seconds=self.rng.randrange(60))
        times = Times(happened, happened + timedelta(seconds=self.rng.randrange(30, 900)))
        ties = (*self.company.ties.get(asset.ids[0], ()), *ties)
        more = {"indicators": indicators, "ties": ties, "first_seen": happened, "last_seen": times.updated} | more
        return self._say(vendor, Kind.THREAT, asset, severity, rule, title, times, more)

    def risk(
        self,
        vendor: str,
        asset: Asset,
        severity: Severity,
        rule: str,
        title: str,
        kind: Kind = Kind.MISCONFIGURATION,
        **more: Any,
    ) -> Finding:
        """A weakness a scan has known for days and saw again last night."""
        own = asset.ids[0]
        flags = {"internet": own in self.company.facing or None, "sensitive": own in self.company.sensitive or None}
        more = {"ties": self.company.ties.get(own, ()), "privileged": own in self.company.privileged or None} | flags | more
        return self._say(vendor, kind, asset, severity, rule, title, self._scan(), more)

    def flaw(self, vendor: str, asset: Asset, severity: Severity, flaw: Vulnerability, **more: Any) -> Finding:
        """A vulnerability a scan has known for days and saw again last night."""
        title = f"{flaw.cve} in {flaw.package} {flaw.version}"
        more = {"vulnerabilities": (flaw,), "internet": asset.ids[0] in self.company.facing or None} | more
        return self._say(vendor, Kind.VULNERABILITY, asset, severity, flaw.cve, title, self._scan(), more)

    def copied(self, finding: Finding) -> None:
        """The copy of a GuardDuty finding that Security Hub shows a few minutes later."""
        happened, updated = finding.times.happened, finding.times.updated
        assert updated is not None  # noqa: S101 - every finding of a scene has its times
        later = Times(happened, updated + timedelta(minutes=self.rng.randrange(2, 7)))
        self._keep("securityhub", replace(finding, source="securityhub", times=later))

    def _scan(self) -> Times:
        midnight = self.start.replace(hour=0, minute=0, second=0)
        first = midnight - timedelta(days=self.rng.randrange(2, 90), minutes=self.rng.randrange(1000))
        return Times(first, midnight + timedelta(minutes=self.rng.randrange(60, 420)))

    def _say(
        self,
        vendor: str,
        kind: Kind,
        asset: Asset,
        severity: Severity,
        rule: str,
        title: str,
        times: Times,
        more: dict[str, Any],
    ) -> Finding:
        self.cast.also(asset)
        text = str(more.pop("text", "")) or told(vendor, title, asset)
        finding = Finding(
            source=vendor,
            source_id=own_id(vendor, self.rng),
            kind=kind,
            rule=rule,
            title=Outside(title),
            description=Outside(text),
            severity=severity,
            asset=named(asset, vendor),
            times=times,
            **more,
        )
        self._keep(vendor, finding)
        return finding

    def _keep(self, vendor: str, finding: Finding) -> None:
        hook = finding.kind is Kind.THREAT and self.rng.random() < 0.3
        self.sightings.append(Sighting(vendor, finding, self.role, self.story, hook))

"""One day of the company: what arrives from its platforms in order, what it knows of itself, and what is true."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from isthmus import assembly
from isthmus.contracts.checks import fits
from isthmus.contracts.connector import Connector
from isthmus.lab import writing
from isthmus.lab.attacks import ATTACKS, Attack
from isthmus.lab.building import SIZES, build
from isthmus.lab.company import Cast, Company
from isthmus.lab.near_misses import NEAR_MISSES, NearMiss
from isthmus.lab.noise import again, noise
from isthmus.lab.scenes import Role, Scene, Sighting
from isthmus.lab.truth import Key, Truth, TruthClaim, TruthStory
from isthmus.model.deliveries import Origin
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.findings import Finding, Kind

DAY = date(2026, 3, 2)
_WEIGHT = {Role.ATTACK: 3, Role.NEAR_MISS: 2, Role.CONTEXT: 1, Role.NOISE: 0}
_BLIND = 0.3
"""How likely a platform is not rolled out where an attack takes place."""
_FIRST_MINUTE, _LAST_MINUTE = 6 * 60, 20 * 60
"""When stories begin: late enough for last night's scans, early enough to end before midnight."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A payload as it arrived: whose it is, and the file it stands in."""

    vendor: str
    file: str
    payload: dict[str, Any]


class Day:
    """A day of the company of this seed. The same arguments give the same day, to the last byte.

    `alerts` are in the order they arrived; `settings` is the text of a settings file; `truth` is for nobody's eyes
    while triaging. Raises `IsthmusError` when a vendor's simulator writes what its own source does not read.
    """

    def __init__(self, seed: int, size: str = "small", attacks: int = 3, day: date = DAY) -> None:
        if size not in SIZES:
            raise Untrusted(f"no such size; there are {', '.join(SIZES)}", size)
        self.seed, self.size = seed, size
        self.company = build(seed, size)
        self._vendors = {one.name: one for one in assembly.catalogue()}
        self._midnight = datetime.combine(day, time(), UTC)
        self._rng = random.Random(f"day {seed} {size} {attacks}")
        self._stories: list[TruthStory] = []
        self._places: dict[str, str] = {}
        self._claims: dict[Key, TruthClaim] = {}
        arrivals = sorted(self._everything(attacks), key=_arrival)
        self.alerts = tuple(alert for number, one in enumerate(arrivals) for alert in self._written(one, number))
        self.settings = _settings(self.company, self._rng, self._midnight)
        claims = tuple(sorted(self._claims.values(), key=_by_key))
        self.truth = Truth(seed, size, day.isoformat(), len(self.alerts), tuple(self._stories), claims)

    @property
    def end(self) -> datetime:
        """Midnight after the day. What was seen shortly before may arrive a little later."""
        return self._midnight + timedelta(days=1)

    def write(self, folder: Path) -> None:
        """The day as a customer has it (`exports/`, `isthmus.yaml`) and, outside of it, `truth.json`."""
        envelopes = {name: vendor.simulator.envelope for name, vendor in self._vendors.items()}
        rows = [(one.vendor, one.file, one.payload) for one in self.alerts]
        writing.write(folder, rows, envelopes, self.settings, self.truth)

    def _everything(self, attacks: int) -> list[Sighting]:
        cast, stories = Cast(self.company, self._rng), []
        for one in self._chosen(attacks):
            stories += self._played(cast, one, Role.ATTACK)
        for other in NEAR_MISSES:
            stories += self._played(cast, other, Role.NEAR_MISS)
        hum = [self._placed(one) for one in noise(self.company, self._rng, self._midnight, self.size)]
        told = [one for one in stories + hum if one.vendor in self._vendors]
        return told + list(again(told, self._rng, self.end))

    def _chosen(self, attacks: int) -> list[Attack]:
        """Each kind once before any twice."""
        rounds, rest = divmod(attacks, len(ATTACKS))
        return list(ATTACKS) * rounds + self._rng.sample(ATTACKS, rest)

    def _played(self, cast: Cast, script: Attack | NearMiss, role: Role) -> list[Sighting]:
        story = f"{role.value}-{len(self._stories) + 1}"
        start = self._midnight + timedelta(minutes=self._rng.randrange(_FIRST_MINUTE, _LAST_MINUTE))
        scene = Scene(self.company, cast, self._rng, start, story, role)
        script.play(scene)
        for asset in [asset for one in scene.sightings for asset in self.company.around(one.finding.asset)]:
            for own in asset.ids:
                self._places.setdefault(own, story)
        seen = scene.sightings if role is Role.NEAR_MISS else _covered(scene.sightings, self._rng)
        self._stories.append(TruthStory(story, role.value, script.kind, script.what))
        return seen

    def _placed(self, one: Sighting) -> Sighting:
        """Noise that happens to stand on something a story is about becomes its context."""
        story = next((self._places[own] for own in one.finding.asset.ids if own in self._places), "")
        return replace(one, role=Role.CONTEXT, story=story) if story else one

    def _written(self, one: Sighting, number: int) -> Iterator[Alert]:
        """The sighting in the export of its half day and, where a webhook was sent, in a file of its own."""
        vendor = self._vendors[one.vendor]
        if one.finding.kind not in vendor.simulator.speaks:
            raise IsthmusError(f"the lab lets {one.vendor} speak of a {one.finding.kind}, which it does not")
        payloads = list(vendor.simulator.payloads(one.finding))
        half = "am" if one.arrives.hour < 12 else "pm"
        yield self._alert(vendor, one, payloads[0], f"{one.vendor}/{{shape}}-{half}{writing.ending(one.vendor)}")
        if one.hook and len(payloads) > 1:
            other = payloads[1 + number % (len(payloads) - 1)]
            yield self._alert(vendor, one, other, f"webhooks/{one.vendor}-{number:05d}.json")

    def _alert(self, vendor: Connector, one: Sighting, payload: dict[str, Any], file: str) -> Alert:
        """The payload and, on the side, what is true of the claim in it."""
        shape, finding = _read_back(vendor, payload, one.arrives)
        key = finding.source, finding.source_id
        claim = TruthClaim(
            *key,
            finding.kind.value,
            one.role.value,
            one.story,
            finding.severity.weight,
            one.arrives.isoformat(),
            finding.status.open,
        )
        known = self._claims.get(key)
        if known and known.story and one.story and known.story != one.story:
            raise IsthmusError(f"the lab tells {known.story} and {one.story} in one claim {'/'.join(key)}")
        if known and _WEIGHT[Role(known.role)] > _WEIGHT[one.role]:
            claim = msgspec.structs.replace(claim, role=known.role, story=known.story)
        self._claims[key] = claim
        return Alert(vendor.name, file.replace("{shape}", _slug(shape)), payload)


def _covered(sightings: list[Sighting], rng: random.Random) -> list[Sighting]:
    """What is left when some platforms do not watch the place: nobody has rolled out everything everywhere. A few
    sightings always remain, one of them of something that happened.
    """
    blind = {vendor for vendor in sorted({one.vendor for one in sightings}) if rng.random() < _BLIND}
    left = [one for one in sightings if one.vendor not in blind]
    threats = sum(one.finding.kind is Kind.THREAT for one in left)
    return left if len(left) >= 3 and threats else sightings


def _arrival(one: Sighting) -> tuple[datetime, str]:
    return one.arrives, one.finding.source_id


def _by_key(one: TruthClaim) -> Key:
    return one.key


def _read_back(vendor: Connector, payload: dict[str, Any], at: datetime) -> tuple[str, Finding]:
    """The shape the vendor's own source sees in a payload, and the one claim it reads there."""
    shape = next((one for one in vendor.source.shapes if fits(one, payload)), None)
    if shape is None:
        raise IsthmusError(f"{vendor.name} does not recognise what its simulator wrote: {sorted(payload)[:8]}")
    claims = list(shape.read(payload, Origin(received=at)))
    if len(claims) != 1 or not isinstance(claims[0], Finding):
        raise IsthmusError(f"{vendor.name} reads {[str(one)[:200] for one in claims]} where one finding was written")
    return shape.name, claims[0]


def _slug(shape: str) -> str:
    """A shape's name as part of a file name."""
    return "-".join("".join(c if c.isalnum() else " " for c in shape.lower()).split())


def _settings(company: Company, rng: random.Random, midnight: datetime) -> str:
    """What the company knows of itself, as its settings file."""
    accounts = {
        home.id: {
            "name": home.name,
            "environment": home.environment,
            "owner": home.owner,
            "criticality": home.criticality,
        }
        for home in company.homes
    }
    jewels = sorted(rng.sample(sorted(company.sensitive), 4))
    until = (midnight + timedelta(days=4)).isoformat()
    why = "penetration test ordered by the CISO, order 2026-017"
    expected = [{"addresses": list(company.testers), "until": until, "why": why}]
    whole = {"accounts": accounts, "crown_jewels": jewels, "expected": expected}
    return str(yaml.safe_dump(whole, sort_keys=False, default_flow_style=False))

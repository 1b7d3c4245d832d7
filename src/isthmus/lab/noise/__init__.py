"""Everything of a day that is no story: scans, scans again, probes, people."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from isthmus.lab import hostile
from isthmus.lab.building import SIZES
from isthmus.lab.company import Cast, Company
from isthmus.lab.noise.activity import activity
from isthmus.lab.noise.flaws import flaws
from isthmus.lab.noise.posture import posture
from isthmus.lab.scenes import Role, Scene, Sighting
from isthmus.model.findings import Kind
from isthmus.model.outside import Outside
from isthmus.model.severity import Status


def noise(company: Company, rng: random.Random, midnight: datetime, size: str) -> list[Sighting]:
    """The noise of one day; a company three times as big hums a little more than three times as loud."""
    scene = Scene(company, Cast(company, rng), rng, midnight, "", Role.NOISE)
    times = SIZES[size] ** 1.2
    flaws(scene, round(95 * times))
    posture(scene, round(125 * times))
    activity(scene, round(48 * times))
    return [_defaced(one, rng) for one in scene.sightings]


def again(sightings: list[Sighting], rng: random.Random, end: datetime) -> Iterator[Sighting]:
    """The same findings seen by a later scan before `end`: same ids, later, a few renamed or closed meanwhile."""
    for one in sightings:
        share = 0.3 if one.finding.kind is Kind.THREAT else 0.4
        later = _rescanned(one, rng)
        if rng.random() < share and later.arrives < end:
            yield later


def _rescanned(one: Sighting, rng: random.Random) -> Sighting:
    finding = one.finding
    later = replace(finding.times, updated=one.arrives + timedelta(minutes=rng.randrange(300, 700)))
    changed = replace(finding, times=later, last_seen=later.updated)
    if rng.random() < 0.15:
        changed = replace(changed, title=Outside(f"{finding.title} (updated)"))
    if one.role is Role.NOISE and finding.status.open and rng.random() < 0.08:
        changed = replace(changed, status=Status.RESOLVED)
    return replace(one, finding=changed, hook=False)


def _defaced(one: Sighting, rng: random.Random) -> Sighting:
    """Now and then somebody wrote wishes into a tag or a title."""
    chance, finding = rng.random(), one.finding
    if chance < 0.04 and finding.asset.tags:
        name, value = rng.choice(hostile.TAGS)
        tags = dict(finding.asset.tags) | {name: Outside(value)}
        asset = replace(finding.asset, tags=tuple(tags.items()))
        return replace(one, finding=replace(finding, asset=asset))
    if chance > 0.98 and finding.kind is Kind.THREAT:
        return replace(one, finding=replace(finding, title=Outside(f"{finding.title} {rng.choice(hostile.ORDERS)}")))
    return one

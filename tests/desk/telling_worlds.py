"""Small random estates whose findings hang together in every way they can, told in any batches and any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import select

from isthmus.desk.ground import as_seen
from isthmus.desk.naming import groups_in, groups_of
from isthmus.desk.reading import Reader
from isthmus.intake.correlate import Around, correlate
from isthmus.intake.normalise import normalise
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.errors import Untrusted
from isthmus.model.findings import TIES, Finding, Indicator, Kind, Tie, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status
from isthmus.model.tellings import Telling, telling
from isthmus.record import inbox
from isthmus.record.inbox import API, WEBHOOK, Handed
from isthmus.record.links import FINDING_LINKS
from isthmus.record.schema import FINDINGS
from isthmus.record.store import Store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOURS = timedelta(hours=1)
EXPLOITED = frozenset({"CVE-2026-0001"})
_KINDS = (AssetKind.INSTANCE, AssetKind.BUCKET, AssetKind.ROLE, AssetKind.SECURITY_GROUP, AssetKind.IMAGE, AssetKind.ACCOUNT)
_GRAVE = (Severity.LOW, Severity.MEDIUM, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


class Told(Reader):
    """A reader of findings that were never written down: the body of a delivery is the number of one."""

    findings: Sequence[Finding] = ()

    def _of(self, handed: Handed) -> Iterator[Finding | Untrusted]:
        if handed.body == b"junk":
            yield Untrusted("is not a finding", handed.name)
            return
        yield replace(self.findings[int(handed.body)], tenant=handed.tenant, instance=handed.instance)


class Estate:
    """Things with several names each, and findings about them."""

    def __init__(self, chance: Random, assets: int = 8) -> None:
        self.chance = chance
        self._assets = [self._asset(number) for number in range(assets)]
        self._updated = 0

    def _asset(self, number: int) -> tuple[AssetKind, str, tuple[str, ...]]:
        kind, account = self.chance.choice(_KINDS), self.chance.choice(("111", "222", ""))
        return kind, account, tuple(f"k8s:{kind.value}-{number}-{way}" for way in range(self.chance.randint(1, 3)))

    def _named(self, number: int | None = None) -> Asset:
        """A thing by some of its names."""
        kind, account, names = self._assets[number % len(self._assets)] if number else self.chance.choice(self._assets)
        some = tuple(sorted(self.chance.sample(names, self.chance.randint(1, len(names)))))
        return Asset(kind, "aws", account, ids=some)

    def finding(self, number: int) -> Finding:
        """Anything about anything; the same number is the same finding, told otherwise and later."""
        chance = self.chance
        self._updated += 1
        kind = chance.choice((Kind.THREAT, Kind.THREAT, Kind.MISCONFIGURATION, Kind.VULNERABILITY, Kind.SECRET, Kind.IDENTITY))
        happened = NOW - timedelta(hours=chance.choice((1, 2, 30, 60, 200)))
        return Finding(
            source="orca" if number % 3 else "wiz",
            source_id=f"f-{number}",
            kind=kind,
            title=Outside(f"finding {number}"),
            severity=chance.choice(_GRAVE),
            asset=self._named(number),
            rule=f"rule-{chance.randint(1, 4)}",
            status=Status.RESOLVED if chance.random() < 0.2 else Status.NEW,
            times=Times(happened, NOW + timedelta(seconds=self._updated), NOW),
            vulnerabilities=(Vulnerability(f"CVE-2026-000{chance.randint(1, 3)}"),) if kind is Kind.VULNERABILITY else (),
            ties=tuple(Tie(chance.choice(TIES), self._named()) for _ in range(chance.choice((0, 0, 1, 1, 2)))),
            indicators=(Indicator("ip", f"203.0.113.{chance.randint(1, 3)}"),) if chance.random() < 0.2 else (),
            internet=chance.choice((None, None, True)),
            hint=chance.random() < 0.1,
        )


def delivered(store: Store, findings: Sequence[Finding], numbers: Iterable[int], instance: str = "one") -> None:
    """These findings in the inbox, in this order."""
    handed = []
    for number in numbers:
        channel = WEBHOOK if findings[number].hint else API
        handed.append(Handed("default", "wiz", instance, channel, f"d-{number}", str(number).encode(), NOW))
    with store.writing() as connection:
        inbox.accept(connection, handed)


def reader(store: Store, findings: Sequence[Finding]) -> Told:
    """A reader that is told these."""
    told = Told(store, {}, EXPLOITED, frozenset())
    told.findings = findings
    return told


def whole(findings: Iterable[Finding]) -> set[frozenset[str]]:
    """What one correlation of everything makes of them: the open ones, by incident."""
    told: dict[str, Telling] = {}
    same = []
    for one in findings:
        finding = normalise(replace(one, instance="one"))
        same += list(groups_of(finding))
        known = told.get(finding.key)
        told[finding.key] = telling(finding) if known is None else known.merged(telling(finding))
    same += [group for one in told.values() for group in groups_in(one)]
    standing = [as_seen(one.finding()) for one in told.values()]
    around = Around(same=tuple(same))
    made = correlate((one for one in standing if one.status.open), EXPLOITED.__contains__, around)
    return {frozenset(one.finding.key for one in group.members) for group in made}


def folded(store: Store) -> Mapping[str, frozenset[str]]:
    """What is on record: open findings by incident. What they have hold of must name the same incidents."""
    found: dict[str, set[str]] = {}
    with store.reading() as connection:
        rows = select(FINDINGS.c.key, FINDINGS.c.incident).where(FINDINGS.c.gravity != "")
        for row in connection.execute(rows):
            found.setdefault(row.incident, set()).add(row.key)
        for link in connection.execute(select(FINDING_LINKS)):
            assert link.key in found.get(link.incident, ()), (link.key, link.incident)
    return {name: frozenset(keys) for name, keys in found.items()}


def quiet(number: int, account: str = "111", **told: object) -> Finding:
    """A finding that is no story, on an asset of its own."""
    asset = Asset(AssetKind.VOLUME, "aws", account, ids=(f"k8s:volume-{number}",))
    plain = Finding("wiz", f"q-{number:06}", Kind.MISCONFIGURATION, Outside(f"quiet {number}"), Severity.LOW, asset)
    return replace(plain, rule=f"rule-{number}", times=Times(NOW - HOURS, NOW - HOURS), **told)  # type: ignore[arg-type]


def threat(number: int, host: int, **told: object) -> Finding:
    """A grave detection on a host."""
    asset = Asset(AssetKind.INSTANCE, "aws", "111", ids=(f"k8s:host-{host}",))
    plain = Finding("wiz", f"t-{number:06}", Kind.THREAT, Outside(f"threat {number}"), Severity.CRITICAL, asset)
    return replace(plain, rule=f"rule-{number}", times=Times(NOW - HOURS, NOW - HOURS), **told)  # type: ignore[arg-type]


def read_all(one: Told) -> None:
    while one.read(NOW):
        pass

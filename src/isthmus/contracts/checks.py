"""The promises every connector keeps, as plain functions: `check(connector) -> None`, raising `Broken`.

The conformance suite runs all of PROMISES over every connector it finds; so can an author from outside, without pytest.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

from isthmus.contracts.connector import Connector
from isthmus.contracts.reading import Record
from isthmus.contracts.roles import NotAnAlert, Shape
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.findings import Finding, Indicator, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity, Status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ORIGIN = Origin(received=NOW)


class Broken(IsthmusError):
    """A connector does not keep a promise."""


def fits(shape: Shape | NotAnAlert, record: Record) -> bool:
    """Whether a record has this shape. Structure only; a predicate that meets a strange type says no."""
    return shape.keys <= record.keys() and (shape.when is None or shape.when(record))


def samples(connector: Connector) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every sample in the vendor's folder: {"shape", "payload", "expect"}. A vendor that tells of nothing needs none."""
    folder = resources.files(f"isthmus.connectors.{connector.name}") / "samples"
    if not connector.source.shapes and not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".json"):
            yield entry.name, json.loads(entry.read_text(encoding="utf-8"))


def _shape(connector: Connector, record: Record) -> Shape:
    for shape in connector.source.shapes:
        if fits(shape, record):
            return shape
    raise Broken(f"{connector.name}: no shape fits a record with keys {sorted(record)[:12]}")


def read_all(connector: Connector, record: Record) -> list[Finding | Untrusted]:
    """Every claim in a record this connector recognises; an `Untrusted` record is one rejected claim."""
    try:
        return list(_shape(connector, record).read(record, ORIGIN))
    except Untrusted as error:
        return [error]


def described(finding: Finding) -> dict[str, Any]:
    """What a sample's `expect` may say about a finding."""
    return {
        "source": finding.source,
        "source_id": finding.source_id,
        "kind": finding.kind.value,
        "rule": finding.rule,
        "title": str(finding.title),
        "severity": finding.severity.word,
        "status": finding.status.value,
        "asset_kind": finding.asset.kind.value,
        "asset_ids": list(finding.asset.ids),
        "asset_name": str(finding.asset.name),
        "provider": finding.asset.provider,
        "account": finding.asset.account,
        "region": finding.asset.region,
        "happened": finding.times.happened.isoformat() if finding.times.happened else None,
        "updated": finding.times.updated.isoformat() if finding.times.updated else None,
        "cves": [one.cve for one in finding.vulnerabilities],
        "fixed_versions": [one.fixed_version for one in finding.vulnerabilities],
        "attack": list(finding.attack),
        "controls": [f"{one.framework}: {one.requirement}" for one in finding.controls],
        "ties": [f"{one.how} {one.asset.kind.value} {one.asset.ids[0]}" for one in finding.ties],
        "indicators": [f"{one.kind} {one.value}" for one in finding.indicators],
        "internet": finding.internet,
        "sensitive": finding.sensitive,
        "privileged": finding.privileged,
        "blocked": finding.blocked,
        "hint": finding.hint,
    }


def samples_read_as_expected(connector: Connector) -> None:
    """Every sample is recognised as the shape it names and reads to what it expects, twice the same."""
    found = list(samples(connector))
    if connector.source.shapes and not found:
        raise Broken(f"{connector.name}: no samples")
    for name, sample in found:
        shape = _shape(connector, sample["payload"])
        if shape.name != sample["shape"]:
            raise Broken(f"{connector.name}/{name}: read as {shape.name!r}, expected {sample['shape']!r}")
        first, second = read_all(connector, sample["payload"]), read_all(connector, copy.deepcopy(sample["payload"]))
        if [str(one) for one in first] != [str(one) for one in second]:
            raise Broken(f"{connector.name}/{name}: reads differently the second time")
        _compare(f"{connector.name}/{name}", first, sample["expect"])


def _compare(place: str, found: list[Finding | Untrusted], expected: list[dict[str, Any]]) -> None:
    if len(found) != len(expected):
        raise Broken(f"{place}: {len(found)} claims, expected {len(expected)}: {[str(one)[:200] for one in found]}")
    for claim, wanted in zip(found, expected, strict=True):
        said = {"rejected": str(claim)} if isinstance(claim, Untrusted) else described(claim)
        for key, value in wanted.items():
            if said.get(key) != value:
                raise Broken(f"{place}: {key} is {said.get(key)!r}, expected {value!r}")


def every_shape_has_a_sample(connector: Connector) -> None:
    """A shape nobody wrote down an example of is a shape nobody checked."""
    shown = {sample["shape"] for _, sample in samples(connector)}
    missing = {shape.name for shape in connector.source.shapes} - shown
    if missing:
        raise Broken(f"{connector.name}: no sample for {sorted(missing)}")


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        for position in range(len(value)):
            yield from _places(value[position], (*path, position))


def wrong_types_are_rejected_with_their_place(connector: Connector) -> None:
    """Whatever is put anywhere in a sample, reading gives findings or `Untrusted`, never another error."""
    strange: tuple[object, ...] = (
        None,
        0,
        -1.5,
        10**30,
        True,
        "",
        "\x1b[31m\u202e",
        [],
        {},
        [[]],
        [None],
        {"x": [1]},
        "9" * 400,
    )
    for name, sample in samples(connector):
        for path in _places(sample["payload"]):
            for value in strange:
                record = copy.deepcopy(sample["payload"])
                holder: Any = record
                for step in path[:-1]:
                    holder = holder[step]
                holder[path[-1]] = copy.deepcopy(value)
                _reads_or_rejects(connector, record, f"{connector.name}/{name} with {path} = {value!r}")


def _reads_or_rejects(connector: Connector, record: dict[str, Any], place: str) -> None:
    for shape in connector.source.shapes:
        try:
            if fits(shape, record):
                list(shape.read(record, ORIGIN))
        except Untrusted:
            continue
        except Exception as error:
            raise Broken(f"{place}: {type(error).__name__}: {error}") from error


def drill(kind: Kind, source: str, status: Status = Status.NEW) -> Finding:
    """A finding to write down and read again."""
    key = "AKIAIOSFODNN7EXAMPLE" if kind is Kind.SECRET else ""
    asset = Asset(
        kind=AssetKind.ACCESS_KEY if key else AssetKind.INSTANCE,
        provider="aws",
        account="210987654321",
        region="eu-west-1",
        name=Outside("drill"),
        ids=(key or "arn:aws:ec2:eu-west-1:210987654321:instance/i-0d1e2f3a4b5c6d7e8",),
    )
    return Finding(
        source=source,
        source_id="7f0c2d54-0a54-4f0e-9d53-0f6d1f2b3c4d",
        kind=kind,
        rule="drill-rule",
        title=Outside("CVE-2021-44228 in log4j-core" if kind is Kind.VULNERABILITY else "A drill of the conformance suite"),
        description=Outside("Written by the simulator, read by the source."),
        severity=Severity.HIGH,
        status=status,
        asset=asset,
        times=Times(NOW - timedelta(days=2), NOW - timedelta(hours=1)),
        vulnerabilities=(
            (Vulnerability("CVE-2021-44228", "log4j-core", "2.14.1", "2.17.1", 10.0),) if kind is Kind.VULNERABILITY else ()
        ),
        indicators=(Indicator("ip", "203.0.113.9"),) if kind is Kind.THREAT else (),
        internet=True,
    )


def what_the_simulator_writes_reads_back(connector: Connector) -> None:
    """Every payload of every kind the vendor speaks reads back to the same finding, open and closed."""
    for kind in connector.simulator.speaks:
        for status in (Status.NEW, Status.RESOLVED):
            finding = drill(kind, connector.name, status)
            for record in connector.simulator.payloads(finding):
                _same(connector, finding, json.loads(json.dumps(record)))


def _same(connector: Connector, written: Finding, record: dict[str, Any]) -> None:
    claims = read_all(connector, record)
    if len(claims) != 1 or isinstance(claims[0], Untrusted):
        raise Broken(f"{connector.name}: a simulated {written.kind} reads to {[str(one) for one in claims]}")
    read = claims[0]
    wanted = (written.kind, written.severity.word, written.asset.kind, written.asset.account)
    got = (read.kind, read.severity.word, read.asset.kind, read.asset.account)
    if wanted != got:
        raise Broken(f"{connector.name}: wrote {wanted}, read {got}")
    if written.status.open and not read.status.open:
        raise Broken(f"{connector.name}: an open finding reads as {read.status}")
    if not any(written.asset.ids[0] in given for given in read.asset.ids):
        raise Broken(f"{connector.name}: wrote asset {written.asset.ids}, read {read.asset.ids}")
    if [one.cve for one in written.vulnerabilities] != [one.cve for one in read.vulnerabilities]:
        raise Broken(f"{connector.name}: lost the CVE")


def identity_survives_rename_and_status(connector: Connector) -> None:
    """The same finding renamed, re-scanned, closed or re-rated keeps its key."""
    for kind in connector.simulator.speaks:
        keys = set()
        for status in Status:
            for title in ("one name", "another name"):
                changed = copy.copy(drill(kind, connector.name, status))
                object.__setattr__(changed, "title", Outside(title))
                for record in connector.simulator.payloads(changed):
                    keys |= {claim.key for claim in read_all(connector, record) if isinstance(claim, Finding)}
        if len(keys) != 1:
            raise Broken(f"{connector.name}: one {kind} has {len(keys)} keys: {sorted(keys)[:4]}")


def words_do_not_choose_the_reading(connector: Connector) -> None:
    """Severity, status, kind and flags come from fields, whatever the title and description say."""
    hostile = "false positive, resolved, severity informational, test, ignore this alert, env=dev"
    for kind in connector.simulator.speaks:
        plain = drill(kind, connector.name)
        loaded = copy.copy(plain)
        object.__setattr__(loaded, "title", Outside(f"{plain.title} {hostile}"))
        object.__setattr__(loaded, "description", Outside(hostile))
        for one, other in zip(connector.simulator.payloads(plain), connector.simulator.payloads(loaded), strict=True):
            before, after = read_all(connector, one)[0], read_all(connector, other)[0]
            if isinstance(before, Finding) and isinstance(after, Finding):
                kept = ("kind", "severity", "status", "internet", "sensitive", "privileged", "blocked", "key")
                if any(getattr(before, name) != getattr(after, name) for name in kept):
                    raise Broken(f"{connector.name}: words changed the reading of a {kind}")


def lists_may_repeat(connector: Connector) -> None:
    """A list in a sample with its items doubled and their texts changed reads or is rejected, never another error."""
    for name, sample in samples(connector):
        for path in _places(sample["payload"]):
            record = copy.deepcopy(sample["payload"])
            holder: Any = record
            for step in path[:-1]:
                holder = holder[step]
            if isinstance(holder, list):
                again = copy.deepcopy(holder[0])
                for key in list(again)[1:] if isinstance(again, dict) else ():
                    again[key] = f"{again[key]} again" if isinstance(again[key], str) else again[key]
                holder.append(again)
                _reads_or_rejects(connector, record, f"{connector.name}/{name} with {path[:-1]} repeated")


PROMISES: tuple[Callable[[Connector], None], ...] = (
    samples_read_as_expected,
    every_shape_has_a_sample,
    wrong_types_are_rejected_with_their_place,
    lists_may_repeat,
    what_the_simulator_writes_reads_back,
    identity_survives_rename_and_status,
    words_do_not_choose_the_reading,
)

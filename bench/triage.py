"""What a triage costs: alerts per second, peak memory and bytes per distinct finding, as a multiple of the time msgspec
takes to decode the same bytes, in one run.

    python bench/triage.py [1000 10000 100000]

The alerts are written by every vendor's simulator in every kind it speaks, over a fleet that grows with their number; a
tenth are re-scans. Each size runs in a process of its own, three times, interleaved with the decoding of the same bytes.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from isthmus import assembly, pipeline
from isthmus.doors import exports
from isthmus.doors.cli.triage import Format, rendered, run
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.deliveries import Origin
from isthmus.model.findings import Finding, Indicator, Kind, Times, Vulnerability
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity
from isthmus.settings import Settings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 3
KINDS = (AssetKind.INSTANCE, AssetKind.BUCKET, AssetKind.ROLE, AssetKind.USER, AssetKind.SECURITY_GROUP)
TITLES = (
    "Bucket is public",
    "Unencrypted volume",
    "Security group allows SSH from anywhere",
    "Unusual API call",
    "Key not rotated",
)


def _asset(chance: random.Random, fleet: int) -> Asset:
    account = f"2109876543{chance.randrange(20):02d}"
    number, kind = chance.randrange(fleet), chance.choice(KINDS)
    ids = {
        AssetKind.INSTANCE: f"arn:aws:ec2:eu-west-1:{account}:instance/i-0{number:016x}",
        AssetKind.BUCKET: f"arn:aws:s3:::tidewater-{account}-{number}",
        AssetKind.SECURITY_GROUP: f"arn:aws:ec2:eu-west-1:{account}:security-group/sg-0{number:016x}",
    }
    given = ids.get(kind, f"arn:aws:iam::{account}:{kind.value}/name-{number}")
    return Asset(kind, "aws", account, "eu-west-1", Outside(f"{kind.value}-{number}"), (given,))


def _finding(chance: random.Random, kind: Kind, number: int, fleet: int) -> Finding:
    cve = Vulnerability(
        f"CVE-2025-{10_000 + chance.randrange(3_000)}", "openssl", "3.0.1", "3.0.9", chance.choice([5.5, 7.8, 9.8])
    )
    severity = chance.choices(list(Severity)[1:], [10, 40, 35, 12, 3])[0]
    return Finding(
        source="",
        source_id=f"{chance.getrandbits(32):08x}-0a54-4f0e-9d53-{number:012d}",
        kind=kind,
        title=Outside(cve.cve if kind is Kind.VULNERABILITY else chance.choice(TITLES)),
        description=Outside("What the platform writes about it. " * 12),
        rule=f"rule-{chance.randrange(60)}",
        severity=severity,
        asset=_asset(chance, fleet),
        times=Times(NOW - timedelta(hours=chance.randrange(200)), NOW - timedelta(minutes=chance.randrange(60))),
        vulnerabilities=(cve,) if kind is Kind.VULNERABILITY else (),
        indicators=(Indicator("ip", f"198.51.100.{chance.randrange(250)}"),) if kind is Kind.THREAT else (),
        internet=chance.choice([None, None, False, True]),
    )


def written(count: int, folder: Path) -> None:
    """`count` alerts in all vendors' shapes: NDJSON, one file a vendor, and every tenth one told twice."""
    chance, fleet = random.Random(count), max(count // 10, 10)
    vendors = [(one, sorted(one.simulator.speaks)) for one in assembly.catalogue()]
    files = {one.name: (folder / f"{one.name}.ndjson").open("w", encoding="utf-8") for one, _ in vendors}
    number = 0
    while number < count:
        vendor, kinds = vendors[number % len(vendors)]
        finding = replace(_finding(chance, chance.choice(kinds), number, fleet), source=vendor.name)
        payload = next(iter(vendor.simulator.payloads(finding)))
        for _ in range(2 if number % 10 == 0 else 1):
            files[vendor.name].write(json.dumps(payload) + "\n")
            number += 1
    for file in files.values():
        file.close()


def _decode(folder: Path) -> float:
    started = time.process_time()
    for path in sorted(folder.iterdir()):
        decode = msgspec.json.Decoder().decode
        for line in path.read_bytes().splitlines():
            decode(line)
    return time.process_time() - started


def _triage(folder: Path) -> tuple[float, int]:
    started = time.process_time()
    document, _ = run([str(folder)], Settings(), NOW)
    rendered(document, Format.JSON)
    return time.process_time() - started, len(document.incidents)


def _held(folder: Path) -> tuple[int, float]:
    """Distinct findings, and bytes of memory each of them keeps while the line holds them."""
    parts = assembly.parts(Settings(), None)
    gc.collect()
    tracemalloc.start()
    intake = pipeline.Intake(parts)
    for export in exports.exports([str(folder)]):
        exports.take(intake, export, Origin(received=NOW))
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stored = intake.counts().stored
    return stored, held / stored


def measure(count: int) -> dict[str, float]:
    """One size: times, ratio, memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(count, folder)
        size = sum(path.stat().st_size for path in folder.iterdir())
        bare, ours, incidents = [], [], 0
        for _ in range(ROUNDS):
            bare.append(_decode(folder))
            took, incidents = _triage(folder)
            ours.append(took)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        stored, each = _held(folder) if count <= SIZES[1] else (0, 0.0)
    return {
        "alerts": count,
        "bytes_per_alert": size / count,
        "alerts_per_second": count / statistics.median(ours),
        "times_msgspec": statistics.median(one / other for one, other in zip(ours, bare, strict=True)),
        "peak_megabytes": peak / 1e6,
        "incidents": incidents,
        "distinct": stored,
        "bytes_per_finding": each,
    }


def main() -> None:
    """A table, one line a size."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    heads = (("alerts", 8), ("bytes/alert", 12), ("alerts/s", 9), ("x msgspec", 10), ("peak MB", 8), ("incidents", 10))
    print(*(f"{head:>{width}}" for head, width in heads), f"{'bytes/finding':>14}")
    for size in [int(one) for one in sys.argv[1:]] or SIZES:
        ran = subprocess.run([sys.executable, __file__, "--one", str(size)], capture_output=True, text=True, check=True)
        row = json.loads(ran.stdout)
        each = f"{row['bytes_per_finding']:14.0f}" if row["bytes_per_finding"] else f"{'':>14}"
        print(
            f"{row['alerts']:8d} {row['bytes_per_alert']:12.0f} {row['alerts_per_second']:9.0f} {row['times_msgspec']:10.1f} "
            f"{row['peak_megabytes']:8.0f} {row['incidents']:10d} {each}"
        )


if __name__ == "__main__":
    main()

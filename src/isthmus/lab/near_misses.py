"""What looks grave and is not the attack. Each is true in itself; none of it needs anybody today."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Kind, Tie, Vulnerability
from isthmus.model.severity import Severity

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A kind of near-miss: its name, why it is none, and how it is told."""

    kind: str
    what: str
    play: Callable[[Scene], None]


def ordered_test(scene: Scene) -> None:
    """Everything comes from the testers' addresses, which the settings name."""
    for number in range(2):
        _probed(scene, scene.cast.take(AssetKind.INSTANCE), 30 * number)


def _probed(scene: Scene, host: Asset, minute: int) -> None:
    testers = scene.company.testers
    address, other = scene.rng.sample(testers, 2)
    rule, title = "Recon:EC2/PortProbeUnprotectedPort", f"EC2 instance {host.ids[-1]} has an unprotected port being probed."
    scene.threat(minute, "guardduty", host, LOW, rule, title, seen(ip=other), internet=True)
    rule, title = (
        "UnauthorizedAccess:EC2/SSHBruteForce",
        f"{address} is performing SSH brute force attacks against {host.ids[-1]}.",
    )
    scene.copied(scene.threat(minute + 8, "guardduty", host, LOW, rule, title, seen(ip=address), internet=True))
    title = "Exploitation attempt against a web application"
    scene.threat(minute + 14, "wiz", host, HIGH, "web-exploit-attempt", title, seen(ip=address), attack=("T1190",))
    title = f"Known bad external client {address} connected to {host.name}"
    scene.threat(minute + 21, "lacework", host, HIGH, "LoginFromBadSource", title, seen(ip=address))


def website_bucket(scene: Scene) -> None:
    """A public bucket that holds a website and nothing else."""
    private = scene.company.sensitive
    bucket = scene.cast.take(AssetKind.BUCKET, fits=lambda one: one.ids[0] not in private)
    said: dict[str, Any] = {"internet": True, "sensitive": False}
    scene.risk("wiz", bucket, HIGH, "wc-id-517", "Bucket is publicly readable", **said)
    scene.risk("prisma", bucket, HIGH, "aws-s3-public-read", "AWS S3 bucket publicly readable", **said)
    title = "S3 general purpose buckets should block public read access"
    scene.risk("securityhub", bucket, CRITICAL, "S3.2", title, **said)
    scene.risk("orca", bucket, MEDIUM, "aws_s3_public_website", f"Bucket {bucket.name} is a public static website", **said)


def isolated_flaw(scene: Scene) -> None:
    """A critical vulnerability with a public exploit, on a host nobody can reach and that reaches nobody."""
    facing = scene.company.facing
    host = scene.cast.take(AssetKind.INSTANCE, fits=lambda one: one.ids[0] not in facing)
    flaw = Vulnerability("CVE-2022-1471", "snakeyaml", "1.30", "2.0", 9.8, epss=0.02, exploit_exists=True)
    said = {"internet": False}
    scene.flaw("wiz", host, CRITICAL, flaw, **said)
    scene.flaw("securityhub", host, CRITICAL, flaw, **said)
    scene.flaw("lacework", host, CRITICAL, flaw, **said)


def stopped_in_time(scene: Scene) -> None:
    """A build container tried to start something odd and was stopped by its runtime policy."""
    taken, company = scene.cast.taken, scene.company
    pod = scene.cast.take(AssetKind.POD, fits=lambda one: company.tied(one, "runs_on").ids[0] not in taken)
    container = scene.cast.also(company.tied(pod, "touches"))
    scene.cast.also(company.tied(pod, "runs_on"))
    process = seen(process="/tmp/xmrig --version")  # noqa: S108 - what was tried
    title = f"Known miner binary blocked in container {container.name}"
    scene.threat(0, "prisma", container, HIGH, "cryptoMinerProcess", title, process, blocked=True)
    title = "Execution of a binary not part of the image was prevented"
    scene.threat(2, "prisma", container, HIGH, "unknownOriginBinary", title, seen(process="./x2"), blocked=True)


def glass_broken(scene: Scene) -> None:
    """The owner of an administrator role uses it from the office, as the runbook says."""
    privileged = scene.company.privileged
    role = scene.cast.take(AssetKind.ROLE, fits=lambda one: one.ids[0] in privileged)
    office = scene.rng.choice(scene.company.office)
    used = seen(ip=office, api="sts:AssumeRole")
    title = f"Highly privileged role {role.name} was assumed"
    scene.threat(0, "wiz", role, HIGH, "admin-role-assumed", title, used)
    title = f"Rarely used role {role.name} called PutUserPolicy"
    change = seen(ip=office, api="iam:PutUserPolicy")
    scene.threat(6, "lacework", role, MEDIUM, "IAMPolicyChanged", title, change)
    rule, title = "Persistence:IAMUser/AnomalousBehavior", f"{role.name} called PutUserPolicy in an unusual way."
    scene.copied(scene.threat(9, "guardduty", role, MEDIUM, rule, title, change, (Tie("actor", role),)))
    scene.risk("orca", role, HIGH, "aws_iam_admin_role", f"Role {role.name} has administrator access", Kind.IDENTITY)


NEAR_MISSES = (
    NearMiss("ordered_test", "A penetration test the company ordered, from the addresses in its settings.", ordered_test),
    NearMiss("website_bucket", "A public bucket that is a website without sensitive data.", website_bucket),
    NearMiss("isolated_flaw", "A critical CVE on a host that is reachable from nowhere.", isolated_flaw),
    NearMiss("stopped_in_time", "Something the runtime policy blocked before it ran.", stopped_in_time),
    NearMiss("glass_broken", "An administrator role used by its break-glass owner from the office.", glass_broken),
)

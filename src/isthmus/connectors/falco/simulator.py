"""Falco with Falcosidekick in front, writing events down: in a pod, in a container, or on a host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.severity import Severity

_PRIORITIES = {
    Severity.CRITICAL: "Critical",
    Severity.HIGH: "Error",
    Severity.MEDIUM: "Warning",
    Severity.LOW: "Notice",
    Severity.INFORMATIONAL: "Informational",
}


def _tied(finding: Finding, how: str) -> Asset | None:
    return next((tie.asset for tie in finding.ties if tie.how == how), None)


def _cloud_fields(machine: Asset) -> dict[str, Any]:
    """The custom fields a deployment adds, so that a host has its cloud's id."""
    own = machine.ids[0] if machine.ids else ""
    return {
        "cloud.provider": machine.provider,
        "cloud.account.id": machine.account,
        "cloud.region": machine.region,
        "cloud.resource_id": own,
        "host.id": own.rpartition("/")[2],
    }


def _container_fields(finding: Finding, container: str) -> dict[str, Any]:
    image = _tied(finding, "uses_image")
    repository, _, tag = str(image.name if image else "").rpartition(":")
    return {
        "container.id": container[:12],
        "container.full_id": container,
        "container.name": str(finding.asset.name) or "app",
        "container.image.repository": repository or "registry.example/app",
        "container.image.tag": tag or "latest",
        "container.image.digest": image.ids[0] if image else None,
        "container.privileged": finding.privileged,
    }


def _place_fields(finding: Finding) -> dict[str, Any]:
    asset = finding.asset
    own = asset.ids[0] if asset.ids else ""
    machine = _tied(finding, "runs_on")
    node = _cloud_fields(machine) if machine else {}
    if asset.kind is AssetKind.POD:
        cluster, _, path = own.removeprefix("k8s:").partition("/")
        namespace, _, name = path.rpartition("/")
        inside = _tied(finding, "touches")
        container = inside.ids[0] if inside else uuid5(NAMESPACE_URL, own).hex * 2
        pod = {"k8s.cluster.name": cluster, "k8s.ns.name": namespace, "k8s.pod.name": name}
        account = {"cloud.account.id": asset.account, "cloud.region": asset.region}
        return _container_fields(finding, container) | account | node | pod
    if asset.kind is AssetKind.CONTAINER:
        said = {"cloud.provider": asset.provider, "cloud.account.id": asset.account, "cloud.region": asset.region}
        return _container_fields(finding, own) | node | said
    return {"container.id": "host", "container.name": "host"} | _cloud_fields(asset)


def _seen_fields(finding: Finding) -> dict[str, Any]:
    seen = {one.kind: one.value for one in finding.indicators}
    command = seen.get("process", "sh -c id")
    remote = {"fd.rip": seen["ip"], "fd.name": f"10.0.3.17:41822->{seen['ip']}:443"} if "ip" in seen else {}
    return {
        "evt.time": int(finding.times.happened.timestamp()) * 1_000_000_000 if finding.times.happened else 0,
        "evt.type": "connect" if remote else "execve",
        "proc.cmdline": command,
        "proc.exepath": f"/usr/bin/{command.split()[0].rpartition('/')[2]}",
        "proc.name": command.split()[0].rpartition("/")[2],
        "proc.pname": "containerd-shim",
        "proc.tty": 0,
        "user.loginuid": -1,
        "user.name": "root",
        "user.uid": 0,
    } | remote


def _event(finding: Finding) -> dict[str, Any]:
    moment = finding.times.happened.isoformat().replace("+00:00", "Z") if finding.times.happened else None
    priority = _PRIORITIES.get(finding.severity, "Error")
    machine = _tied(finding, "runs_on") or finding.asset
    return {
        "uuid": str(uuid5(NAMESPACE_URL, f"{finding.source_id}{finding.status}")),
        "output": f"{moment}: {priority} {finding.title} | {finding.description}",
        "priority": priority,
        "rule": finding.rule or str(finding.title),
        "time": moment,
        "output_fields": _place_fields(finding) | _seen_fields(finding),
        "source": "syscall",
        "tags": ["host", "maturity_stable", "process", *finding.attack],
        "hostname": str(machine.name) or "node-1",
    }


class FalcoSimulator:
    """Falco, as a writer of payloads."""

    speaks = frozenset({Kind.THREAT})

    def payloads(self, finding: Finding) -> Iterable[dict[str, Any]]:
        return [_event(finding)]

    def envelope(self, payloads: Sequence[dict[str, Any]]) -> object:
        """Falco writes one event a line; a page of them is a list."""
        return list(payloads)

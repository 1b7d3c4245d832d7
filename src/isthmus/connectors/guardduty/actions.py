"""What was seen in a finding: addresses, names, API calls, processes. Evidence, never identity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from isthmus.connectors.guardduty.cased import Cased
from isthmus.contracts.reading import techniques
from isthmus.model.findings import Indicator

_CALLS = ("networkConnectionAction", "awsApiCallAction", "kubernetesApiCallAction", "rdsLoginAttemptAction")
_BLOCKABLE = ("networkConnectionAction", "portProbeAction", "dnsRequestAction")
_INSIDE = tuple(
    ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7")
)
_SIGNAL_KINDS = {
    "MALICIOUS_IP": "ip",
    "TOR_IP": "ip",
    "CRYPTOMINING_IP": "ip",
    "MALICIOUS_DOMAIN": "domain",
    "CRYPTOMINING_DOMAIN": "domain",
    "SUSPICIOUS_USER_AGENT": "user_agent",
    "HIGH_RISK_API": "api",
    "SUSPICIOUS_PROCESS": "process",
    "MALICIOUS_PROCESS": "process",
    "CRYPTOMINING_PROCESS": "process",
}

Seen = Iterator[tuple[str, str]]


def _address(details: Cased) -> str:
    remote = details.part("remoteIpDetails")
    return remote.text("ipAddressV4") or remote.text("ipAddressV6")


def _of_calls(action: Cased) -> Seen:
    for name in _CALLS:
        if action.has(name):
            call = action.part(name)
            yield "ip", _address(call)
            yield "user_agent", call.text("userAgent")
    for probe in action.parts("portProbeAction", "portProbeDetails"):
        yield "ip", _address(probe)
    yield "domain", action.text("dnsRequestAction", "domain")
    if action.has("awsApiCallAction"):
        aws = action.part("awsApiCallAction")
        yield "api", f"{aws.text('serviceName').partition('.')[0]}:{aws.text('api')}" if aws.text("api") else ""
    if action.has("kubernetesApiCallAction"):
        kubernetes = action.part("kubernetesApiCallAction")
        yield "api", f"{kubernetes.text('verb')} {kubernetes.text('requestUri')}".strip()


def _of_runtime(service: Cased) -> Seen:
    if service.has("runtimeDetails"):
        process = service.part("runtimeDetails", "process")
        yield "process", service.text("runtimeDetails", "context", "commandLineExample") or process.text("executablePath")
        yield "hash", process.text("executableSha256")
    if not service.has("ebsVolumeScanDetails"):
        return
    names = service.part("ebsVolumeScanDetails", "scanDetections", "threatDetectedByName").parts("threatNames")
    for found in names:
        for path in found.parts("filePaths"):
            yield "hash", path.text("hash")


def _of_sequence(sequence: Cased) -> Seen:
    for endpoint in sequence.parts("endpoints"):
        yield "ip", endpoint.text("ip")
        yield "domain", endpoint.text("domain")
    for mark in sequence.parts("sequenceIndicators"):
        kind = _SIGNAL_KINDS.get(mark.text("key"))
        if kind:
            for value in mark.words("values"):
                yield kind, value


def indicators(service: Cased) -> tuple[Indicator, ...]:
    """Each thing seen once, in the order GuardDuty tells it."""
    seen = [*_of_calls(service.part("action")), *_of_runtime(service)]
    if service.has("detection"):
        seen += _of_sequence(service.part("detection", "sequence"))
    return tuple(Indicator(kind, value) for kind, value in dict.fromkeys(seen) if value)


def attack(finding: Cased) -> tuple[str, ...]:
    """Techniques of an attack sequence. Its own list is used; an export without it still names them in the description,
    which GuardDuty writes itself for sequences.
    """
    if not finding.text("type").startswith("AttackSequence:"):
        return ()
    marks = finding.parts("service", "detection", "sequence", "sequenceIndicators")
    listed = [value for mark in marks if mark.text("key") == "ATTACK_TECHNIQUE" for value in mark.words("values")]
    return techniques(*(listed or [finding.text("description")]))


def _from_outside(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return not any(parsed in network for network in _INSIDE if network.version == parsed.version)


def reached_from_outside(service: Cased) -> bool | None:
    """True when GuardDuty saw an outside address get through to the resource: then it is open to the internet, whatever
    its configuration says. A public address alone proves nothing, and an outgoing or blocked connection neither.
    """
    action = service.part("action")
    arrived = [_address(action.part("rdsLoginAttemptAction"))] if action.has("rdsLoginAttemptAction") else []
    connection = action.part("networkConnectionAction")
    if connection.text("connectionDirection") == "INBOUND" and not connection.flag("blocked"):
        arrived.append(_address(connection))
    if action.has("portProbeAction") and not action.flag("portProbeAction", "blocked"):
        arrived += [_address(probe) for probe in action.parts("portProbeAction", "portProbeDetails")]
    return True if any(_from_outside(address) for address in arrived) else None


def was_blocked(service: Cased) -> bool:
    action = service.part("action")
    return any(action.flag(name, "blocked") for name in _BLOCKABLE if action.has(name))


def is_sample(service: Cased) -> bool:
    """Whether somebody asked GuardDuty for sample findings. The API hides the mark in a JSON text."""
    info = service.part("additionalInfo")
    if info.flag("sample"):
        return True
    packed = info.any("value")
    if not isinstance(packed, str) or '"sample"' not in packed:
        return False
    try:
        inner = json.loads(packed)
    except (ValueError, RecursionError):
        return False
    return isinstance(inner, dict) and inner.get("sample") is True

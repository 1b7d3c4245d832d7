"""What GuardDuty and others saw, where ASFF keeps it: `Action`, `ProductFields`, `Process`, `Network`, threat intelligence."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from isthmus.contracts.reading import Record, flag, items, section, text
from isthmus.model.findings import Indicator

_INSIDE = tuple(
    ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7")
)
_INTEL_KINDS = {
    "IPV4_ADDRESS": "ip",
    "IPV6_ADDRESS": "ip",
    "DOMAIN": "domain",
    "HASH_MD5": "hash",
    "HASH_SHA1": "hash",
    "HASH_SHA256": "hash",
    "HASH_SHA512": "hash",
    "PROCESS": "process",
}
_FIELD_KINDS = (
    ("remoteIpDetails/ipAddressV4", "ip"),
    ("remoteIpDetails/ipAddressV6", "ip"),
    ("dnsRequestAction/domain", "domain"),
    ("ApiCallAction/userAgent", "user_agent"),
    ("runtimeDetails/process/executablePath", "process"),
    ("runtimeDetails/process/executableSha256", "hash"),
)
_FIELD_ENDS = tuple(end for end, _ in _FIELD_KINDS)

Seen = Iterator[tuple[str, str]]


def _api(service: str, name: str) -> Seen:
    if name:
        yield "api", f"{service.partition('.')[0]}:{name}"


def _of_fields(fields: dict[str, Any]) -> Seen:
    """GuardDuty's finding, flattened by Security Hub into paths; the paths' heads changed over time, their ends did not."""
    service = api = ""
    for path, value in fields.items():
        if not isinstance(value, str):
            continue
        if path.endswith(_FIELD_ENDS):
            yield next(kind for end, kind in _FIELD_KINDS if path.endswith(end)), value
        elif path.endswith("awsApiCallAction/api"):
            api = value
        elif path.endswith("awsApiCallAction/serviceName"):
            service = value
    yield from _api(service, api)


def _of_action(action: Record) -> Seen:
    if not action:
        return
    for name in ("NetworkConnectionAction", "AwsApiCallAction"):
        yield "ip", text(action, name, "RemoteIpDetails", "IpAddressV4")
    for probe in items(action, "PortProbeAction", "PortProbeDetails"):
        yield "ip", text(probe, "RemoteIpDetails", "IpAddressV4")
    yield "domain", text(action, "DnsRequestAction", "Domain")
    yield from _api(text(action, "AwsApiCallAction", "ServiceName"), text(action, "AwsApiCallAction", "Api"))


def _of_others(record: Record) -> Seen:
    if "Process" in record:
        yield "process", text(record, "Process", "Path")
    if "Network" in record:
        yield "ip", text(record, "Network", "SourceIpV4") if text(record, "Network", "Direction") == "IN" else ""
        yield "domain", text(record, "Network", "DestinationDomain")
    for one in items(record, "ThreatIntelIndicators"):
        kind = _INTEL_KINDS.get(text(one, "Type"))
        if kind:
            yield kind, text(one, "Value")


def indicators(record: Record) -> tuple[Indicator, ...]:
    """Each thing seen once, in the order told."""
    seen = [
        *_of_action(section(record, "Action")),
        *_of_fields(section(record, "ProductFields")),
        *_of_others(record),
    ]
    return tuple(Indicator(kind, value) for kind, value in dict.fromkeys(seen) if value)


def _from_outside(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return not any(parsed in network for network in _INSIDE if network.version == parsed.version)


def _flattened(record: Record) -> tuple[str, str, str]:
    """(direction, blocked, address) of a network connection in `ProductFields`."""
    fields = section(record, "ProductFields")
    for head in ("aws/guardduty/service/action/networkConnectionAction/", "action/networkConnectionAction/"):
        if f"{head}connectionDirection" in fields:
            ends = ("connectionDirection", "blocked", "remoteIpDetails/ipAddressV4")
            direction, blocked, address = (text(fields, head + end) for end in ends)
            return direction, blocked, address
    return "", "", ""


def reached_from_outside(record: Record) -> bool | None:
    """True when an outside address was seen to get through to the resource: it is open to the internet, whatever its
    configuration says. An outgoing or blocked connection proves nothing.
    """
    connection, probes = section(record, "Action", "NetworkConnectionAction"), section(record, "Action", "PortProbeAction")
    arrived = []
    if text(connection, "ConnectionDirection") in ("INBOUND", "IN") and not flag(connection, "Blocked"):
        arrived.append(text(connection, "RemoteIpDetails", "IpAddressV4"))
    if not flag(probes, "Blocked"):
        arrived += [text(probe, "RemoteIpDetails", "IpAddressV4") for probe in items(probes, "PortProbeDetails")]
    direction, blocked, address = _flattened(record)
    if direction == "INBOUND" and blocked != "true":
        arrived.append(address)
    return True if any(_from_outside(one) for one in arrived) else None


def was_blocked(record: Record) -> bool:
    """Whether the connection the finding tells of was stopped."""
    action = section(record, "Action")
    said = any(flag(action, name, "Blocked") for name in ("NetworkConnectionAction", "PortProbeAction") if name in action)
    return said or _flattened(record)[1] == "true"

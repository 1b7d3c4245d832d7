"""What we know ourselves of the estate: the only ground on which anything may count as less grave.

Comes from our own configuration or inventory, never from an alert. What is not here is unknown, and unknown means
production.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address


class Environment(StrEnum):
    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"


class Criticality(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account, Azure subscription or GCP project as we know it."""

    name: str = ""
    environment: Environment = Environment.UNKNOWN
    owner: str = ""
    criticality: Criticality = Criticality.MEDIUM


Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Expected:
    """Activity we ordered ourselves (a scanner, a penetration test): from these networks, until then, and why."""

    networks: tuple[Network, ...]
    until: datetime
    why: str

    def covers(self, addresses: Iterable[str], at: datetime) -> bool:
        """Whether every one of these addresses is ours to expect at that moment; none at all is not."""
        seen = list(addresses)
        return bool(seen) and at <= self.until and all(self._holds(one) for one in seen)

    def _holds(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Estate:
    """Accounts by id, crown jewels by any of their names, and what we expect to see."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    crown_jewels: frozenset[str] = frozenset()
    expected: tuple[Expected, ...] = ()


NOTHING_KNOWN = Estate()

"""What we know ourselves of the estate: the only ground on which anything may count as less grave.

Comes from our own configuration or inventory, never from an alert. What is not here is unknown, and unknown means
production.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Expected:
    """Activity we ordered ourselves (a scanner, a penetration test): from these addresses, until then, and why."""

    addresses: frozenset[str]
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Estate:
    """Accounts by id, crown jewels by any of their names, and what we expect to see."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    crown_jewels: frozenset[str] = frozenset()
    expected: tuple[Expected, ...] = ()


NOTHING_KNOWN = Estate()

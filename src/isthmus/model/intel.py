"""What the world says about a CVE: exploited in the wild, and how likely to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Exploited:
    """A row of CISA's Known Exploited Vulnerabilities catalogue."""

    cve: str
    added: date
    ransomware: bool
    product: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of intelligence: its name, the date it speaks for, and how many days it may be old."""

    name: str
    of: date
    fresh_days: int
    rows: int

    def age(self, now: datetime) -> int:
        """Age in days at `now`."""
        return max((now.date() - self.of).days, 0)

    def stale(self, now: datetime) -> bool:
        return self.age(now) > self.fresh_days


@dataclass(frozen=True, slots=True)
class Intel:
    """KEV by CVE, EPSS probability (0-1) by CVE, and the tables they came from."""

    exploited: Mapping[str, Exploited] = field(default_factory=dict)
    epss: Mapping[str, float] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()


NO_INTEL = Intel()

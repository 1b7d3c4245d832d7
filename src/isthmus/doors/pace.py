"""How often somebody may: token buckets by name, with bounded memory and a clock that is handed in."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Pace:
    """So many a second in the long run, and so many at once."""

    per_second: float
    burst: int


class Buckets:
    """One bucket for each name, full at first. Beyond so many names, the one asked for longest ago is forgotten."""

    def __init__(self, pace: Pace, most: int = 10_000) -> None:
        self._pace, self._most = pace, most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float, number: int = 1) -> float:
        """0 when they were taken; else the seconds until one may be taken again. `now` is in seconds and never goes back.

        Who has one left may take many: they are owed, and nothing more is given until they are paid back. So a large
        request is never impossible, and large requests are not faster than small ones.
        """
        left, since = self._left.pop(name, (float(self._pace.burst), now))
        left = min(self._pace.burst, left + max(0.0, now - since) * self._pace.per_second)
        given = left >= 1
        self._left[name] = (left - number if given else left), now
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if given else (1 - left) / self._pace.per_second

    def owe(self, name: str, now: float, number: int) -> None:
        """Take so many more, for a request that turned out larger; nobody is refused by this."""
        if number > 0:
            self.take(name, now, 0)
            left, since = self._left[name]
            self._left[name] = left - number, since


def network(address: str) -> str:
    """Whom an address stands for: itself, and in IPv6 the /64 it is from, which one machine has to itself."""
    try:
        one = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(one, IPv6Address):
        return str(one)
    return str(one.ipv4_mapped) if one.ipv4_mapped is not None else str(IPv6Address(int(one) >> 64 << 64))

"""The same deliveries to what a user would pick instead, and to us, in one run: by hand, not in CI.

    PYTHONPATH=.:bench python bench/peers.py [--rounds 3] [--number 300] [--connections 16 64]

Attacks on machines of their own, each of which is to become one ticket, posted over HTTP. Peers come from npm at pinned
versions into `.peers/` (see `peers_servers.py` for how each is configured); n8n has a PostgreSQL 18 to itself, whose own
CPU and memory are not counted. Tickets that stop coming for ten seconds are not waited for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.firing import request
from bench.line_alerts import body, grave
from bench.line_chapters import share
from bench.peers_client import Sent, Tickets, Told, send
from bench.peers_ours import Floor, Line, _Script
from bench.peers_servers import SECRET, N8n, NodeRed, Peer, install
from tests.databases import Server as PostgreSQL
from tests.desk.site import PROD

_QUIET, _WARM, _LIVE = 10.0, 20, 2.0
Make = Callable[[Path, int, int, int], Peer]
"""A peer from its folder, the port of the tickets, a seed and how many alerts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one peer. Rates are by second, waits in milliseconds, memory in MiB."""

    durable: float
    p50: float
    p99: float
    cpu: float
    memory: float
    tickets: float
    to_ticket: float


@dataclass(frozen=True, slots=True)
class Killed:
    """How many were acknowledged before a kill -9, and how many of those were worked off in the end."""

    acknowledged: int
    kept: int


def told(peer: Peer, seed: int, number: int, start: int = 0) -> list[Told]:
    """The alerts, each with its request."""
    found = []
    for one in range(start, start + number):
        alert = grave(seed, one, PROD)
        found.append((alert.source_id, request(body(alert), SECRET, peer.path)))
    return found


@contextmanager
def running(make: Make, seed: int, number: int) -> Iterator[tuple[Peer, Tickets]]:
    """A fresh one, which ends with the block."""
    tickets = Tickets()
    with tempfile.TemporaryDirectory(prefix="isthmus-peer-", ignore_cleanup_errors=True) as name, tickets.open():
        peer = make(Path(name), tickets.port, seed, number)
        try:
            peer.start()
            yield peer, tickets
        finally:
            peer.kill()


def sampled(make: Make, seed: int, number: int, connections: int) -> Sample:
    """Deliver everything and wait for the tickets."""
    with running(make, seed, number + _WARM) as (peer, tickets):
        send(peer.port, 4, told(peer, seed, _WARM))
        _rested(peer, tickets, _WARM)
        cpu, stored, began = peer.cost()[0], peer.stored(), time.monotonic()
        sent = send(peer.port, connections, told(peer, seed, number, _WARM))
        _rested(peer, tickets, number + _WARM)
        ended = max(tickets.came.values(), default=float("nan"))
        total, memory = peer.cost()
        waits = sent.waits()
        return Sample(
            durable=(peer.stored() - stored) / sent.seconds,
            p50=share(waits, 0.5),
            p99=share(waits, 0.99),
            cpu=1_000 * (total - cpu) / number,
            memory=memory,
            tickets=(len(tickets.came) - _WARM) / (ended - began),
            to_ticket=_to_ticket(peer, tickets, sent),
        )


def _rested(peer: Peer, tickets: Tickets, number: int) -> None:
    if not isinstance(peer, Floor):
        tickets.until(number, _QUIET)
    peer.settled()


def _to_ticket(peer: Peer, tickets: Tickets, sent: Sent) -> float:
    """The middle wait from sending to the ticket; ours names its tickets by incident, and knows which alert each is of."""
    if isinstance(peer, _Script):
        return 1_000 * share([one for one in peer.found.get("ages", [])[_WARM:] if one >= 0], 0.5)
    return 1_000 * share([came - sent.sent[one] for one, came in tickets.came.items() if one in sent.sent], 0.5)


def killed(make: Make, seed: int, number: int) -> Killed:
    """kill -9 two seconds into a load of 16 connections, then a start on what is on disk."""
    with running(make, seed, number) as (peer, tickets):
        timer = threading.Timer(_LIVE, peer.kill)
        timer.start()
        sent = send(peer.port, 16, told(peer, seed, number))
        timer.join()
        time.sleep(0.5)
        peer.start()
        number = len(sent.acknowledged)
        if isinstance(peer, _Script):
            return Killed(number, _read(peer, number))
        tickets.until(number, _QUIET)
        return Killed(number, len(sent.acknowledged.keys() & tickets.came.keys()))


def _read(peer: _Script, number: int) -> int:
    """How many of so many it has worked up to, once it comes no further; ours is done when an alert is a finding."""
    last, since = -1, time.monotonic()
    while last < number and time.monotonic() < since + 2 * _QUIET:
        found = peer.stored()
        if found != last:
            last, since = found, time.monotonic()
        time.sleep(0.2)
    return min(last, number)


def makers(postgresql: PostgreSQL) -> Mapping[str, Make]:
    """All of them, by name."""

    def n8n(folder: Path, tickets: int, seed: int, number: int) -> Peer:  # noqa: ARG001 - asked like the others
        return N8n(folder, tickets, str(postgresql.empty()))

    def node_red(folder: Path, tickets: int, seed: int, number: int) -> Peer:  # noqa: ARG001 - asked like the others
        return NodeRed(folder, tickets)

    return {Floor.name: Floor, Line.name: Line, NodeRed.name: node_red, N8n.name: n8n}


def table(found: Mapping[str, list[Sample]], connections: int, number: int) -> None:
    """Medians over the rounds."""
    heads = "durable/s  ack p50  ack p99  CPU ms   MiB  tickets/s  to ticket ms"
    print(f"\nc={connections}, n={number} a round\n{'':<18} {heads}")
    for name, samples in found.items():
        durable, p50, p99, cpu, memory, tickets, to = (
            statistics.median(getattr(one, field) for one in samples) for field in Sample.__slots__
        )
        print(
            f"{name:<18} {durable:9.1f} {p50:8.1f} {p99:8.1f} {cpu:7.2f} {memory:5.0f} {tickets:10.1f} {to:13.1f}", flush=True
        )


def main() -> None:
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--number", type=int, default=300)
    asked.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    asked.add_argument("--only", nargs="+", default=[], help="names of peers")
    given = asked.parse_args()
    install()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {given.rounds} interleaved rounds", flush=True)
    with tempfile.TemporaryDirectory(prefix="isthmus-pg-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        postgresql = PostgreSQL(Path(name))
        try:
            wanted = {name: one for name, one in makers(postgresql).items() if not given.only or name in given.only}
            _all(wanted, given.rounds, given.number, given.connections)
        finally:
            postgresql.stop()
    print(f"load {os.getloadavg()[0]:.1f}")


def _all(wanted: Mapping[str, Make], rounds: int, number: int, connections: list[int]) -> None:
    for many in connections:
        found: dict[str, list[Sample]] = {name: [] for name in wanted}
        for one in range(rounds):
            for name, make in wanted.items():
                found[name].append(sampled(make, 700 + one, number, many))
        table(found, many, number)
    print("\nkill -9 two seconds into the load, and a start on what is on disk")
    for name, make in wanted.items():
        said = [killed(make, 800 + one, 10 * number) for one in range(rounds)]
        lost, acknowledged = sum(one.acknowledged - one.kept for one in said), sum(one.acknowledged for one in said)
        print(f"{name:<18} {lost} of {acknowledged} acknowledged were lost (n={rounds} kills)", flush=True)


if __name__ == "__main__":
    main()

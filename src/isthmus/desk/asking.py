"""Asking a platform back about what its webhooks hinted at: a webhook is a hint, the answer is the alert."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from isthmus.desk.instances import Instances
from isthmus.desk.pulling import handed
from isthmus.model.errors import IsthmusError, Refused
from isthmus.model.findings import Finding
from isthmus.record import findings, inbox, leases
from isthmus.record.inbox import ASKED
from isthmus.record.leases import Lease
from isthmus.record.store import Store

_ASKED_AT_ONCE = 25
_ASK_AGAIN, _LONGEST = timedelta(seconds=10), timedelta(hours=1)
_GIVE_UP = timedelta(days=1)
_HELD = timedelta(minutes=15)
"""Longer than so many questions can take."""


@dataclass(frozen=True, slots=True)
class Asking:
    """`owner` names this worker; of several, one at a time asks an instance."""

    store: Store
    instances: Instances
    owner: str

    async def ask(self, now: datetime) -> int:
        """Everything that should be asked now, several platforms side by side; how many findings it was about."""
        with self.store.reading() as connection:
            wanted = findings.to_refetch(connection, now)
        by_instance: dict[tuple[str, str], list[tuple[str, str, Finding]]] = {}
        for one in wanted:
            by_instance.setdefault((one[0], one[2].instance), []).append(one)
        return sum(await asyncio.gather(*(self._instance(name, several, now) for name, several in by_instance.items())))

    async def _instance(self, place: tuple[str, str], seen: Sequence[tuple[str, str, Finding]], now: datetime) -> int:
        """One platform is asked one thing after the other, as its rate allows."""
        with self.store.writing() as connection:
            held = leases.take(connection, f"ask {place[0]} {place[1]}", self.owner, _HELD)
            # Somebody may have asked while we looked.
            left = {(one[0], one[1]) for one in findings.to_refetch(connection, now)} if held is not None else set()
        if held is None:
            return 0
        wanted = [one for one in seen if (one[0], one[1]) in left]
        try:
            for tenant, key, finding in wanted[:_ASKED_AT_ONCE]:
                await self._finding(tenant, key, finding, held, now)
        finally:
            with self.store.writing() as connection:
                leases.give_back(connection, held)
        return len(wanted)

    async def _finding(self, tenant: str, key: str, finding: Finding, held: Lease, now: datetime) -> None:
        instance = self.instances.by_name.get(finding.instance)
        refetcher = instance.roles.refetcher if instance is not None else None
        state, said, again = findings.REFUSED, "this instance cannot be asked", now
        payloads: tuple[dict[str, Any], ...] = ()
        if refetcher is not None:
            try:
                payloads = await refetcher.refetch(finding.source_id)
                state, said = findings.DONE, ""
            except Refused as error:
                said = str(error)
            except IsthmusError as error:
                state, said, again = _later(finding, str(error), now)
        with self.store.writing() as connection:
            leases.confirm(connection, held)
            if instance is not None:
                inbox.accept(connection, handed(instance, f"{instance.name} refetch", ASKED, payloads, now))
            findings.refetched(connection, tenant, key, state, said, again)


def _later(finding: Finding, said: str, now: datetime) -> tuple[str, str, datetime]:
    """When to ask again about this finding; given up after a day, which leaves it an unconfirmed hint."""
    since = finding.times.received or now
    waited = now - since
    if waited > _GIVE_UP:
        return findings.REFUSED, f"given up after {_GIVE_UP.days} day: {said}", now
    return findings.WANTED, said, now + max(_ASK_AGAIN, min(waited, _LONGEST))

"""Asking platforms what is new, page by page; a page and its cursor are kept together."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.desk.instances import Instance, Instances
from isthmus.model.errors import IsthmusError
from isthmus.record import cursors, inbox, leases
from isthmus.record.inbox import API, ASKED, Handed
from isthmus.record.leases import Lease
from isthmus.record.store import Store, moment_of

LOG = logging.getLogger("isthmus.work")
_PAGES_AT_ONCE = 10
_HELD = timedelta(minutes=3)
"""Longer than a page can take."""


@dataclass(frozen=True, slots=True)
class Pulling:
    """`owner` names this worker; of several, one at a time pulls a stream. `every` is how often."""

    store: Store
    instances: Instances
    owner: str
    every: timedelta

    async def pull(self, now: datetime) -> int:
        """What is new at every platform that can be asked; how many pages there were."""
        return sum(await asyncio.gather(*(self._stream(instance, stream, now) for instance, stream in self._streams())))

    def next(self) -> datetime | None:
        """When the next stream is to be asked."""
        with self.store.reading() as connection:
            return moment_of(cursors.next_pull(connection, [_place(*one) for one in self._streams()]))

    def _streams(self) -> list[tuple[Instance, str]]:
        pollable = [(one, one.roles.pollable) for one in self.instances.by_name.values()]
        return [(one, stream) for one, role in pollable if role is not None for stream in role.streams]

    async def _stream(self, instance: Instance, stream: str, now: datetime) -> int:
        place = _place(instance, stream)
        with self.store.reading() as connection:
            _, due = cursors.read(connection, place)
        # A time further ahead than any wait was set by a clock that went back since.
        if due is not None and now < due <= now + self.every:
            return 0
        with self.store.writing() as connection:
            held = leases.take(connection, f"pull {instance.tenant} {instance.name} {stream}", self.owner, _HELD)
        if held is None:
            return 0
        try:
            return await self._pages(instance, stream, place, held, now)
        finally:
            with self.store.writing() as connection:
                leases.give_back(connection, held)

    async def _pages(self, instance: Instance, stream: str, place: cursors.Place, held: Lease, now: datetime) -> int:
        assert instance.roles.pollable is not None  # noqa: S101 - `pull` saw to it
        with self.store.reading() as connection:
            cursor, _ = cursors.read(connection, place)
        for pages in range(_PAGES_AT_ONCE):
            try:
                page = await instance.roles.pollable.since(stream, cursor)
            except IsthmusError as error:
                with self.store.writing() as connection:
                    leases.confirm(connection, held)
                    cursors.trouble(connection, place, cursor, str(error), now + self.every)
                LOG.warning("pull %s %s: %s", instance.name, stream, error)
                return pages
            with self.store.writing() as connection:
                held = leases.renew(connection, held, _HELD)
                inbox.accept(connection, handed(instance, f"{instance.name} {stream}", API, page.payloads, now))
                cursors.advance(connection, place, page.cursor, now, now + self.every)
            cursor = page.cursor
            if not page.more:
                return pages + bool(page.payloads)
        return _PAGES_AT_ONCE


def _place(instance: Instance, stream: str) -> cursors.Place:
    return instance.tenant, instance.connector.name, instance.name, stream


def handed(instance: Instance, name: str, channel: str, payloads: Sequence[object], now: datetime) -> list[Handed]:
    """What a platform answered us, as deliveries."""
    # Heard after the hint it answers, even when both came at the same tick of the clock.
    at = now + timedelta(microseconds=1) if channel == ASKED else now
    place = instance.tenant, instance.connector.name, instance.name
    bodies = [json.dumps(one, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass") for one in payloads]
    return [Handed(*place, channel, name, body, at) for body in bodies]

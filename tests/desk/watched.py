"""A watch over a store, with clocks of its own and a board where its pages arrive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.desk.site import NOW

from isthmus.contracts.wire import Reply
from isthmus.desk.paging import Pager, Way
from isthmus.desk.promises import Bounds, Promise
from isthmus.desk.watch import Watch
from isthmus.model.errors import IsthmusError
from isthmus.record import inbox, ledger
from isthmus.record.checkpoints import Signer
from isthmus.record.inbox import API, Handed
from isthmus.record.store import Store


@dataclass
class Board:
    """Where pages arrive. `away` takes nothing, `no` refuses everything."""

    got: list[dict[str, Any]] = field(default_factory=list)
    trouble: IsthmusError | None = None

    async def request(self, method: str, path: str, *, json: Any = None, **_: Any) -> Reply:
        assert (method, path) == ("POST", "/hook")
        if self.trouble is not None:
            raise self.trouble
        self.got.append(json)
        return Reply(200, {}, b"")

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(one["event"], one.get("promise", "")) for one in self.got]


class Watched:
    """A watch over a store, whose clocks go on together unless somebody sets one."""

    def __init__(self, store: Store, instances: Any, beats: bool = False) -> None:
        self.store, self.instances = store, instances
        self.now, self.steady, self.board = NOW, 0.0, Board()
        # As the worker does on every turn of its own.
        self.signing = True
        self.beats = Way(self.board, "/hook") if beats else None
        self.watch = self._made()

    def begin(self) -> None:
        """As at a start after a clean end."""
        self.watch.leave()
        self.watch = self._made()

    def _made(self) -> Watch:
        pager = Pager("house", Way(self.board, "/hook"), self.beats)
        return Watch(self.store, self.instances, str, Bounds(), pager, lambda: self.steady)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)
        self.steady += timedelta(**time).total_seconds()

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.later(seconds=10)
            if self.signing:
                sign(self.store)
            asyncio.run(self.watch.turn(self.now))

    def promise(self, name: str) -> Promise:
        self.steady += 6
        return next(one for one in self.watch.standing(self.now).promises if one.name == name)


def sign(store: Store) -> None:
    with store.writing() as connection:
        ledger.checkpoint(connection, Signer("isthmus", store.keys.private))


def deliver(store: Store, now: datetime, body: bytes = b"{}") -> None:
    from_wiz = Handed("default", "wiz", "wiz-main", API, "test", body, now)
    with store.writing() as connection:
        inbox.accept(connection, [from_wiz])

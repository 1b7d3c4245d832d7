"""The record kept up: signed while it grows, written out as files, shown to the witness, handed to the SIEM."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from isthmus.model.errors import IsthmusError
from isthmus.record import ledger, witnessed
from isthmus.record.checkpoints import Signer
from isthmus.record.cosigning import Receipts
from isthmus.record.publishing import publish, published
from isthmus.record.shipping import Shipping
from isthmus.record.store import Store

LOG = logging.getLogger("isthmus.record")
EVERY = timedelta(seconds=1)
AT_MOST = 256
"""Entries that may wait for the second to end."""
FOLDER = "log"
"""Where the files lie, in the installation's own folder."""


@dataclass(slots=True)
class Recording:
    """Signs at most once a second, or every 256 entries; whatever of the rest fails is tried again the next time.

    `folder` is where the files of the log lie. `trouble` is what is wrong just now, for people. Without a witness nobody
    but us can say that the log only grew.
    """

    store: Store
    signer: Signer
    folder: Path
    receipts: Receipts | None = None
    shipping: Shipping | None = None
    trouble: str = ""
    _size: int = field(default=0)
    _shipped: int = field(default=-1)
    _last: datetime | None = field(default=None)

    async def keep(self, now: datetime) -> datetime | None:
        """What is due of this. Returns when to come back; None when only something new brings more."""
        if self._early(now):
            return now + EVERY
        before, self._last = self._size, now
        wrong = await asyncio.to_thread(self._kept_up)
        if self.receipts is not None:
            try:
                await self.receipts.send(now)
            except IsthmusError as error:
                wrong.append(f"witness: {error}")
            wrong += [why] if (why := self.receipts.safe()) else []
        self._say("; ".join(wrong))
        return now + EVERY if wrong or self._size != before else None

    def _early(self, now: datetime) -> bool:
        """Whether the last time was less than a second ago. A clock that went back is no reason to wait."""
        if self._last is None or not self._last <= now < self._last + EVERY:
            return False
        with self.store.reading() as connection:
            return ledger.size(connection) < self._size + AT_MOST

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            LOG.error("record: %s", trouble)
        elif self.trouble and not trouble:
            LOG.warning("record: as it should be again")
        self.trouble = trouble

    def _kept_up(self) -> list[str]:
        """Signed, written out, handed on, in this order: a witness is answered from the files. What went wrong."""
        wrong = []
        steps: tuple[Callable[[], None], ...] = (self.sign, self._write_out, self._ship)
        for step in steps:
            try:
                step()
            except IsthmusError as error:
                wrong.append(str(error))
            except OSError as error:
                wrong.append(f"{self.folder}: {error.strerror}")
        return wrong

    def sign(self) -> None:
        """A checkpoint over what was written since the last one. Raises `Refused` when what is there is not to be signed."""
        with self.store.reading() as connection:
            size = ledger.size(connection)
        if size == self._size:
            return
        with self.store.writing() as connection:
            ledger.checkpoint(connection, self.signer)
        self._size = size

    def _write_out(self) -> None:
        with self.store.reading() as connection:
            size, note = witnessed.newest(connection)
            if note and published(self.folder, self.signer.key).size != size:
                publish(connection, self.folder, note, self.signer.key)

    def _ship(self) -> None:
        if self.shipping is None:
            return
        with self.store.reading() as connection:
            size, _ = witnessed.newest(connection)
        if size != self._shipped:
            self.shipping.ship(self.store, self.signer.key)
            self._shipped = size

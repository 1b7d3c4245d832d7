"""A store whose record a witness signs, for tests of what follows from that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL
from tests.witness.asked import Line

from isthmus.contracts.wire import Http
from isthmus.desk.recording import Recording
from isthmus.model.errors import Unreachable
from isthmus.record import ledger, witnessed
from isthmus.record.checkpoints import Signer
from isthmus.record.cosigning import Receipts
from isthmus.record.ledger import Entry
from isthmus.record.store import Store, open_store
from isthmus.witness.memory import opened
from isthmus.witness.witnessing import Witness

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class House:
    """A store with its record kept up, and the witness it is shown to."""

    folder: Path
    store: Store
    line: Line
    recording: Recording
    receipts: Receipts
    now: datetime = NOW

    def write(self, count: int = 1, event: str = "incident.opened", token: str = "") -> None:
        body = {"token": token} if token else {}
        with self.store.writing() as connection:
            ledger.extend(connection, [Entry("default", "isthmus", event, "INC-1", body, self.now)] * count)

    def keep(self, seconds: float = 2) -> None:
        """A turn of the record's loop, later."""
        self.now += timedelta(seconds=seconds)
        self.line.now = self.now
        asyncio.run(self.recording.keep(self.now))

    def check(self, token: str = "", contains: bool = True) -> str:
        """Why an effect waits; empty when it may go on."""
        try:
            self.receipts.check("default", "INC-1", token, contains)
        except Unreachable as error:
            return str(error)
        return ""

    def restarted(self, required: bool = True) -> None:
        """As a new process finds it."""
        self.receipts = Receipts(
            self.store, self.recording.signer.key, self.recording.folder, self.receipts.witness, self.line, required
        )
        self.recording = Recording(self.store, self.recording.signer, self.recording.folder, self.receipts)

    def cosigned(self) -> int:
        with self.store.reading() as connection:
            found = witnessed.signed(connection, self.recording.signer.key, self.receipts.witness)
        return found[0].size if found else 0


@contextmanager
def housed(folder: Path, url: URL | None = None, required: bool = True) -> Iterator[House]:
    store = open_store(folder / "data", url)
    signer = Signer("isthmus.example/record", store.keys.private)
    with opened(folder / "witness", "witness.example") as memory:
        line = Line(Witness(memory, [signer.key]), NOW)
        http: Http = line
        receipts = Receipts(store, signer.key, folder / "data/log", memory.key, http, required)
        yield House(folder, store, line, Recording(store, signer, folder / "data/log", receipts), receipts)
    store.close()

"""Planted bugs in how things are kept: what is committed together, what is said before it is, and what is forgotten."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from bench.kills_plant import Plant, Sown, swap

from isthmus.desk.recording import Recording
from isthmus.desk.together import Together, give
from isthmus.record import inbox, incidents, ledger
from isthmus.record.checkpoints import Checkpoint, signed


def _wake_lost(_: Sown) -> None:
    swap(
        incidents,
        "rest",
        lambda plain: lambda one, stored, shown, claim: plain(one, stored, replace(shown, wake_at=None), claim),
    )


def _answer_early(_: Sown) -> None:
    async def write(self: Together, do: Any) -> Any:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def written() -> None:
            with self._store.writing() as connection:
                loop.call_soon_threadsafe(give, answer, do(connection))
                time.sleep(0.05)

        left = asyncio.ensure_future(asyncio.to_thread(written))
        await asyncio.wait([left, answer], return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else left.result()

    swap(Together, "write", lambda _: write)


def _group_keeps_one(_: Sown) -> None:
    def make(plain: Any) -> Any:
        def commit(self: Together, writes: Any) -> list[Any]:
            said = []
            for do in writes[:-1]:
                with self._store.writing() as connection:
                    nested = connection.begin_nested()
                    said.append(do(connection))
                    nested.rollback()
            kept: list[Any] = plain(self, writes[-1:])
            return said + kept

        return commit

    swap(Together, "_commit", make)


def _signed_early(_: Sown) -> None:
    """Every entry is under a checkpoint that everybody can read before it is committed."""
    known: list[Recording] = []

    def signing(plain: Any) -> Any:
        def sign(self: Recording) -> None:
            known[:] = [self]
            plain(self)

        return sign

    def extending(plain: Any) -> Any:
        def extend(connection: Any, entries: Any) -> Any:
            said = plain(connection, entries)
            for one in known:
                head = ledger._head(connection)
                note = signed(Checkpoint(one.signer.name, head.size, head.root()).text, one.signer)
                (one.folder / "checkpoint").write_text(note, encoding="utf-8")
            return said

        return extend

    swap(Recording, "sign", signing)
    swap(ledger, "extend", extending)


def _repeat_unseen(_: Sown) -> None:
    swap(inbox, "_fresh", lambda plain: lambda one, deliveries: [True for _ in plain(one, deliveries)])


KEPT: dict[str, Plant] = {
    "wake-lost": Plant("when it comes to rest, the clock it waits for is forgotten", _wake_lost),
    "answer-early": Plant("a write is answered before it is committed", _answer_early),
    "group-keeps-one": Plant("of writes put together only the last is kept", _group_keeps_one, ("commit step.intent",)),
    "signed-early": Plant(
        "a checkpoint is given away before what it covers is committed", _signed_early, ("before|commit st",)
    ),
    "repeat-unseen": Plant("what was delivered before is taken for new", _repeat_unseen),
}

"""Writes that are asked for at the same time are one transaction: a commit costs the same for one and for many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from isthmus.model.errors import IsthmusError
from isthmus.record.store import Store

_Any = TypeVar("_Any")
_Write = Callable[[Connection], Any]


class Together:
    """One writer takes everything that waits and commits it once; each write stands or falls by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[_Write, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, do: Callable[[Connection], _Any]) -> _Any:
        """What `do` returns, once it is durable. Raises what it raises, or why nothing could be committed."""
        answer: asyncio.Future[_Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((do, answer))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                committed = asyncio.to_thread(self._commit, [do for do, _ in batch])
                # An error is handed to everybody in the batch, as the value it is here.
                said: list[Any] | BaseException = (await asyncio.gather(committed, return_exceptions=True))[0]
                answers = [said] * len(batch) if isinstance(said, BaseException) else said
                for (_, answer), one in zip(batch, answers, strict=True):
                    give(answer, one)
        finally:
            self._writer = None

    def _commit(self, writes: Sequence[_Write]) -> list[Any]:
        """In a thread. A write that is refused leaves nothing of itself and nothing of the others."""
        done: list[Any] = []
        with self._store.writing() as connection:
            for do in writes:
                try:
                    with connection.begin_nested():
                        done.append(do(connection))
                except IsthmusError as error:
                    done.append(error)
        return done


def give(answer: asyncio.Future[_Any], said: _Any | BaseException) -> None:
    """Hand a value or an error to whoever waits for it, if anybody still does."""
    if answer.done():
        return
    if isinstance(said, BaseException):
        answer.set_exception(said)
    else:
        answer.set_result(said)

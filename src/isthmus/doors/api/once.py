"""Writes: read whole and small, and done once for each Idempotency-Key."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.doors.access import PERSON
from isthmus.doors.errors import Told
from isthmus.doors.limits import READS, Limits, again, as_json, declared, header, read
from isthmus.model.errors import IsthmusError
from isthmus.record import answers
from isthmus.record.answers import Answer, Place
from isthmus.record.store import Store

LOG = logging.getLogger("isthmus.doors")
_KEY = re.compile(rb"[\x20-\x7e]{1,128}")


@dataclass
class _Held:
    """An answer that is kept before it is given."""

    messages: list[Message] = field(default_factory=list)

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return next((int(one["status"]) for one in self.messages if one["type"] == "http.response.start"), 0)

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.messages if one["type"] == "http.response.body")


class Once:
    """Before the routes. The same person, key and request get the answer that was given the first time.

    Only success is kept: an error means that nothing was done and gives the key back, but for an error nobody foresaw,
    after which the answer counts as unknown.
    """

    def __init__(self, app: ASGIApp, store: Store, clock: Callable[[], datetime], limits: Limits) -> None:
        self._app, self._store, self._clock, self._limits = app, store, clock, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `Told` 400, 408, 413 or 415 for a body that is none, 409 for a key that is taken."""
        if scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        key = header(scope, b"idempotency-key")
        as_json(scope)
        declared(scope, self._limits.request)
        body = await read(receive, self._limits.request, self._limits.seconds)
        if key is None:
            await self._app(scope, again(body, receive), send)
            return
        if not _KEY.fullmatch(key):
            raise Told(400, "bad_request", "an Idempotency-Key has 1 to 128 printable ASCII characters")
        place = Place(scope[PERSON].tenant, scope[PERSON].id, key.decode())
        request = _digest(scope, body)
        known = await run_in_threadpool(self._take, place, request)
        if known is not None:
            await _repeated(known, request, send)
            return
        await self._first(scope, again(body, receive), send, place)

    def _take(self, place: Place, request: bytes) -> Answer | None:
        with self._store.writing() as connection:
            return answers.take(connection, place, request, self._clock())

    async def _first(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        held = _Held()
        await self._app(scope, receive, held)
        await run_in_threadpool(self._settle, place, held)
        for message in held.messages:
            await send(message)

    def _settle(self, place: Place, held: _Held) -> None:
        """It has been done or it has not: what the caller is told does not change if this cannot be written down."""
        try:
            with self._store.writing() as connection:
                if held.status < 400:
                    answers.keep(connection, place, held.status, held.body)
                elif held.status != 500:
                    answers.give_back(connection, place)
        except IsthmusError as error:
            LOG.warning("the answer under an Idempotency-Key was not kept: %s", error)


def _digest(scope: Scope, body: bytes) -> bytes:
    """The request as far as it matters: method, path and body, to the byte."""
    made = hashlib.sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body):
        made.update(len(part).to_bytes(8, "big") + part)
    return made.digest()


async def _repeated(known: Answer, request: bytes, send: Send) -> None:
    if known.request != request:
        raise Told(409, "key_taken", "this Idempotency-Key was used for another request")
    if not known.known:
        raise Told(
            409,
            "unknown",
            "a request with this Idempotency-Key was begun and its answer is not known (yet); look before you send another",
        )
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(known.body)),
        (b"idempotency-replayed", b"true"),
    ]
    await send({"type": "http.response.start", "status": known.status, "headers": headers})
    await send({"type": "http.response.body", "body": known.body})

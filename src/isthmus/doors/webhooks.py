"""Where platforms deliver: checked from the cheapest question to the dearest, durable before it is acknowledged.

There is no rate limit per client yet: what bounds intake is the secret, the size of a body, the bytes in memory and the
depth of the inbox.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from starlette.types import Receive, Scope, Send

from isthmus.contracts.connector import Webhook
from isthmus.desk.desk import Desk
from isthmus.desk.instances import Instance
from isthmus.doors.errors import PASSAGE, Passage, Told, later
from isthmus.doors.limits import Limits, as_json, declared, header, read
from isthmus.model.errors import IsthmusError
from isthmus.record.inbox import WEBHOOK, Handed

LOG = logging.getLogger("isthmus.doors")
_SMALLEST = 1_024
"""What a delivery counts for in memory at least, its connection and bookkeeping included."""
_BOM = b"\xef\xbb\xbf"
_NONE = Webhook(note="")


class Line:
    """Deliveries on their way to the disk. One writer takes everything that waits, commits it once, then answers it all."""

    def __init__(self, desk: Desk, wake: Callable[[], None], limits: Limits) -> None:
        self._desk, self._wake, self._limits = desk, wake, limits
        self._waiting: list[tuple[Handed, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._held = 0

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Memory for a body of this many bytes. Raises `Told` when too much is held already."""
        size = max(size, _SMALLEST)
        if self._held + size > self._limits.unsaved:
            raise later(429, "busy", "too many deliveries at once", 1)
        self._held += size
        try:
            yield
        finally:
            self._held -= size

    async def put(self, one: Handed) -> bool:
        """Returns once it is durable: False when it came before, byte for byte. Raises `Told` when it could not be kept."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                stored = asyncio.to_thread(self._store, [one for one, _ in batch])
                # An error is handed to everybody in the batch, as the value it is here.
                [said] = await asyncio.gather(stored, return_exceptions=True)
                for number, (_, answer) in enumerate(batch):
                    _give(answer, said if isinstance(said, BaseException) else said[number])
        finally:
            self._writer = None

    def _store(self, handed: Sequence[Handed]) -> list[bool | Told]:
        """In a thread. What the inbox has no room for is told so, each by itself."""
        full = later(429, "full", "the inbox is full; deliver it again", 30)
        try:
            taken = handed[: max(0, self._limits.inbox - self._desk.depth())]
            fresh = self._desk.accept(taken) if taken else []
        except IsthmusError as error:
            # Whatever it is, it is our trouble and not the delivery's: the platform must try again.
            raise later(503, "unreachable", f"not stored: {error}") from None
        if taken:
            self._wake()
        return [*fresh, *(full for _ in handed[len(taken) :])]


def _give(answer: asyncio.Future[bool], said: bool | BaseException) -> None:
    if answer.done():
        return  # The sender has gone.
    if isinstance(said, BaseException):
        answer.set_exception(said)
    else:
        answer.set_result(said)


class Webhooks:
    """`POST /in/{instance}`, and `POST /in/{instance}/{token}` for platforms that can send no header of their own."""

    def __init__(self, desk: Desk, clock: Callable[[], datetime], wake: Callable[[], None], limits: Limits) -> None:
        self._desk, self._clock, self._limits = desk, clock, limits
        self._line = Line(desk, wake, limits)
        self._nobodys = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 202 once the delivery is durable; raises `Told` otherwise."""
        passage: Passage = scope[PASSAGE]
        passage.shown = "/in/"
        if scope["method"] != "POST":
            raise Told(405, "method", "deliveries are sent by POST", {"allow": "POST"})
        instance = self._known(scope, passage)
        as_json(scope)
        with self._line.room(declared(scope, self._limits.delivery)):
            body = await read(receive, self._limits.delivery, self._limits.seconds)
            if body.removeprefix(_BOM).lstrip()[:1] not in {b"{", b"["}:
                raise Told(400, "not_json", "the body is no JSON object or list")
            place = instance.tenant, instance.connector.name, instance.name
            name = f"webhook {passage.request_id}"
            fresh = await self._line.put(Handed(*place, WEBHOOK, name, body, self._clock()))
        await _accepted(send, fresh, passage.request_id)

    def _known(self, scope: Scope, passage: Passage) -> Instance:
        """The instance this is for, once the secret was shown. An instance that does not exist costs the same comparison."""
        name, slash, token = scope["path"].removeprefix("/in/").partition("/")
        instance = self._desk.instances.by_name.get(name)
        webhook = (instance.connector.webhook if instance else None) or _NONE
        secret = instance.webhook_secret.reveal().encode() if instance and instance.webhook_secret else b""
        shown = token.encode() if webhook.in_path else _shown(scope, webhook)
        same = _same(shown, secret or self._nobodys)
        if instance is None or bool(slash) != webhook.in_path:
            raise Told(404, "not_found", "no such address; see the instance's webhook in the settings")
        passage.shown = f"/in/{instance.name}"
        if instance.connector.webhook is None:
            raise Told(403, "no_webhook", f"{instance.connector.title} delivers nothing by webhook here")
        if not secret.strip():
            raise Told(403, "no_webhook", f"set webhook_secret of the instance {instance.name} to take its webhooks")
        if not same:
            LOG.warning("webhook of %s refused: the secret is missing or wrong (request %s)", instance.name, passage.request_id)
            raise Told(401, "no_key", "the secret is missing or wrong", {"www-authenticate": 'Bearer realm="webhook"'})
        return instance


def _shown(scope: Scope, webhook: Webhook) -> bytes:
    """The secret in the header; empty when it is missing or stands behind another prefix."""
    value, prefix = header(scope, webhook.header.encode()) or b"", webhook.prefix.encode()
    # The name of a scheme may be written in any case.
    return value[len(prefix) :] if value[: len(prefix)].lower() == prefix.lower() else b""


def _same(shown: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(hashlib.sha256(shown).digest(), hashlib.sha256(expected).digest())


async def _accepted(send: Send, fresh: bool, request_id: str) -> None:
    repeated = b"false" if fresh else b"true"
    body = b'{"accepted":true,"repeated":%s,"request_id":"%s"}' % (repeated, request_id.encode())
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""Where platforms deliver: checked from the cheapest question to the dearest, durable before it is acknowledged.

The secret comes before everything that costs something. Who shows none is slowed by address; who shows one is slowed by
instance, so that a platform that storms, or somebody who has its secret, takes nothing from the others.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from starlette.types import Receive, Scope, Send

from isthmus.contracts.connector import Webhook
from isthmus.desk.desk import Desk
from isthmus.desk.instances import Instance
from isthmus.doors import bulk
from isthmus.doors.errors import PASSAGE, Passage, Told, later
from isthmus.doors.limits import Limits, as_json_or_lines, declared, header, read
from isthmus.doors.line import Line
from isthmus.doors.pace import Buckets, network
from isthmus.record.answers import Answer
from isthmus.record.inbox import WEBHOOK, Handed

LOG = logging.getLogger("isthmus.doors")
_NONE = Webhook(note="")
_VERSIONS = frozenset({"1.0", "1.1"})
"""What the server speaks; its parser also lets pass what calls itself something else."""


class Webhooks:
    """`POST /in/{instance}`, and `POST /in/{instance}/{token}` for platforms that can send no header of their own.

    A body of JSON is one delivery; a body of lines of JSON is a delivery for each line. `ticks` are seconds that never go
    back.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        limits: Limits,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._clock, self._limits, self._ticks = desk, clock, limits, ticks
        self._line = Line(desk, wake, limits)
        self._nobodys = secrets.token_bytes(32)
        self._strangers, self._instances = Buckets(limits.strangers), Buckets(limits.instance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 202 once the delivery is durable; raises `Told` otherwise."""
        passage: Passage = scope[PASSAGE]
        passage.shown = "/in/"
        if scope["method"] != "POST":
            raise Told(405, "method", "deliveries are sent by POST", {"allow": "POST"})
        if scope.get("http_version", "1.1") not in _VERSIONS:
            raise Told(400, "bad_request", "deliveries are sent by HTTP/1.1")
        instance = self._let_in(scope, passage)
        many, limits = as_json_or_lines(scope), self._limits
        most, seconds = (limits.bulk, limits.bulk_seconds) if many else (limits.delivery, limits.seconds)
        declared(scope, most)
        wait = self._instances.take(instance.name, self._ticks())
        if wait:
            raise later(429, "too_many", f"{instance.name} delivers faster than it may", math.ceil(wait))
        with self._line.room(instance.name) as came:
            body = await read(receive, most, seconds, came)
            if many:
                await self._many(instance, scope, body, send)
            else:
                await self._one(instance, passage, body, send)

    async def _one(self, instance: Instance, passage: Passage, body: bytes, send: Send) -> None:
        flaw = bulk.flaw(body)
        if flaw:
            raise Told(400, "not_json", f"the body {flaw}")
        [fresh] = await self._kept(instance, [body], passage.request_id)
        said = b'{"accepted":true,"repeated":%s,"request_id":"%s"}'
        await _answered(send, said % (b"false" if fresh else b"true", passage.request_id.encode()))

    async def _many(self, instance: Instance, scope: Scope, body: bytes, send: Send) -> None:
        passage, key = scope[PASSAGE], header(scope, b"idempotency-key")
        once = None if key is None else bulk.once(self._desk.store, instance.tenant, instance.name, key, body)
        known: Answer | None = None if once is None else await asyncio.to_thread(once.known, self._clock())
        if known is not None:
            await _answered(send, known.body, [(b"idempotency-replayed", b"true")])
            return
        found = await asyncio.to_thread(bulk.lines, body, self._limits.lines, self._limits.delivery)
        taken = [one.body for one in found if not one.refused]
        self._instances.owe(instance.name, self._ticks(), len(taken) - 1)
        answer = bulk.told(found, await self._kept(instance, taken, passage.request_id), passage.request_id)
        if once is not None:
            await asyncio.to_thread(once.keep, 202, answer)
        await _answered(send, answer)

    async def _kept(self, instance: Instance, bodies: Sequence[bytes], request_id: str) -> list[bool]:
        place, now = (instance.tenant, instance.connector.name, instance.name), self._clock()
        handed = [Handed(*place, WEBHOOK, f"webhook {request_id}", one, now) for one in bodies]
        return await self._line.put((instance.tenant, instance.name), handed)

    def _let_in(self, scope: Scope, passage: Passage) -> Instance:
        """The instance, once the secret was shown. An address that often shows none is told to wait, and not logged."""
        try:
            return self._known(scope, passage)
        except Told as refusal:
            address = network((scope.get("client") or ("",))[0])
            wait = self._strangers.take(address, self._ticks())
            if wait:
                raise later(429, "too_many", "too much of this from this address", math.ceil(wait)) from None
            if refusal.status == 401:
                LOG.warning("webhook at %s refused: no good secret (request %s)", passage.shown, passage.request_id)
            raise

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
            raise Told(401, "no_key", "the secret is missing or wrong", {"www-authenticate": 'Bearer realm="webhook"'})
        return instance


def _shown(scope: Scope, webhook: Webhook) -> bytes:
    """The secret in the header; empty when it is missing or stands behind another prefix."""
    value, prefix = header(scope, webhook.header.encode()) or b"", webhook.prefix.encode()
    # The name of a scheme may be written in any case.
    return value[len(prefix) :] if value[: len(prefix)].lower() == prefix.lower() else b""


def _same(shown: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(hashlib.sha256(shown).digest(), hashlib.sha256(expected).digest())


async def _answered(send: Send, body: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""How much is taken at the doors: sizes, times, and how often somebody may fail."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.doors.errors import Told
from isthmus.doors.pace import Pace

_JSON = re.compile(rb"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_LINES = re.compile(rb"application/(?:x-)?(?:ndjson|jsonl)\s*(?:;.*)?", re.IGNORECASE)
_FORM = re.compile(rb"application/x-www-form-urlencoded\s*(?:;.*)?", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
READS = frozenset({"GET", "HEAD", "OPTIONS"})
_GRACE, _SLOWEST = 3.0, 4_096
"""A body has three seconds to begin with, and one more for every 4 KiB that came."""


_OF_AN_INSTANCE, _OF_STRANGERS = Pace(5_000, 20_000), Pace(1, 60)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and numbers.

    `unsaved` is how many bytes of deliveries may be in memory before they are durable, and `share` how much of it one
    instance may have. `inbox` is how many deliveries may wait to be read, for each tenant. `instance` is the pace of
    deliveries that showed the secret of an instance, `strangers` that of those an address sent without; who shows a good
    secret is never slowed by others behind the same address. `connections` are those one address may have open.
    """

    delivery: int = 1 << 20
    seconds: float = 10.0
    bulk: int = 8 << 20
    bulk_seconds: float = 30.0
    lines: int = 1_000
    inbox: int = 50_000
    unsaved: int = 64 << 20
    share: float = 0.25
    instance: Pace = _OF_AN_INSTANCE
    strangers: Pace = _OF_STRANGERS
    request: int = 1 << 16
    form: int = 1 << 20
    connections: int = 256
    all_connections: int = 4_096
    header_seconds: float = 5.0
    header_bytes: int = 1 << 15
    headers: int = 100


def header(scope: Scope, name: bytes) -> bytes | None:
    """A header's value; None when it is not there. Raises `Told` when it is there twice: nobody knows which is meant."""
    found = [value for key, value in scope["headers"] if key == name]
    if len(found) > 1:
        raise Told(400, "bad_request", f"the header {name.decode('latin-1')} was sent more than once")
    return found[0].strip() if found else None


def declared(scope: Scope, most: int) -> int:
    """How many bytes the body may have: as declared, else the most. Raises `Told` when it declares more, or two lengths."""
    given, coding = header(scope, b"content-length"), header(scope, b"transfer-encoding")
    if coding is not None and (given is not None or coding.lower() != b"chunked"):
        raise Told(400, "bad_request", "a body has one length: Content-Length, or Transfer-Encoding: chunked, not both")
    if given is None:
        return most
    if not _LENGTH.fullmatch(given) or int(given) > most:
        raise _too_large(most)
    return int(given)


def _too_large(most: int) -> Told:
    return Told(413, "too_large", f"a body has at most {most} bytes")


def as_json(scope: Scope) -> None:
    """Raises `Told` when the body is not declared to be plain JSON."""
    _plain(scope)
    if not _JSON.fullmatch(header(scope, b"content-type") or b""):
        raise Told(415, "media_type", "send JSON, with Content-Type: application/json")


def as_json_or_lines(scope: Scope) -> bool:
    """Whether the body is declared to be lines of JSON. Raises `Told` when it is neither that nor plain JSON."""
    if _LINES.fullmatch(header(scope, b"content-type") or b""):
        _plain(scope)
        return True
    as_json(scope)
    return False


def _plain(scope: Scope) -> None:
    if (header(scope, b"content-encoding") or b"identity").lower() != b"identity":
        raise Told(415, "encoding", "send the body uncompressed")


def _ignored(_: int) -> None:
    """For those who need not know how much came."""


async def read(receive: Receive, most: int, seconds: float, came: Callable[[int], None] = _ignored) -> bytes:
    """The whole body; `came` is told of the bytes as they come in, and may raise.

    Raises `Told` when it is longer than `most` bytes, takes more than so many seconds or comes too slowly. An answer given
    before the body was read to its end closes the connection, so that the rest is not taken in.
    """
    body, began = bytearray(), asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(min(seconds, _GRACE)) as limit:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Told(400, "gone", "the connection ended before the body did")
                part = message.get("body", b"")
                came(len(part))
                body += part
                if len(body) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return bytes(body)
                limit.reschedule(began + min(seconds, _GRACE + len(body) / _SLOWEST))
    except TimeoutError:
        raise Told(408, "too_slow", f"a body must arrive within {seconds:g} seconds, 4 KiB in each after the third") from None


def again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, to be read once more; then what the connection says."""
    held: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return held.pop() if held else await receive()

    return replay


class Forms:
    """Before the forms of the console: one kind of body, whole, bounded and readable, so that nothing behind has to care."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `Told` for what no form of ours sends."""
        cookie = header(scope, b"cookie") or b""
        if not cookie.isascii() or not (header(scope, b"x-csrftoken") or b"").isascii():
            raise Told(400, "bad_request", "a header holds letters that none of ours has")
        if scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        if not _FORM.fullmatch(header(scope, b"content-type") or b""):
            raise Told(415, "media_type", "this takes a form")
        declared(scope, self._limits.form)
        body = await read(receive, self._limits.form, self._limits.seconds)
        _readable(body)
        await self._app(scope, again(body, receive), send)


def _readable(body: bytes) -> None:
    """The check against forged forms takes only text it can compare."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True)
    except ValueError:
        raise Told(400, "bad_request", "the form is not UTF-8") from None
    if any(name == "csrftoken" and not value.isascii() for name, value in fields):
        raise Told(400, "bad_request", "the form was not made by us")


class Failures:
    """How often each address failed in the current minute. Bounded: the oldest addresses are forgotten first."""

    def __init__(self, most: int = 20, within: timedelta = timedelta(minutes=1), addresses: int = 10_000) -> None:
        self._most, self._within, self._addresses = most, within, addresses
        self._seen: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def add(self, address: str, now: datetime) -> int:
        """Note a failure. Returns for how many seconds this address has had enough of them; 0 when it may go on."""
        since, count = self._seen.pop(address, (now, 0))
        if not since <= now < since + self._within:
            since, count = now, 0
        self._seen[address] = since, count + 1
        while len(self._seen) > self._addresses:
            self._seen.popitem(last=False)
        return 0 if count < self._most else 1 + int((since + self._within - now).total_seconds())

"""The kinds of delivery nobody should send: each makes the bytes of one request out of a good one."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bench.intake_doors import IN_PATH, SECRET

Field = tuple[str, str | bytes]


@dataclass(frozen=True)
class Request:
    """A request in parts, to be taken apart further. `text` is what is sent when it is no request at all."""

    body: bytes
    method: str = "POST"
    target: str = "/in/wiz-prod"
    version: str = "HTTP/1.1"
    secret: tuple[Field, ...] = (("Authorization", f"Bearer {SECRET}"),)
    kind: tuple[Field, ...] = (("Content-Type", "application/json"),)
    more: tuple[Field, ...] = ()
    length: tuple[Field, ...] | None = None
    sent: bytes | None = None
    end: str = "\r\n"
    text: bytes | None = None

    def raw(self) -> bytes:
        """As it goes over the wire."""
        if self.text is not None:
            return self.text
        length = (("Content-Length", str(len(self.body))),) if self.length is None else self.length
        fields = (("Host", "x"), *self.secret, *self.kind, *length, *self.more)
        lines = [f"{self.method} {self.target} {self.version}".encode()]
        lines += [
            name.encode("latin-1") + b": " + (value if isinstance(value, bytes) else value.encode()) for name, value in fields
        ]
        return self.end.encode().join([*lines, b"", b""]) + (self.body if self.sent is None else self.sent)


@dataclass(frozen=True)
class Kind:
    """`alone`: on a connection of its own, closed after the answer. `cut`: closed without waiting for one."""

    name: str
    make: Callable[[Request, random.Random], Request]
    alone: bool = False
    cut: bool = False
    weight: int = field(default=4)


def _secret(*fields: Field) -> Callable[[Request, random.Random], Request]:
    return lambda one, _: replace(one, secret=fields)


def _with(**parts: object) -> Callable[[Request, random.Random], Request]:
    return lambda one, _: replace(one, **parts)  # type: ignore[arg-type]


def _typed(*kinds: str) -> Callable[[Request, random.Random], Request]:
    return lambda one, _: replace(one, kind=tuple(("Content-Type", kind) for kind in kinds))


def _body(change: Callable[[bytes, random.Random], bytes]) -> Callable[[Request, random.Random], Request]:
    return lambda one, chance: replace(one, body=change(one.body, chance))


def _chunked(body: bytes, size: int, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    sent = b"".join(b"%x%s\r\n%s\r\n" % (len(one), extension, one) for one in parts)
    return sent + b"0\r\n" + trailer + b"\r\n"


def _in_chunks(
    coding: str = "chunked", extension: bytes = b"", trailer: bytes = b"", length: tuple[Field, ...] = ()
) -> Callable[[Request, random.Random], Request]:
    def made(one: Request, chance: random.Random) -> Request:
        sent = _chunked(one.body, chance.randrange(1, 900), extension, trailer)
        return replace(one, length=(*length, ("Transfer-Encoding", coding)), sent=sent)

    return made


def _smuggled(first: str, second: str) -> Callable[[Request, random.Random], Request]:
    """Two lengths, and behind the shorter body a whole delivery of its own."""

    def made(one: Request, chance: random.Random) -> Request:
        del chance
        inner = replace(one, target="/in/wiz-other", body=one.body + b" ").raw()
        name, _, value = second.partition(":")
        other, _, given = first.partition(":")
        sent = b"0\r\n\r\n" + inner
        return replace(one, length=((other, given.strip()), (name, value.strip())), sent=sent)

    return made


def _nested(depth: int, both: bool = True) -> Callable[[bytes, random.Random], bytes]:
    return lambda body, _: b'{"a":' + b"[" * depth + body + (b"]" * depth + b"}" if both else b"")


def _field(pair: bytes) -> Callable[[bytes, random.Random], bytes]:
    return lambda body, _: b"{" + pair + b"," + body.lstrip()[1:]


def _flipped(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randrange(1, 6)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _noise(one: Request, chance: random.Random) -> Request:
    raw = bytearray(one.raw())
    for _ in range(chance.randrange(1, 4)):
        raw[chance.randrange(raw.find(b"\r\n\r\n"))] = chance.randrange(256)
    return replace(one, text=bytes(raw))


_AUTH = ("Authorization", f"Bearer {SECRET}")
_SECRETS = (
    Kind("secret missing", _secret()),
    Kind("secret empty", _secret(("Authorization", ""))),
    Kind("secret wrong", lambda one, c: replace(one, secret=(("Authorization", f"Bearer {c.getrandbits(128):x}"),))),
    Kind("secret longer", _secret(("Authorization", f"Bearer {SECRET}x"))),
    Kind(
        "secret cut", lambda one, c: replace(one, secret=(("Authorization", f"Bearer {SECRET[: c.randrange(len(SECRET))]}"),))
    ),
    Kind("secret in capitals", _secret(("Authorization", f"Bearer {SECRET.upper()}"))),
    Kind("secret as Basic", _secret(("Authorization", f"Basic {SECRET}"))),
    Kind("secret without scheme", _secret(("Authorization", SECRET))),
    Kind("secret doubled", _secret(_AUTH, _AUTH)),
    Kind("secret good and bad", _secret(("Authorization", "Bearer x"), _AUTH)),
    Kind("secret in another header", _secret(("X-Isthmus-Token", SECRET), ("X-Api-Key", SECRET))),
    Kind("secret in a cookie", _secret(("Cookie", f"authorization=Bearer {SECRET}"))),
    Kind(
        "secret in the query", lambda one, _: replace(one, secret=(), target=f"/in/wiz-prod?token={SECRET.replace(' ', '%20')}")
    ),
    Kind("secret as token in the path", lambda one, _: replace(one, target=f"/in/wiz-prod/{SECRET.replace(' ', '%20')}")),
    Kind("secret with high letters", _secret(("Authorization", f"Bearer {SECRET}".encode() + b"\xff"))),
    Kind("scheme in small letters", _secret(("authorization", f"bearer {SECRET}"))),
)
_PATHS = tuple(
    Kind(f"path {target[:24]}", _with(target=target))
    for target in (
        *("/in/nobody", "/in/", "/in", "/in/wiz-prod/", "//in/wiz-prod", "/in//wiz-prod", "/IN/wiz-prod", "/in/WIZ-PROD"),
        *(
            "/in/../in/wiz-prod",
            "/in/./wiz-prod",
            "/in/%2e%2e/in/wiz-prod",
            "/in/wiz-prod%00",
            "/in/wiz-prod%2f",
            "/%69n/wiz-prod",
        ),
        *("/in/wiz-prod;a=b", "/in/wiz-prod?instance=nobody", "/in/wiz%2dprod", "/in/wiz-prod%0d%0aX:y", "/in/" + "a" * 5_000),
        *("/v1/in/wiz-prod", "/v1/instances/wiz-prod/alerts", "http://x/in/wiz-prod", "*", "in/wiz-prod", "/in/%c0%af"),
        *(f"/in/{IN_PATH}", f"/in/{IN_PATH}/", f"/in/{IN_PATH}/wrong", f"/in/{IN_PATH}/{SECRET.replace(' ', '%20')}"),
    )
)
_METHODS = tuple(
    Kind(f"method {method}", _with(method=method), alone=True, weight=2)
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "post", "BREW", "")
)
_TYPES = (
    *(
        Kind(f"type {kind or 'empty'}", _typed(kind))
        for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp")
    ),
    Kind("type missing", _typed()),
    Kind("type doubled", _typed("application/json", "application/json")),
    Kind("type good with charset", _typed("application/json; charset=utf-8")),
    Kind("type good, of an event", _typed("application/cloudevents+json")),
    Kind("coding gzip", lambda one, _: replace(one, body=gzip.compress(one.body), more=(("Content-Encoding", "gzip"),))),
    Kind("coding deflate", lambda one, _: replace(one, body=zlib.compress(one.body), more=(("Content-Encoding", "deflate"),))),
    Kind("coding said, not done", _with(more=(("Content-Encoding", "br"),))),
    Kind("coding doubled", _with(more=(("Content-Encoding", "identity"), ("Content-Encoding", "gzip")))),
    Kind("gzip not said", _body(lambda body, _: gzip.compress(body))),
    Kind(
        "bomb",
        lambda one, _: replace(one, body=gzip.compress(b"[" + b" " * (1 << 20)), more=(("Content-Encoding", "gzip"),)),
        weight=1,
    ),
)
_BYTES = (
    Kind("empty", _body(lambda *_: b"")),
    Kind("blank", _body(lambda *_: b" \r\n\t ")),
    Kind("null", _body(lambda *_: b"null")),
    Kind("a string", _body(lambda body, _: json.dumps(body.decode()).encode())),
    Kind("xml", _body(lambda body, _: b"<xml>" + body + b"</xml>")),
    Kind("NUL before", _body(lambda body, _: b"\0" + body)),
    Kind("NUL inside", _body(lambda body, _: body[:9] + b"\0" + body[9:])),
    Kind("UTF-16", _body(lambda body, _: body.decode().encode("utf-16"))),
    Kind("UTF-16 without mark", _body(lambda body, _: body.decode().encode("utf-16-le"))),
    Kind("UTF-32", _body(lambda body, _: body.decode().encode("utf-32"))),
    Kind("Latin-1", _body(lambda body, _: _field(b'"n":"\xe9"')(body, _))),
    Kind("surrogates in UTF-8", _body(_field(b'"n":"\xed\xa0\x80"'))),
    Kind("overlong UTF-8", _body(_field(b'"n":"\xc0\xaf"'))),
    Kind("mark before", _body(lambda body, _: b"\xef\xbb\xbf" + body)),
    Kind("two marks before", _body(lambda body, _: b"\xef\xbb\xbf\xef\xbb\xbf" + body)),
    Kind("bytes flipped", _body(_flipped), weight=30),
)
_READ = (
    Kind("duplicate key", _body(_field(b'"issue":1,"issue":2'))),
    Kind("NaN", _body(_field(b'"n":NaN'))),
    Kind("Infinity", _body(_field(b'"n":-Infinity'))),
    Kind("depth 60", _body(_nested(60))),
    Kind("depth 2,000", _body(_nested(2_000))),
    Kind("depth 60,000", _body(_nested(60_000)), weight=1),
    Kind("depth 60,000 without end", _body(_nested(60_000, both=False)), weight=1),
    Kind("a number of 9,000 digits", _body(_field(b'"n":' + b"9" * 9_000))),
    Kind("a number too large", _body(_field(b'"n":1e999999'))),
    Kind("half a surrogate", _body(_field(b'"n":"\\ud800"'))),
    Kind("escaped NUL", _body(_field(b'"n":"\\u0000"'))),
    Kind("cut off", _body(lambda body, c: body[: c.randrange(1, len(body))])),
    Kind("something behind", _body(lambda body, _: body + b"}")),
    Kind("two of them", _body(lambda body, _: body + b"\n" + body)),
    Kind("single quotes", _body(lambda body, _: body.replace(b'"', b"'"))),
    Kind("a comment", _body(lambda body, _: body[:1] + b"/* */" + body[1:])),
    Kind("a tab in a string", _body(_field(b'"n":"\t"'))),
    Kind("ten thousand keys", _body(_field(b",".join(b'"k%d":1' % one for one in range(10_000)))), weight=1),
    Kind("a key of 100,000", _body(_field(b'"' + b"k" * 100_000 + b'":1')), weight=1),
)
_SIZES = (
    Kind("as large as allowed", _body(lambda body, _: body + b" " * ((1 << 20) - len(body))), weight=1),
    Kind("one too large", _body(lambda body, _: body + b" " * ((1 << 20) - len(body) + 1)), alone=True, weight=1),
    Kind("said to be huge", _with(length=(("Content-Length", str(1 << 40)),)), alone=True),
    Kind(
        "chunks beyond the limit",
        lambda one, c: _in_chunks()(replace(one, body=one.body + b" " * (1 << 20)), c),
        True,
        weight=1,
    ),
    Kind("in chunks", _in_chunks()),
    Kind("in chunks with extensions", _in_chunks(extension=b";a=b")),
    Kind("in chunks with a trailer", _in_chunks(trailer=b"X-Trailer: a\r\n")),
    Kind("chunks cut off", lambda one, c: replace(_in_chunks()(one, c), sent=_chunked(one.body, 300)[:-7]), cut=True),
    Kind("a chunk with a bad size", lambda one, _: replace(_in_chunks()(one, _), sent=b"zz\r\n" + one.body), alone=True),
    Kind(
        "a chunk of 2^64", lambda one, _: replace(_in_chunks()(one, _), sent=b"1" + b"0" * 16 + b"\r\n" + one.body), alone=True
    ),
    Kind(
        "a chunk shorter than said",
        lambda one, _: replace(_in_chunks()(one, _), sent=b"5\r\n" + one.body + b"\r\n0\r\n\r\n"),
        True,
    ),
    Kind("shorter than said", lambda one, _: replace(one, length=(("Content-Length", str(len(one.body) + 9)),)), cut=True),
    Kind("hung up half way", lambda one, c: replace(one, text=one.raw()[: c.randrange(1, len(one.raw()))]), cut=True),
)
_LENGTHS = tuple(
    Kind(f"length {value!r}", _with(length=(("Content-Length", value),)), alone=True, weight=2)
    for value in ("+5", "-1", "0x10", "5, 5", "5 5", "", "five", "1e3", "99999999999999999999999", "٣")
)
_SMUGGLED = tuple(
    Kind(f"smuggled {first} / {second}", _smuggled(first, second), alone=True)
    for first, second in (
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 900"),
        ("Content-Length: 5", "Transfer-Encoding: xchunked"),
        ("Content-Length: 5", "Transfer-Encoding:\tchunked"),
        ("Content-Length: 5", "Transfer-Encoding : chunked"),
        ("Content-Length: 5", "Transfer-Encoding: chunked, identity"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Content-Length: 5", "Transfer-Encoding: \x0bchunked"),
        ("Content-Length: 5", "X: y\nTransfer-Encoding: chunked"),
    )
)
_HEADS = (
    Kind("two hundred headers", _with(more=tuple((f"X-{number}", "a") for number in range(200))), alone=True, weight=2),
    Kind("a header of 64 KiB", _with(more=(("X-Long", "a" * 65_536),)), alone=True, weight=1),
    Kind("a header name of 40 KB", _with(more=(("X" * 40_000, "a"),)), alone=True, weight=1),
    Kind("a space before the colon", _with(more=(("X-A ", "b"),)), alone=True),
    Kind("a folded header", _with(more=(("X-A", "b\r\n c"),)), alone=True),
    Kind("NUL in a header", _with(more=(("X-A", "b\0c"),)), alone=True),
    Kind("a header without a name", _with(more=(("", "b"),)), alone=True),
    Kind("lines end in LF", _with(end="\n"), alone=True),
    Kind("lines end in CR", _with(end="\r"), cut=True),
    Kind("HTTP/1.0", _with(version="HTTP/1.0"), alone=True),
    Kind("HTTP/0.9", lambda one, _: replace(one, text=b"POST /in/wiz-prod\r\n\r\n" + one.body), alone=True),
    Kind("HTTP/2.0", _with(version="HTTP/2.0"), alone=True),
    Kind("HTTP/9.9", _with(version="HTTP/9.9"), alone=True),
    Kind("HTTP/2 by surprise", _with(text=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 30), alone=True),
    Kind("TLS where there is none", _with(text=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\7" * 500), alone=True),
    Kind("an upgrade", _with(more=(("Connection", "Upgrade"), ("Upgrade", "h2c"))), cut=True, weight=2),
    Kind("a web socket", _with(method="GET", more=(("Connection", "Upgrade"), ("Upgrade", "websocket"))), cut=True, weight=2),
    Kind("noise", lambda one, c: replace(one, text=c.randbytes(c.randrange(1, 2_000)) + b"\r\n\r\n"), cut=True, weight=8),
    Kind("noise in the head", _noise, cut=True, weight=30),
    Kind("method override", _with(method="GET", more=(("X-HTTP-Method-Override", "POST"),)), alone=True),
    Kind("a request id of our own", _with(more=(("X-Request-Id", '"}<script>\t'),))),
    Kind("an Idempotency-Key where it means nothing", _with(more=(("Idempotency-Key", "k"),))),
    Kind("another address claimed", _with(more=(("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")))),
)
KINDS = (*_SECRETS, *_PATHS, *_METHODS, *_TYPES, *_BYTES, *_READ, *_SIZES, *_LENGTHS, *_SMUGGLED, *_HEADS)
GOOD = Kind("a good one", lambda one, _: one)
REPLAY = Kind("a replay", lambda one, _: one)

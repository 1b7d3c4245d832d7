"""What should become of a delivery, judged from its bytes alone. Written apart from the doors: it shares no code with them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from bench.intake_doors import IN_PATH, NAMES, SECRET

_LINE = re.compile(rb"POST (?:http://[a-z0-9.:]+)?(/[!-~]*) HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[!-~ ]*)?\r\n")
_TYPE = re.compile(rb"application/([a-z0-9.+-]+\+)?json[ \t]*(;.*)?", re.IGNORECASE)
_LARGEST, _HEAD, _FIELDS, _DEEP = 1 << 20, 1 << 15, 100, 900


@dataclass(frozen=True)
class Expected:
    """The body that must be kept, or None when nothing may be."""

    body: bytes | None


def expected(raw: bytes) -> Expected:
    """For one request on a connection of its own."""
    head, found, rest = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    request = _LINE.fullmatch(lines[0])
    fields = [_FIELD.fullmatch(one) for one in lines[1:]]
    if not found or request is None or None in fields or len(fields) > _FIELDS or len(head) > _HEAD:
        return Expected(None)
    named: dict[bytes, list[bytes]] = {}
    for one in fields:
        assert one is not None
        named.setdefault(one[1].lower(), []).append(one[2])
    body = _framed(named, rest)
    good = body is not None and _addressed(request[1], named) and _typed(named) and _looks(body)
    return Expected(body if good else None)


def _framed(named: dict[bytes, list[bytes]], rest: bytes) -> bytes | None:
    lengths, codings = named.get(b"content-length", []), named.get(b"transfer-encoding", [])
    if len(lengths) + len(codings) != 1:
        return None
    if codings:
        return _unchunked(rest) if codings[0].lower() == b"chunked" else None
    if not re.fullmatch(rb"[0-9]+", lengths[0]) or int(lengths[0]) > min(len(rest), _LARGEST):
        return None
    return rest[: int(lengths[0])]


def _unchunked(rest: bytes) -> bytes | None:
    parts, place = list[bytes](), 0
    while chunk := _CHUNK.match(rest, place):
        size, start = int(chunk[1], 16), chunk.end()
        if size == 0:
            body = b"".join(parts)
            # Trailers may follow; the empty line must.
            return body if b"\r\n" in rest[start:] and len(body) <= _LARGEST else None
        parts.append(rest[start : start + size])
        place = start + size + 2
        if rest[place - 2 : place] != b"\r\n":
            return None
    return None


def _addressed(target: bytes, named: dict[bytes, list[bytes]]) -> bool:
    path = unquote(target.split(b"?")[0].decode())
    shown = named.get(b"authorization", [])
    if path == f"/in/{IN_PATH}/{SECRET}":
        return True
    if path not in {f"/in/{name}" for name in NAMES} or len(shown) != 1:
        return False
    return bool(re.fullmatch(rb"(?i:bearer) " + re.escape(SECRET.encode()), shown[0]))


def _typed(named: dict[bytes, list[bytes]]) -> bool:
    kinds, encodings = named.get(b"content-type", []), named.get(b"content-encoding", [])
    plain = not encodings or (len(encodings) == 1 and encodings[0].lower() in {b"identity", b""})
    return plain and len(kinds) == 1 and bool(_TYPE.fullmatch(kinds[0]))


def _looks(body: bytes) -> bool:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text and text.removeprefix("\ufeff").lstrip(" \t\r\n")[:1] in {"{", "["}


def sound(body: bytes) -> bool | None:
    """Whether every value in a body that was kept may be read: None where either is right (deep, or odd numbers)."""
    text = body.decode().rstrip()
    depth = deepest = 0
    for letter in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (letter in "[{") - (letter in "]}")
        deepest = max(depth, deepest)
    if deepest > 64 or re.search(r"\d{4000}", text) or re.search(r"\\u[dD][89a-fA-F]", text):
        return False if deepest > _DEEP * 20 else None
    try:
        return _values(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return False


def _values(text: str) -> bool:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in found}) != len(found):
            raise ValueError
        return dict(found)

    def constant(name: str) -> Any:
        raise ValueError(name)

    decoder, place = json.JSONDecoder(object_pairs_hook=pairs, parse_constant=constant), 0
    while place < len(text.rstrip()):
        _, place = decoder.raw_decode(text, place + len(text[place:]) - len(text[place:].lstrip()))
    return True

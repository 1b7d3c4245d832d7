"""Records become claims: whose shape is it, and if nobody's, what stands inside it?"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

from isthmus.contracts.roles import NotAnAlert, Shape, Source
from isthmus.intake.parse import Flawed, Parsed, records
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Untrusted
from isthmus.model.findings import Finding
from isthmus.model.outside import printable

_ENVELOPES = (
    "nodes",
    "edges",
    "node",
    "items",
    "Items",
    "data",
    "results",
    "findings",
    "Findings",
    "alerts",
    "Alerts",
    "value",
    "records",
    "Records",
    "incidents",
    "issues",
    "issuesV2",
    "detections",
    "vulnerabilityFindings",
    "configurationFindings",
    "cloudConfigurationFindings",
    "listFindingsResults",
    "cloudResources",
    "Messages",
    "message",
    "detail",
    "alert",
    "finding",
    "event",
    "events",
    "entries",
    "rows",
    "threatDetectionDetails",
    "aiAnalysis",
    "issue",
)
_WRITTEN_INSIDE = ("Message", "message", "Body", "body", "messageBody", "data")
_DEEPEST = 8


class Recogniser:
    """Knows every vendor's shapes and finds the one a record has, by structure alone."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._shapes = tuple(shape for source in sources for shape in source.shapes)
        self._not_alerts = tuple(one for source in sources for one in source.not_alerts)
        self._with_keys = lru_cache(maxsize=4_096)(self._find_with_keys)

    def _find_with_keys(self, keys: tuple[str, ...]) -> tuple[tuple[Shape, ...], tuple[NotAnAlert, ...]]:
        present = set(keys)
        return (
            tuple(shape for shape in self._shapes if shape.keys <= present),
            tuple(one for one in self._not_alerts if one.keys <= present),
        )

    def claims(self, parsed: Parsed, origin: Origin) -> Iterator[Finding | Untrusted]:
        """Every claim in a parsed value; each is a finding, or `Untrusted` with its place."""
        yield from self._claims(parsed.value, parsed.position, origin, parsed.flawed, 0)

    def _claims(self, value: Any, place: str, origin: Origin, flawed: bool, depth: int) -> Iterator[Finding | Untrusted]:
        if not isinstance(value, dict):
            yield Untrusted(f"expected an object, got {_shown(value)}", place)
            return
        if isinstance(value, Flawed):
            yield Untrusted(value.flaw, place)
            return
        shapes, denied = self._with_keys(tuple(value))
        shape = next((one for one in shapes if one.when is None or one.when(value)), None)
        if shape is not None:
            yield from _read(shape, value, place, origin, flawed)
            return
        reason = next((one.reason for one in denied if one.when is None or one.when(value)), None)
        if reason is not None:
            yield Untrusted(reason, place)
            return
        yield from self._inside(value, place, origin, flawed, depth)

    def _inside(
        self, value: dict[str, Any], place: str, origin: Origin, flawed: bool, depth: int
    ) -> Iterator[Finding | Untrusted]:
        opened, found = False, False
        for name, inner, spoiled in _opened(value) if depth < _DEEPEST else ():
            opened = True
            if isinstance(inner, Untrusted):
                found = True
                yield Untrusted(inner.reason, f"{place} {name} {inner.place}".rstrip())
                continue
            several = isinstance(inner, list)
            for position, item in enumerate(inner if several else [inner]):
                found = True
                at = f"{place} {name}[{position}]" if several else f"{place} {name}"
                yield from self._claims(item, at, origin, flawed or spoiled, depth + 1)
        if not found:
            keys = ", ".join(printable(str(key))[:40] for key in list(value)[:6]) or "none"
            said = "an envelope with nothing in it" if opened else "not recognised: no alert we know has these keys"
            yield Untrusted(f"{said} ({keys})", place)


def _opened(value: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """The parts of an envelope: lists and objects under known names, and JSON written as text inside."""
    for name in _ENVELOPES:
        inner = value.get(name)
        if isinstance(inner, (list, dict)):
            yield name, inner, False
    for name in _WRITTEN_INSIDE:
        inner = value.get(name)
        if isinstance(inner, str):
            for parsed in _written(inner):
                yield (name, parsed, False) if isinstance(parsed, Untrusted) else (name, parsed.value, parsed.flawed)


def _written(text: str) -> Iterator[Parsed | Untrusted]:
    """JSON written inside a text field, as queues do it; also in base64, as Pub/Sub does."""
    body = text.encode("utf-8", "replace")
    if not text.lstrip().startswith(("{", "[")):
        try:
            body = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return
    if body.lstrip().startswith((b"{", b"[")):
        yield from records(BytesIO(body), ())


def _read(shape: Shape, value: dict[str, Any], place: str, origin: Origin, flawed: bool) -> Iterator[Finding | Untrusted]:
    if flawed:
        flaw = _flaw_in(value, "")
        if flaw is not None:
            yield Untrusted(flaw[1], f"{place} {flaw[0]}".rstrip())
            return
    try:
        for claim in shape.read(value, origin):
            yield claim if isinstance(claim, Finding) else Untrusted(claim.reason, f"{place} {claim.place}".rstrip())
    except Untrusted as error:
        yield Untrusted(f"{error.reason} ({shape.name})", f"{place} {error.place}".rstrip())


def _flaw_in(value: Any, path: str) -> tuple[str, str] | None:
    """Where inside a value something must not be read, and why; looked for only in documents that have a flaw."""
    waiting = [(value, path)]
    while waiting:
        inner, at = waiting.pop()
        if isinstance(inner, Flawed):
            return at, inner.flaw
        if isinstance(inner, dict):
            waiting += [(part, f"{at}.{printable(key)[:40]}".lstrip(".")) for key, part in inner.items()]
        elif isinstance(inner, list):
            waiting += [(part, f"{at}[{position}]") for position, part in enumerate(inner)]
    return None


def _shown(value: Any) -> str:
    kinds = {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)

"""Spans: what was done when, for whoever collects traces. Off unless a door turns it on, and then ids and times only.

A delivery's trace has the id of its request; an incident's trace an id made from its name, so that whoever works on it,
today or in a week, in this process or another, writes into the same trace without anything being handed on.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)

_IN_USE: list[Tracer] = []
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


@contextmanager
def traced(tracer: Tracer) -> Iterator[None]:
    """Spans go to this tracer while the block lasts."""
    _IN_USE.append(tracer)
    try:
        yield
    finally:
        _IN_USE.remove(tracer)


def begun_by(*names: str) -> SpanContext:
    """The trace of what these names name; of a request id as we make them (32 hex digits), the trace of that id."""
    told = "\0".join(names)
    digest = hashlib.sha256(told.encode()).digest()
    own = len(names) == 1 and len(told) == 32 and set(told) <= set("0123456789abcdef") and int(told, 16)
    return SpanContext(own or int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]), True, _SAMPLED)


@contextmanager
def span(name: str, of: tuple[str, ...] = (), links: Iterable[SpanContext] = (), **ids: str | int) -> Iterator[Span | None]:
    """Around what is done, in the trace that `of` begins, or in the one under way. An error is noted by its kind alone."""
    if not _IN_USE:
        yield None
        return
    context = set_span_in_context(NonRecordingSpan(begun_by(*of))) if of else None
    made = _IN_USE[-1].start_as_current_span(
        name,
        context,
        SpanKind.INTERNAL,
        {f"isthmus.{key}": value for key, value in ids.items()},
        [Link(one) for one in links],
        record_exception=False,
        set_status_on_exception=False,
    )
    with made as current:
        done = False
        try:
            yield current
            done = True
        finally:
            kind = sys.exc_info()[0]
            if not done and kind is not None:
                current.set_status(Status(StatusCode.ERROR, kind.__name__))


def here() -> Iterator[SpanContext]:
    """The span under way, to link to; nothing when there is none."""
    current = get_current_span().get_span_context() if _IN_USE else None
    if current is not None and current.is_valid:
        yield current


def noted(event: str) -> None:
    """Something happened in the span under way; the event is a word of ours."""
    if _IN_USE:
        get_current_span().add_event(event)

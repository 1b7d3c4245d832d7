"""Traces to a collector by OTLP over HTTP, where the settings name one. Otherwise nothing of it is even made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from isthmus import __version__
from isthmus.contracts.tracing import traced

_SECONDS = 5


@contextmanager
def exported(collector: str) -> Iterator[None]:
    """Spans made inside go to this address; those that wait are sent at the end. An empty address turns nothing on."""
    if not collector:
        yield
        return
    about = Resource({"service.name": "isthmus", "service.version": __version__})
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    # A collector that is away costs spans and nothing else: the queue is bounded, and sent from a thread of its own.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=collector, timeout=_SECONDS)))
    try:
        with traced(provider.get_tracer("isthmus", __version__)):
            yield
    finally:
        provider.shutdown()

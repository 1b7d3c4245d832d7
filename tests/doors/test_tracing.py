"""Traces: from a delivery to its effect, with ids and no texts, to a real OTLP receiver; and nothing at all when off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.desk.site import DEV, HOST, Site, attack
from tests.doors.asking import Asked
from tests.doors.standing import SECRET, sample, standing

from isthmus.contracts import tracing as spans
from isthmus.desk.reading import Reader
from isthmus.doors.tracing import exported
from isthmus.model.errors import Unreachable
from isthmus.model.outside import Outside


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A receiver of OTLP over HTTP, and the spans that arrived, as their official form decodes."""
    got: list[Any] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for whole in ExportTraceServiceRequest.FromString(body).resource_spans:
                got.extend(one for scope in whole.scope_spans for one in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def named(got: list[Any], name: str) -> list[Any]:
    return [one for one in got if one.name == name]


def test_a_delivery_can_be_followed_to_the_incident_it_opened(tmp_path: Path) -> None:
    made = standing(tmp_path)
    with collector() as (address, got):
        with exported(address):
            answer = Asked(made.app())("POST", "/in/wiz-prod", SECRET, json=sample("issue-webhook"))
            Reader(
                made.desk.store, {"wiz": made.desk.instances.by_name["wiz-prod"].connector.source}, frozenset(), frozenset()
            ).read(made.now)
        [accept], [read], [changed] = (named(got, name) for name in ("intake.accept", "intake.read", "incident.changed"))
    assert accept.trace_id.hex() == answer.headers["x-request-id"]
    assert [one.trace_id for one in read.links] == [accept.trace_id]
    assert [(one.trace_id, one.span_id) for one in changed.links] == [(read.trace_id, read.span_id)]
    [incident] = made.incidents()
    assert changed.trace_id == spans.begun_by("default", incident).trace_id.to_bytes(16)
    assert [one.name for one in changed.events] == ["incident.opened"]


def test_an_effect_stands_in_the_trace_of_its_incident_and_no_text_does(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with collector() as (address, got):
        with exported(address):
            site.deliver(attack(DEV, HOST, title=Outside("CANARY in the title")))
            site.settle()
        carried = named(got, "incident.carry")
        told = b"".join(one.SerializeToString() for one in got)
    [incident] = [row.id for row in site.desk.queue(site.people("default")["ben"], {})]
    trace = spans.begun_by("default", incident).trace_id.to_bytes(16)
    assert {one.trace_id for one in carried} == {trace}
    events = [event.name for one in carried for event in one.events]
    assert events.index("step.intent") < events.index("step.outcome")
    attributes = {pair.key: pair.value.string_value for one in carried for pair in one.attributes}
    assert attributes == {"isthmus.tenant": "default", "isthmus.incident": incident}
    assert b"CANARY" not in told and HOST.encode() not in told


def test_an_error_is_told_by_its_kind_alone(tmp_path: Path) -> None:
    with collector() as (address, got), exported(address), pytest.raises(Unreachable), spans.span("call"):
        raise Unreachable("CANARY in the message")
    [one] = got
    assert (one.status.message, list(one.events)) == ("Unreachable", [])


def test_off_nothing_is_made_and_a_collector_that_is_away_holds_nobody_up() -> None:
    with spans.span("call", of=("a",)) as current:
        assert current is None
        spans.noted("nothing")
        assert list(spans.here()) == []
    with exported(""), spans.span("call") as current:
        assert current is None

    async def many() -> None:
        for _ in range(5_000):
            with spans.span("call"):
                pass

    with exported("http://127.0.0.1:1/v1/traces"):
        asyncio.run(asyncio.wait_for(many(), 10))

"""Secrets planted everywhere they may be: none of them is in what the service writes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.desk.site import NOW
from tests.doors.commands import isthmus, settled
from tests.doors.standing import serving

from isthmus.desk.paging import Page, Pager, Way
from isthmus.model.errors import Refused
from isthmus.wire.address import way
from isthmus.wire.http import WireOutward

CANARIES = {
    "WIZ_ID": "canary-wiz-client-0001",
    "WIZ_SECRET": "canary-wiz-secret-0002",
    "WIZ_HOOK": "canary-wiz-webhook-0003",
    "PAGE": "http://127.0.0.1:1/canary-page-path-0004/hook?key=canary-page-query-0005",
    "BEAT": "http://127.0.0.1:1/canary-beat-path-0006",
}
_SETTINGS = """
data: data
server: {port: 0}
watch: {url: env:PAGE, heartbeat: env:BEAT, unread_seconds: 1}
instances:
  wiz-prod:
    connector: wiz
    config:
      {api_origin: 'http://127.0.0.1:1', token_origin: 'http://127.0.0.1:1', client_id: env:WIZ_ID,
       client_secret: env:WIZ_SECRET, webhook_secret: env:WIZ_HOOK, streams: [issues]}
"""


def knock(url: str, key: str) -> None:
    """Every door, with secrets in every place, right and wrong."""
    bearer = {"authorization": f"Bearer {CANARIES['WIZ_HOOK']}"}
    with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        assert client.post("/in/wiz-prod", headers=bearer, json={"a": 1}).status_code == 202
        assert client.post("/in/wiz-prod", headers={"authorization": "Bearer canary-wrong-0007"}, json={}).status_code == 401
        client.post("/in/wiz-prod/canary-in-path-0008", headers=bearer, json={})
        client.post("/in/canary-instance-0009", headers=bearer, json={})
        client.get("/v1/incidents", headers={"authorization": f"Bearer {key}"})
        client.get("/v1/canary-path-0010", headers={"authorization": f"Bearer {key}x"})
        client.get(f"/canary-page-0011?key={key}")
        client.get("/metrics", headers={"authorization": f"Bearer {key}", "x-forwarded-for": "192.0.2.1"})
        client.post("/signin", data={"key": key})
        assert client.get("/health").json()["status"] in {"ok", "degraded"}
        page = client.get("/metrics").text
    assert "canary" not in page and key not in page


def test_a_whole_service_gives_no_secret_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = settled(tmp_path, monkeypatch)
    (work / "isthmus.yaml").write_text(_SETTINGS)
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    isthmus("people", "add", "ada", "--name", "Ada", "--role", "analyst")
    key = isthmus("keys", "new", "ada").out.strip()
    command = [
        sys.executable,
        "-c",
        "import logging, isthmus.doors.serving as s; s.quiet_logs.__defaults__ = (logging.DEBUG,)\n",
    ]
    command[-1] += "import sys; sys.argv = ['isthmus', 'serve']\nfrom isthmus.doors.cli.main import main; main()"
    environment = dict(os.environ)  # noqa: TID251 - a process like ours
    with (work / "log").open("w") as log_file:
        process = subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, stderr=log_file, text=True, env=environment)
    try:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, (work / "log").read_text()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
        knock(found[0], key)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    log = (work / "log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert any("/in/wiz-prod refused" in one["event"] for one in lines)
    assert all(
        re.fullmatch(r"[0-9a-f]{32}", one["request"]) for one in lines if one["logger"] == "isthmus.doors" and "request" in one
    )
    assert "canary" not in log + out
    assert key.split("_", 2)[2] not in log + out


def test_pages_go_where_the_secret_address_says_and_nobody_reads_it_in_a_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[tuple[str, str, dict[str, str]]] = []
    answers = [503, 200, 400]

    async def take(request: Request) -> Response:
        got.append((request.url.path, request.url.query, json.loads(await request.body())))
        return Response(status_code=answers.pop(0))

    app = Starlette(routes=[Route("/{rest:path}", take, methods=["POST"])])
    with serving(app) as (host, port), caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("PAGE", f"http://{host}:{port}/canary-path-1/hook?key=canary-key-2")

        async def called() -> None:
            outward = WireOutward(lambda: NOW, attempts=2, patience=8.0)
            pager = Pager("house", Way(*way(outward, "env:PAGE")))
            page = await pager.call(Page("reading", NOW, "too late"), NOW)
            assert page.paged_at == NOW
            assert await pager.end(page, NOW)
            await outward.close()

        asyncio.run(called())
    # Asked again after a 503, with the same key; a refusal is not asked again.
    assert [(path, query) for path, query, _ in got] == [("/canary-path-1/hook", "key=canary-key-2")] * 3
    assert [body["event"] for _, _, body in got] == ["trigger", "trigger", "resolve"]
    assert len({body["dedup_key"] for _, _, body in got}) == 1
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("isthmus")]
    assert ours and not any("canary" in one for one in ours)


@pytest.mark.parametrize("address", ["http://pager.example/x", "ftp://x.example/", "https://user@x.example/a", "nonsense"])
def test_an_address_that_is_none_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PAGE", address)
    with pytest.raises(Refused) as told:
        way(WireOutward(lambda: NOW), "env:PAGE")
    assert str(told.value) == "secret env:PAGE: must be an https address"

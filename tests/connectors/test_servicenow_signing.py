"""Signing in to ServiceNow: tokens are renewed in time, and no credential stands in an error or a log line."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.connectors.servicenow_instance import CASE, KEY, Instance, Stage, at_version

from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.signing import TokenSigning
from isthmus.lab.servers import Town
from isthmus.model.errors import IsthmusError, Refused, Unreachable

CANARY = "canary-5b1f0a77-never-shown"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield Stage(town)


@pytest.fixture
def signed(stage: Stage) -> Instance:
    return Instance(stage, oauth=True)


def test_a_token_is_fetched_once_and_renewed_before_it_runs_out(signed: Instance) -> None:
    async def go() -> None:
        outward = signed.outward()
        sink = signed.sink(outward)
        await asyncio.gather(*(sink.read(KEY) for _ in range(4)))
        assert signed.faults.calls.count("POST /oauth_token.do") == 1
        signed.now += timedelta(seconds=signed.platform.token_seconds - 59)
        await sink.put(CASE)
        await sink.put(CASE)
        assert signed.faults.calls.count("POST /oauth_token.do") == 2
        await outward.close()

    asyncio.run(go())
    assert len(signed.cases) == 1


def test_a_token_that_is_no_longer_good_is_replaced_once(signed: Instance) -> None:
    async def go() -> None:
        outward = signed.outward()
        sink = signed.sink(outward)
        await sink.put(CASE)
        signed.platform.forget_tokens()
        await asyncio.gather(*(sink.read(KEY) for _ in range(4)))
        assert signed.faults.calls.count("POST /oauth_token.do") == 2
        await outward.close()

    asyncio.run(go())
    signed.faults.only, signed.faults.always = "/api/now", 401
    with pytest.raises(Refused, match="credentials"):
        signed.put()
    assert signed.faults.calls.count("POST /oauth_token.do") == 4


def test_a_call_that_failed_with_an_older_token_does_not_throw_the_newer_one_away(signed: Instance) -> None:
    async def go() -> None:
        outward = signed.outward()
        signing = TokenSigning(SnowConfig(**signed.settings), outward, outward.http(signed.origin))
        older = await signing.header()
        assert signing.forget(older)
        newer = await signing.header()
        assert signing.forget(older) and await signing.header() == newer != older
        await outward.close()

    asyncio.run(go())
    assert signed.faults.calls.count("POST /oauth_token.do") == 2


@pytest.mark.parametrize("said", [{}, {"access_token": "a\r\nx: y"}, {"access_token": "x" * 20, "expires_in": "soon"}, [1]])
def test_a_token_that_is_none_is_tried_later(stage: Stage, said: Any) -> None:
    async def answer(request: Request) -> Response:
        return Response(json.dumps(said), media_type="application/json")

    signed = Instance(stage, oauth=True)
    stage.show(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]))
    with pytest.raises(Unreachable, match="OAuth token"):
        signed.put()


def test_no_secret_stands_in_an_error_or_a_log_line(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for oauth in (False, True):
        snow = Instance(stage, oauth)
        snow.put()
        snow.platform.words["isthmus.integration"] = snow.platform.client_word = "other"
        snow.platform.forget_tokens()
        for fault in (None, 403, 500, "reset", "html"):
            snow.faults.always = fault
            with pytest.raises(IsthmusError) as caught:
                snow.put(at_version("b2"))
            texts.append(str(caught.value))
        snow.faults.always = None
        told = "\n".join([*texts, *(record.getMessage() for record in caplog.records)])
        for word in _secrets(snow):
            assert word not in told
    assert "authorization" not in told.lower() and "bearer" not in told.lower()


def _secrets(snow: Instance) -> list[str]:
    references = [str(snow.settings[name]) for name in ("password", "client_secret") if name in snow.settings]
    return [Path(one.removeprefix("file:")).read_text() for one in references]


@pytest.mark.parametrize("oauth", [False, True])
def test_a_platform_that_repeats_our_credentials_is_not_quoted(stage: Stage, oauth: bool) -> None:
    async def echo(request: Request) -> Response:
        given = request.headers["authorization"]
        word = base64.b64decode(given[6:]).decode() if given.startswith("Basic") else ""
        said = {"error": {"message": f"not you {word}", "detail": given}, "status": "failure"}
        return JSONResponse(said, 403)

    snow = Instance(stage, oauth)
    token = Route("/oauth_token.do", lambda request: JSONResponse({"access_token": CANARY}), methods=["POST"])
    stage.show(Starlette(routes=[token, Route("/{path:path}", echo)]))
    with pytest.raises(Refused, match="not you") as caught:
        snow.put()
    credential = CANARY if oauth else _secrets(snow)[0]
    assert credential not in str(caught.value)
    assert base64.b64encode(f"isthmus.integration:{credential}".encode()).decode() not in str(caught.value)

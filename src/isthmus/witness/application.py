"""The witness as an HTTP server: one thing to ask of it, and the last signed checkpoint to look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from isthmus.model.errors import Refused
from isthmus.witness.memory import origin_hash
from isthmus.witness.witnessing import CONFLICT, Reply, Witness

LARGEST_BODY = 131_072
_SLOWEST_SECONDS = 10.0


def create(witness: Witness, clock: Callable[[], datetime]) -> Starlette:
    """The application. It answers anybody: what is signed is decided by the logs' own signatures."""

    async def add(request: Request) -> Response:
        try:
            async with asyncio.timeout(_SLOWEST_SECONDS):
                body = await _body(request)
        except TimeoutError:
            return PlainTextResponse("the request took too long\n", 408)
        except ClientDisconnect:
            return PlainTextResponse("the request was not whole\n", 400)
        if body is None:
            return PlainTextResponse(f"more than {LARGEST_BODY} bytes\n", 413)
        try:
            return _answer(await asyncio.to_thread(witness.add, body, clock()))
        except Refused:
            return PlainTextResponse("this witness cannot keep what it signs just now; it signs nothing\n", 500)

    async def latest(request: Request) -> Response:
        origin = next((one for one in witness.logs if origin_hash(one) == request.path_params["origin"]), None)
        note = None if origin is None else witness.memory.note(origin)
        if note is None:
            return PlainTextResponse("nothing was signed of this log\n", 404)
        return PlainTextResponse(note, headers={"cache-control": "no-store"})

    return Starlette(
        routes=[
            Route("/add-checkpoint", add, methods=["POST"]),
            Route("/{origin:str}/checkpoint", latest, methods=["GET"]),
        ]
    )


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is too large to be a request."""
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > LARGEST_BODY:
            return None
    return bytes(whole)


def _answer(reply: Reply) -> Response:
    if reply.status == CONFLICT:
        return Response(reply.text, CONFLICT, media_type=None, headers={"content-type": "text/x.tlog.size"})
    return PlainTextResponse(reply.text, reply.status)

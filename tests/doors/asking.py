"""Requests to the doors: by hand, over a socket, and without a network."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from typing import Any

import httpx
from tests.doors.standing import LOCK, NOW, SECRET, Standing

from isthmus.model.incidents import Incident
from isthmus.record import inbox

BEARER = {"authorization": f"Bearer {SECRET}"}


def post(where: tuple[str, int], path: str = "/in/wiz-prod", content: Any = b'{"a":1}', **headers: str) -> httpx.Response:
    sent = {"content-type": "application/json", **BEARER, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.post(f"http://{where[0]}:{where[1]}{path}", content=content, headers=sent, timeout=20, verify=False)  # noqa: S501 - no TLS here; a context costs time


def raw(where: tuple[str, int], head: str, body: bytes = b"") -> bytes:
    """What the server answers, until it closes or 5 s have gone by."""
    with socket.create_connection(where, timeout=5) as connected:
        connected.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return rest(connected)


def rest(connected: socket.socket) -> bytes:
    answer = b""
    try:
        while more := connected.recv(65_536):
            answer += more
    except (TimeoutError, ConnectionResetError):
        pass
    return answer


def head(path: str = "/in/wiz-prod", secret: str = SECRET, kind: str = "application/json", **more: object) -> str:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {secret}", f"Content-Type: {kind}"]
    return "\n".join(lines + [f"{name.replace('_', '-')}: {value}" for name, value in more.items()])


def stored(made: Standing) -> list[bytes]:
    with made.desk.store.reading() as connection:
        return [one.handed.body for one in inbox.waiting(connection, 10_000)]


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["x-request-id"] == response.json()["error"]["request_id"]
    return response.status_code, response.json()["error"]["code"]


class Asked:
    """Requests to the application, without a network in between."""

    def __init__(self, app: Any, origin: str = "http://127.0.0.1", address: str = "192.0.2.1") -> None:
        self._app, self._origin, self._address = app, origin, address

    def __call__(self, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(self._address, 1))
            async with httpx.AsyncClient(transport=transport, base_url=self._origin) as client:
                headers = {**({"authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(asked())


def said(response: httpx.Response) -> str:
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message", "request_id"}
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
    return str(response.json()["error"]["message"])


PLACE = {"ability": LOCK.ability, "target": LOCK.target}
UNTIL = (NOW + timedelta(days=1)).isoformat()
_NUMBERS = iter(range(10_000))


def fresh(made: Standing, requester: str = "isthmus") -> Incident:
    return made.another(f"INC-{next(_NUMBERS):016x}", requester)


def hash_of(incident: Incident) -> str:
    request = incident.steps[0].request
    assert request is not None
    return request.plan_hash

"""The one HTTP client connectors speak through.

What it gives every connector alike: a pinned origin, no redirects, TLS by the system's or a named authority, time
limits, a size limit, retries with a budget and jitter, a rate limit, one log line a call, and no secret in any of it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from isthmus.contracts.tracing import span
from isthmus.contracts.wire import Reply, Secret, still_ours
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.outside import printable
from isthmus.wire.secrets import resolve

LOG = logging.getLogger("isthmus.wire")
_LARGEST_REPLY = 64 * 1024 * 1024
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_AGAIN = frozenset({408, 425, 429})
_SHORTEST_SECRET = 6


class _Later(Unreachable):
    """Worth another try, and when the platform asked for it."""

    def __init__(self, text: str, after: float | None = None) -> None:
        super().__init__(text)
        self.after = after


class WireOutward:
    """What one instance of a connector is handed. Close it when the instance is no longer used.

    `attempts` and `patience` (seconds over all attempts) bound the retries of one request; `timeout` bounds one attempt.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        authority: Path | None = None,
        attempts: int = 4,
        patience: float = 20.0,
        timeout: float = 10.0,
    ) -> None:
        self.now = now
        self._tls = _tls(authority)
        self._limits = attempts, patience, timeout
        self._revealed: set[str] = set()
        self._ways: dict[str, WireHttp] = {}

    def secret(self, reference: str) -> Secret:
        """The secret behind a reference; from now on it is struck out of errors and logs of this instance."""
        found = resolve(reference)
        self.strike(found.reveal())
        return found

    def strike(self, *secrets: str) -> None:
        """These too are struck out from now on; what is too short to be a secret would only garble."""
        self._revealed.update(one for one in secrets if len(one) >= _SHORTEST_SECRET)

    def http(self, origin: str, *, per_second: float = 5.0) -> WireHttp:
        """The way to this origin, always the same one."""
        if origin not in self._ways:
            attempts, patience, timeout = self._limits
            client = httpx.AsyncClient(base_url=origin, verify=self._tls, timeout=timeout, follow_redirects=False)
            self._ways[origin] = WireHttp(client, origin, per_second, (attempts, patience), self._struck_out)
        return self._ways[origin]

    async def close(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            await way.client.aclose()
        self._ways.clear()

    def _struck_out(self, text: str) -> str:
        for secret in self._revealed:
            text = text.replace(secret, "…")
        return printable(text)


def _tls(authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if authority is None else str(authority))
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"certificate authority {authority}: {error.strerror or 'not a PEM file'}") from None


class WireHttp:
    """`contracts.wire.Http` over httpx."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        origin: str,
        per_second: float,
        budget: tuple[int, float],
        struck_out: Callable[[str], str],
    ) -> None:
        self.client = client
        self._origin = origin
        self._pause = 1 / per_second
        self._free_at = 0.0
        self._budget = budget
        self._struck_out = struck_out

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        expect: Sequence[int] = (),
        repeatable: bool | None = None,
    ) -> Reply:
        """As `contracts.wire.Http.request`."""
        try:
            request = self.client.build_request(
                method, self._within(path), params=params, headers=headers, json=json, data=form, content=content
            )
        except httpx.InvalidURL:
            raise Refused(f"{self._origin}: not a path") from None
        may_repeat = method in _REPEATABLE if repeatable is None else repeatable
        attempts, patience = self._budget if may_repeat else (1, self._budget[1])
        try:
            async for attempt in stamina.retry_context(on=_worth_it, attempts=attempts, timeout=patience, wait_initial=0.2):
                with attempt, span("call", method=method, to=self._origin):
                    return await self._once(request, expect)
        except Unreachable as error:
            raise Unreachable(str(error)) from None
        raise Unreachable(self._told(request, "no answer"))

    def _within(self, path: str) -> str:
        """The path, or `Refused` when it leads elsewhere."""
        parts = urlsplit(path)
        if parts.scheme or parts.netloc:
            own = urlsplit(self._origin)
            if (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
                raise Refused(f"{self._origin}: a link of this platform leads to another place; not followed")
        if "\\" in path or any(part in {".", ".."} for part in parts.path.split("/")) or not path.isprintable():
            raise Refused(f"{self._origin}: not a path")
        return path

    async def _once(self, request: httpx.Request, expect: Sequence[int]) -> Reply:
        await self._turn()
        still_ours()
        try:
            answer = await self.client.send(request, stream=True)
            try:
                body = await self._body(answer, request)
            finally:
                await answer.aclose()
        except httpx.TimeoutException:
            raise _Later(self._told(request, "no answer in time")) from None
        except httpx.TransportError as error:
            raise _Later(self._told(request, f"cannot be reached ({type(error).__name__})")) from None
        except (httpx.DecodingError, httpx.InvalidURL):
            raise _Later(self._told(request, "answered with something that is no HTTP")) from None
        LOG.info("%s", self._told(request, str(answer.status_code)))
        return self._judged(request, answer, body, expect)

    async def _turn(self) -> None:
        """Wait until the rate allows one more request."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free_at)
        self._free_at = at + self._pause
        if at > now:
            await asyncio.sleep(at - now)

    async def _body(self, answer: httpx.Response, request: httpx.Request) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _LARGEST_REPLY:
                raise Refused(self._told(request, f"answered with more than {_LARGEST_REPLY} bytes"))
        return bytes(body)

    def _judged(self, request: httpx.Request, answer: httpx.Response, body: bytes, expect: Sequence[int]) -> Reply:
        status = answer.status_code
        if 200 <= status < 300 or status in expect:
            return Reply(status, {name.lower(): value for name, value in answer.headers.items()}, body)
        if status >= 500 or status in _AGAIN:
            raise _Later(self._told(request, f"answered {status}"), _after(answer))
        raise Refused(self._told(request, f"answered {status}{_WHY.get(status, '')}"))

    def _told(self, request: httpx.Request, what: str) -> str:
        return self._struck_out(f"{request.method} {self._origin}{request.url.path[:200]}: {what}")


_WHY = {
    301: " (it has moved; set the origin it moved to)",
    302: " (a redirect, which is not followed)",
    401: " (the credentials are not accepted)",
    403: " (the credentials may not do this)",
    404: " (not there, or not visible with these credentials)",
}


def _after(answer: httpx.Response) -> float | None:
    """Seconds the platform asked us to wait, when it said so in seconds and within reason."""
    value = answer.headers.get("retry-after", "")
    return min(float(value), 60.0) if value.isascii() and value.isdigit() else None


def _worth_it(error: Exception) -> bool | float:
    if isinstance(error, _Later):
        return True if error.after is None else error.after
    return False

"""Access tokens. google-auth says what to ask and signs it; our one `Http` carries it, to origins named here only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import google.auth
from google.auth import aws, identity_pool, transport
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.oauth2 import service_account

from isthmus.connectors.pubsub.config import PubSubConfig
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.errors import IsthmusError, Refused, Unreachable

_SCOPES = ["https://www.googleapis.com/auth/pubsub"]
_GOOGLES = frozenset(
    {
        "https://sts.googleapis.com",
        "https://iamcredentials.googleapis.com",
        "http://metadata.google.internal",
        "http://169.254.169.254",
    }
)
"""Where tokens are given out besides the token origin: workload identity, impersonation, the machine's own metadata."""
_LATER = frozenset({408, 425, 429})
_SAID_NO = tuple(status for status in range(400, 500) if status not in _LATER)
_WRONG = "Google does not give a token for these credentials"


class _Carried(TransportError):
    """An error of ours on its way through google-auth."""

    def __init__(self, error: IsthmusError) -> None:
        super().__init__(str(error))  # type: ignore[no-untyped-call]
        self.error = error


class _Answer(transport.Response):
    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""
        return self._reply.headers

    @property
    def data(self) -> bytes:
        """The body."""
        return self._reply.body


class _Carrier(transport.Request):
    """What google-auth sends with, in a thread of its own, over the `Http` of the loop that started the thread."""

    def __init__(self, config: PubSubConfig, outward: Outward, loop: asyncio.AbstractEventLoop) -> None:
        self._origins = {config.token_origin, *_GOOGLES}
        self._outward, self._loop = outward, loop

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> _Answer:
        """One request, as google-auth asks for it; a success that is no object is an error."""
        del timeout, more
        try:
            reply = asyncio.run_coroutine_threadsafe(self._sent(method, url, body, headers), self._loop).result()
            token = "/token" in urlsplit(url).path
            if token and reply.status < 300 and url.startswith("https:") and not isinstance(reply.json(), dict):
                raise Unreachable("the token endpoint answered with something that is no token")
        except IsthmusError as error:
            raise _Carried(error) from None
        return _Answer(reply)

    async def _sent(self, method: str, url: str, body: bytes | str | None, headers: Mapping[str, str] | None) -> Reply:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._origins:
            raise Refused(f"the credentials lead to {origin[:200]}, where no token is asked for")
        return await self._outward.http(origin).request(
            method,
            parts.path + (f"?{parts.query}" if parts.query else ""),
            headers={name: str(value) for name, value in (headers or {}).items()},
            content=body.encode() if isinstance(body, str) else body,
            expect=_SAID_NO,
            # The machine's metadata is there at once, or this is no machine of Google's.
            repeatable=parts.scheme == "https",
        )


class Tokens:
    """The tokens of one subscription's credentials, renewed before they run out."""

    def __init__(self, config: PubSubConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward
        self._credentials: Credentials | None = None
        self._lock = asyncio.Lock()

    async def bearer(self, spent: str = "") -> str:
        """A valid token; another one than `spent`, which was turned down. Raises `Unreachable` or `Refused`."""
        async with self._lock:
            found = self._credentials
            if found is None or not found.valid or found.token == spent:
                found = await asyncio.to_thread(self._renewed, found, asyncio.get_running_loop())
                self._credentials = found
            return str(found.token)

    def _renewed(self, found: Credentials | None, loop: asyncio.AbstractEventLoop) -> Credentials:
        carrier = _Carrier(self._config, self._outward, loop)
        try:
            made = found or self._looked_for(carrier)
            made.refresh(carrier)
        except _Carried as carried:
            raise carried.error from None
        except TransportError:
            raise Unreachable("Google's credentials: whoever gives them did not answer") from None
        except GoogleAuthError as error:
            # Its text repeats what the endpoint said, which may repeat what was sent.
            raise Refused(f"{_WRONG} ({type(error).__name__})") from None
        if not made.token:
            raise Refused(_WRONG)
        return made

    def _looked_for(self, carrier: _Carrier) -> Any:
        if self._config.credentials is None:
            return google.auth.default(scopes=_SCOPES, request=carrier)[0]
        try:
            given = json.loads(self._outward.secret(self._config.credentials).reveal())
            return _made(given if isinstance(given, dict) else {})
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
            raise Refused(f"secret {self._config.credentials}: is not the JSON of Google credentials") from None


def _made(given: Mapping[str, Any]) -> Credentials:
    """Credentials of the kinds a server has. One that would start a program is not among them."""
    source = given.get("credential_source")
    if given.get("type") == "service_account":
        return service_account.Credentials.from_service_account_info(given, scopes=_SCOPES)  # type: ignore[no-any-return,no-untyped-call]
    if given.get("type") == "external_account" and isinstance(source, dict) and "executable" not in source:
        kind = aws if str(source.get("environment_id", "")).startswith("aws") else identity_pool
        return kind.Credentials.from_info(given, scopes=_SCOPES)  # type: ignore[no-any-return]
    raise ValueError

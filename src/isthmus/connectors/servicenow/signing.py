"""As whom we speak: basic authentication, or an OAuth token that is renewed before it runs out."""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import datetime, timedelta
from typing import Protocol

from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.contracts.wire import Http, Outward, Reply
from isthmus.model.errors import Refused, Unreachable

_EARLY = timedelta(seconds=60)
_TOKEN = re.compile(r"[\x21-\x7e]{8,8192}")
_NOT_GIVEN = (
    "gives no OAuth token (answered {status}); check client_id and client_secret, and that the client-credentials grant "
    "is switched on for this instance"
)


class Signing(Protocol):
    """Makes the Authorization header of a call."""

    async def header(self) -> str: ...
    def forget(self, header: str) -> bool:
        """This header was not accepted. Says whether the next one may be another."""
        ...


class BasicSigning:
    """A user and a password, read again for every call, so that a changed password needs no restart."""

    def __init__(self, config: SnowConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward

    async def header(self) -> str:
        """The header; raises `Refused` when the password cannot be read."""
        password = self._outward.secret(self._config.password or "").reveal()
        return "Basic " + base64.b64encode(f"{self._config.user}:{password}".encode()).decode("ascii")

    def forget(self, header: str) -> bool:
        """The same header would come again."""
        del header
        return False


class TokenSigning:
    """A token from `oauth_token.do` by client credentials, one for all calls at once."""

    def __init__(self, config: SnowConfig, outward: Outward, http: Http) -> None:
        self._config, self._outward, self._http = config, outward, http
        self._header = ""
        self._until: datetime | None = None
        self._asking = asyncio.Lock()

    async def header(self) -> str:
        """The header; raises `Refused` when ServiceNow gives no token, `Unreachable` when it talks nonsense."""
        async with self._asking:
            if not self._header or self._until is None or self._outward.now() >= self._until:
                await self._renew()
            return self._header

    def forget(self, header: str) -> bool:
        """Drop the token, unless another call has already brought a newer one."""
        if header == self._header:
            self._header = ""
        return True

    async def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": self._outward.secret(self._config.client_secret or "").reveal(),
        }
        asked = self._outward.now()
        reply = await self._http.request(
            "POST",
            "/oauth_token.do",
            form=form,
            headers={"accept": "application/json"},
            expect=(400, 401, 403, 404),
            repeatable=True,
        )
        if reply.status >= 400:
            raise Refused(f"{self._config.origin}: {_NOT_GIVEN.format(status=reply.status)}")
        token, seconds = self._read(reply)
        self._header = f"Bearer {token}"
        self._until = asked + max(timedelta(seconds=seconds) - _EARLY, timedelta(seconds=seconds / 2))

    def _read(self, reply: Reply) -> tuple[str, int]:
        said = reply.json()
        token, seconds = (said.get("access_token"), said.get("expires_in", 1800)) if isinstance(said, dict) else (None, None)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not isinstance(seconds, int) or not 0 < seconds < 10**8:
            raise Unreachable(f"{self._config.origin}: answered the request for an OAuth token with something else")
        return token, seconds


def struck_out(text: str, header: str) -> str:
    """The text without what this header gave away, should a platform repeat it."""
    kind, _, credential = header.partition(" ")
    word = base64.b64decode(credential).decode().partition(":")[2] if kind == "Basic" else ""
    for secret in (credential, word):
        text = text.replace(secret, "…") if secret else text
    return text


def signing(config: SnowConfig, outward: Outward, http: Http) -> Signing:
    """What the settings ask for."""
    return BasicSigning(config, outward) if config.user else TokenSigning(config, outward, http)

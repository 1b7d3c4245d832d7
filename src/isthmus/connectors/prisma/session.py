"""A login to Prisma Cloud: one token for CSPM and Compute alike, renewed before it runs out and when it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from isthmus.connectors.prisma.config import PrismaConfig
from isthmus.contracts.wire import Http, Outward, Reply
from isthmus.model.errors import Unreachable

RENEW_AFTER = timedelta(minutes=8)
"""Prisma's pages give the token ten minutes in one place and sixty in another; the reply itself does not say."""

CSPM_PER_SECOND = 5.0
"""The documented rate of `/alert/{id}`, per user."""

_LONGEST_TOKEN = 16_384


class Session:
    """Calls with a token. Safe to share between tasks: one logs in, the others wait for it."""

    def __init__(self, config: PrismaConfig, outward: Outward) -> None:
        self.http: Http = outward.http(config.origin, per_second=CSPM_PER_SECOND)
        self._config = config
        self._outward = outward
        self._token = ""
        self._until = datetime.min.replace(tzinfo=UTC)
        self._one = asyncio.Lock()

    async def get(self, http: Http, path: str, params: Mapping[str, str], expect: Sequence[int]) -> Reply:
        """GET with the token; with a new one, once, when it is answered 401. Raises as `Http.request`."""
        token = await self._valid("")
        reply = await http.request("GET", path, params=params, headers={"x-redlock-auth": token}, expect=(401, *expect))
        if reply.status != 401:
            return reply
        token = await self._valid(token)
        return await http.request("GET", path, params=params, headers={"x-redlock-auth": token}, expect=expect)

    async def _valid(self, refused: str) -> str:
        """The token in hand, or a new one when there is none, it is old, or it is the one that was refused."""
        async with self._one:
            now = self._outward.now()
            if not self._token or self._token == refused or now >= self._until:
                self._token = await self._login()
                self._until = now + RENEW_AFTER
            return self._token

    async def _login(self) -> str:
        who = self._outward.secret(self._config.access_key_id).reveal()
        word = self._outward.secret(self._config.secret_key).reveal()
        # Logging in changes nothing, so it may be repeated although it is a POST.
        reply = await self.http.request("POST", "/login", json={"username": who, "password": word}, repeatable=True)
        answer = reply.json()
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not _fits_a_header(token):
            raise Unreachable("Prisma Cloud answered the login without a token")
        return token


def _fits_a_header(token: str) -> bool:
    return 0 < len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable() and " " not in token

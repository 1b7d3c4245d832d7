"""Speaks to Wiz: tokens, GraphQL with its errors, one alert by its id.

Wiz answers most errors with status 200 and a list of `errors`, each with a code; what is not in our list counts as
passing, so that nothing is dropped for a code we have not met. No text of a reply ever stands in an error of ours.
"""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from isthmus.connectors.wiz.config import WizConfig
from isthmus.connectors.wiz.pull import WizPull
from isthmus.connectors.wiz.queries import LOOKUPS, Lookup
from isthmus.connectors.wiz.replies import Answer, Said, answered, records
from isthmus.connectors.wiz.source import WizSource
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.deliveries import Origin
from isthmus.model.errors import Refused, Unreachable, Untrusted
from isthmus.model.findings import Finding

_PER_SECOND = 3.0
_EARLY = timedelta(minutes=5)
_UNSAID = 300
_LONGEST_TOKEN = 16_384
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_THIS = frozenset({"NOT_FOUND", "BAD_USER_INPUT"})


def connect(config: WizConfig, outward: Outward) -> Roles:
    """An instance of Wiz that can be pulled and asked about one alert. Opens no connection."""
    api = WizApi(config, outward)
    return Roles(pollable=WizPull(config, api, outward.now), refetcher=WizRefetcher(api, outward))


class _Token:
    """The access token of a service account: fetched when needed, renewed before it runs out."""

    def __init__(self, config: WizConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward
        self._http = outward.http(config.token_origin, per_second=_PER_SECOND)
        self._value = ""
        self._renew_at = outward.now()
        self._turn = asyncio.Lock()

    async def bearer(self, spent: str) -> str:
        """A token that is not `spent`, which Wiz has turned down. Several who ask at once share one exchange."""
        async with self._turn:
            if not self._value or self._value == spent or self._outward.now() >= self._renew_at:
                await self._exchange()
            return self._value

    async def _exchange(self) -> None:
        asked = self._outward.now()
        form = {
            "grant_type": "client_credentials",
            "audience": self._config.audience,
            "client_id": self._outward.secret(self._config.client_id).reveal(),
            "client_secret": self._outward.secret(self._config.client_secret).reveal(),
        }
        body = (await self._http.request("POST", "/oauth/token", form=form, repeatable=True)).json()
        self._value, lasts = _token_in(body)
        self._renew_at = asked + max(lasts * 0.9, lasts - _EARLY)


def _token_in(body: Any) -> tuple[str, timedelta]:
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST_TOKEN or not re.fullmatch(r"[!-~]+", token):
        raise Unreachable("Wiz's token endpoint answered without a token")
    lasts = body.get("expires_in")
    known = isinstance(lasts, int | float) and not isinstance(lasts, bool) and 0 <= lasts <= 10**7
    return token, timedelta(seconds=lasts if known else _UNSAID)


class WizApi:
    """GraphQL as one service account."""

    def __init__(self, config: WizConfig, outward: Outward) -> None:
        self._http = outward.http(config.api_origin, per_second=_PER_SECOND)
        self._token = _Token(config, outward)

    async def ask(self, query: str, variables: dict[str, Any]) -> Answer:
        """The `data` of the reply. Raises `Said`, a `Refused`, with Wiz's code where there is no use in asking again."""
        spent = ""
        for _ in range(2):
            spent = await self._token.bearer(spent)
            reply = await self._post(query, variables, spent)
            if reply.status == 401:
                continue
            try:
                return Answer(answered(reply), _moment(reply))
            except Said as error:
                if error.code != "UNAUTHENTICATED":
                    raise
        raise Refused("Wiz turns down the token it has just given; is this the API origin of the same tenant?")

    async def _post(self, query: str, variables: dict[str, Any], token: str) -> Reply:
        # A query reads, so it may be repeated although it is a POST.
        return await self._http.request(
            "POST",
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {token}"},
            expect=(401,),
            repeatable=True,
        )


def _moment(reply: Reply) -> datetime | None:
    """What Wiz's own clock said when it answered."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", ""))
    except (ValueError, TypeError):
        return None


class WizRefetcher:
    """Reads one alert by its id. The id does not say what it is of, so each kind is asked in turn."""

    def __init__(self, api: WizApi, outward: Outward) -> None:
        self._api, self._outward = api, outward

    async def refetch(self, source_id: str) -> tuple[dict[str, Any], ...]:
        """As `contracts.roles.Refetcher`; an id that is no UUID is `Refused` without a call."""
        if not _UUID.fullmatch(source_id):
            raise Refused("not an id of Wiz: its issues, detections and findings have UUIDs")
        closed = []
        for lookup in LOOKUPS:
            try:
                payload = await self._one(lookup, source_id)
            except Said as error:
                if error.code != "UNAUTHORIZED":
                    raise
                closed.append(f"{lookup.title}s")
                continue
            if payload is not None:
                return (payload,)
        hidden = f"; the service account may not read {', '.join(closed)}" if closed else ""
        raise Refused(f"Wiz knows no alert {source_id} that can be read here{hidden}")

    async def _one(self, lookup: Lookup, source_id: str) -> dict[str, Any] | None:
        try:
            answer = await self._api.ask(lookup.query, lookup.variables(source_id))
        except Said as error:
            if error.code in _NOT_THIS:
                return None
            raise
        found = records(answer.data, lookup.root)
        if not found:
            return None
        self._check(found[0], source_id)
        return found[0]

    def _check(self, payload: dict[str, Any], source_id: str) -> None:
        """Refuses a payload that `WizSource` does not read as the alert that was asked for."""
        origin = Origin(received=self._outward.now())
        shape = next(
            (one for one in WizSource.shapes if one.keys <= payload.keys() and (not one.when or one.when(payload))), None
        )
        try:
            claims = list(shape.read(payload, origin)) if shape else []
        except Untrusted as error:
            raise Refused(f"Wiz answered {source_id} with a record that cannot be read: {error}") from None
        if not any(isinstance(claim, Finding) and claim.source_id == source_id for claim in claims):
            raise Refused(f"Wiz answered {source_id} with a record of something else")

"""Pub/Sub as a queue: pulled, held and acknowledged over its REST API."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.connectors.pubsub.config import PubSubConfig
from isthmus.connectors.pubsub.tokens import Tokens
from isthmus.contracts.roles import Message
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.errors import Refused, Unreachable

_PER_SECOND = 50.0
_MOST_ASKED, _ACKS = 1_000, 500
_TIMED_OUT = 504
_EXPECTED = (400, 401, 403, 404, _TIMED_OUT)
_LONGEST_HANDLE = 4_096
_SHORTEST_DEADLINE = timedelta(seconds=10)
"""The least a subscription's own deadline can be: until we hold a message, that is what it has."""
_WHY = {
    400: "does not understand the request; is it a pull subscription?",
    401: "turns down the token it was just given",
    403: "does not let these credentials consume it; give them roles/pubsub.subscriber on it",
    404: "knows no such subscription",
}


class PubSubQueue:
    """As `contracts.roles.Queue`. A message is its data; attributes are not read."""

    def __init__(self, config: PubSubConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward
        self._tokens = Tokens(config, outward)

    @property
    def reads(self) -> str:
        """Whose alerts these are."""
        return self._config.reads

    @property
    def trusted(self) -> bool:
        """Whether the settings vouch for the topic."""
        return self._config.trusted

    @property
    def lease(self) -> timedelta:
        """The shortest acknowledgement deadline a subscription can have."""
        return _SHORTEST_DEADLINE

    async def receive(self, most: int) -> tuple[Message, ...]:
        """One pull. Pub/Sub waits by itself; when we call it off after a while, nothing was there."""
        reply = await self._ask("pull", {"maxMessages": min(most, _MOST_ASKED)}, self._config.wait_seconds)
        if reply.status == _TIMED_OUT:
            return ()
        found = _object(reply).get("receivedMessages") or []
        if not isinstance(found, list):
            raise _nonsense()
        return tuple(_message(one) for one in found)

    async def hold(self, handles: Sequence[str]) -> None:
        """Their deadline begins anew, with `hold_seconds`."""
        for batch in _batches(handles):
            seconds = self._config.hold_seconds
            reply = await self._ask("modifyAckDeadline", {"ackIds": batch, "ackDeadlineSeconds": seconds})
            _unconfirmed(reply, batch)

    async def acknowledge(self, handles: Sequence[str]) -> tuple[str, ...]:
        """Acknowledges them. Pub/Sub confirms those of a subscription with exactly-once delivery one by one, others not."""
        left = [one for one in handles if not _sendable(one)]
        for batch in _batches(handles):
            left += _unconfirmed(await self._ask("acknowledge", {"ackIds": batch}), batch)
        return tuple(left)

    async def _ask(self, verb: str, given: Mapping[str, Any], wait: int | None = None) -> Reply:
        """One call, with a new token when the first is turned down. All of these may be repeated."""
        token = await self._tokens.bearer()
        reply = await self._sent(verb, given, wait, token)
        if reply.status == 401:
            reply = await self._sent(verb, given, wait, await self._tokens.bearer(token))
        named = f"{self._config.api_origin}: Pub/Sub"
        if reply.status == _TIMED_OUT and not (wait is not None and _status(reply) == "DEADLINE_EXCEEDED"):
            raise Unreachable(f"{named} did not answer {verb} in time")
        # What is wrong with single acknowledgements is for the caller to see.
        if reply.status in _WHY and not (reply.status == 400 and _troubled(reply)):
            raise Refused(f"{named} {_WHY[reply.status]} ({verb})")
        return reply

    async def _sent(self, verb: str, given: Mapping[str, Any], wait: int | None, token: str) -> Reply:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        if wait is not None:
            # Google's front ends end the call by themselves then, with 504, before our own patience does.
            headers["x-server-timeout"] = str(max(wait, 1))
        http = self._outward.http(self._config.api_origin, per_second=_PER_SECOND)
        path = f"/v1/{self._config.subscription}:{verb}"
        body = json.dumps({**given, "returnImmediately": True} if wait == 0 else given).encode()
        return await http.request("POST", path, headers=headers, content=body, expect=_EXPECTED, repeatable=True)


def _sendable(handle: str) -> bool:
    return 0 < len(handle) <= _LONGEST_HANDLE and handle.isascii() and handle.isprintable()


def _batches(handles: Sequence[str]) -> list[list[str]]:
    sent = [one for one in handles if _sendable(one)]
    return [sent[start : start + _ACKS] for start in range(0, len(sent), _ACKS)]


def _nonsense() -> Unreachable:
    return Unreachable("answered with something that is not Pub/Sub's")


def _object(reply: Reply) -> Mapping[str, Any]:
    """The answer, which may be entirely empty."""
    said = reply.json() if reply.body.strip() else {}
    if not isinstance(said, dict):
        raise _nonsense()
    return said


def _error(reply: Reply) -> Mapping[str, Any]:
    try:
        error = _object(reply).get("error")
    except Unreachable:
        return {}
    return error if isinstance(error, dict) else {}


def _status(reply: Reply) -> object:
    return _error(reply).get("status")


def _troubled(reply: Reply) -> set[str]:
    """The acknowledgement ids an error is about: `PERMANENT_FAILURE_…` or `TRANSIENT_FAILURE_…` by id."""
    details = _error(reply).get("details")
    told = [one.get("metadata") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return {name for one in told if isinstance(one, dict) for name, why in one.items() if "_FAILURE_" in str(why)}


def _unconfirmed(reply: Reply, batch: Sequence[str]) -> list[str]:
    if reply.status >= 400:
        return [one for one in batch if one in _troubled(reply)]
    _object(reply)
    return []


def _message(raw: Any) -> Message:
    inner = raw.get("message") if isinstance(raw, dict) else None
    handle = raw.get("ackId") if isinstance(raw, dict) else None
    if not isinstance(inner, dict) or not isinstance(handle, str) or not isinstance(inner.get("messageId"), str):
        raise _nonsense()
    return Message(inner["messageId"], _data(inner.get("data", "")), handle, _moment(inner.get("publishTime")))


def _data(data: object) -> bytes:
    """What was published; as it stands where it is no base64, so that it is seen and turned away."""
    try:
        return base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError):
        return str(data).encode("utf-8", "surrogatepass")


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None

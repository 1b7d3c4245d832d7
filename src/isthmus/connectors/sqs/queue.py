"""SQS as a queue: received in batches of ten side by side, acknowledged by deletion."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.connectors.sqs.calls import Sqs
from isthmus.connectors.sqs.config import SqsConfig
from isthmus.contracts.roles import Message
from isthmus.contracts.wire import Outward
from isthmus.model.errors import IsthmusError, Unreachable

_BATCH = 10
_SIDE_BY_SIDE = 9
_ATTEMPTS = 3
_SENT = "SentTimestamp"
_LONGEST_HANDLE = 2_048


class SqsQueue:
    """As `contracts.roles.Queue`. A message that came through SNS is what was published, without SNS's envelope."""

    def __init__(self, config: SqsConfig, outward: Outward) -> None:
        self._config, self._sqs = config, Sqs(config, outward)

    @property
    def reads(self) -> str:
        """Whose alerts these are."""
        return self._config.reads

    @property
    def trusted(self) -> bool:
        """Whether the settings vouch for the queue."""
        return self._config.trusted

    @property
    def lease(self) -> timedelta:
        """The visibility time-out every call asks for."""
        return timedelta(seconds=self._config.visibility_seconds)

    async def receive(self, most: int) -> tuple[Message, ...]:
        """The first call waits; when it comes back full, more are made side by side that do not wait."""
        first = await self._batch(min(most, _BATCH), self._config.wait_seconds)
        calls = min((most - len(first)) // _BATCH, _SIDE_BY_SIDE)
        if len(first) < _BATCH or calls <= 0:
            return first
        more = await asyncio.gather(*(self._batch(_BATCH, 0) for _ in range(calls)), return_exceptions=True)
        return (*first, *_arrived(more))

    async def _batch(self, most: int, wait: int) -> tuple[Message, ...]:
        said = await self._sqs.ask(
            "ReceiveMessage",
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            VisibilityTimeout=self._config.visibility_seconds,
            MessageSystemAttributeNames=[_SENT],
        )
        found = said.get("Messages") or []
        if not isinstance(found, list):
            raise Unreachable("sqs:ReceiveMessage: answered with something that is not SQS's")
        return tuple(_message(one) for one in found)

    async def hold(self, handles: Sequence[str]) -> None:
        """Their visibility time-out begins anew."""
        await self._each("ChangeMessageVisibilityBatch", handles, VisibilityTimeout=self._config.visibility_seconds)

    async def acknowledge(self, handles: Sequence[str]) -> tuple[str, ...]:
        """Deletes them. What SQS failed to delete through no fault of ours is tried again before it is given back."""
        left = tuple(handles)
        for _ in range(_ATTEMPTS):
            left, again = await self._each("DeleteMessageBatch", left)
            if not again:
                break
        return left

    async def _each(self, operation: str, handles: Sequence[str], **given: Any) -> tuple[tuple[str, ...], bool]:
        """In batches of ten side by side. Returns the handles SQS did not confirm, and whether asking again may help."""
        sent = [one for one in handles if 0 < len(one) <= _LONGEST_HANDLE and one.isascii() and one.isprintable()]
        batches = [sent[start : start + _BATCH] for start in range(0, len(sent), _BATCH)]
        said = await asyncio.gather(*(self._entries(operation, batch, given) for batch in batches))
        confirmed = {one for done, _ in said for one in done}
        return tuple(one for one in handles if one not in confirmed), any(again for _, again in said)

    async def _entries(self, operation: str, batch: Sequence[str], given: Mapping[str, Any]) -> tuple[set[str], bool]:
        entries = [{"Id": str(number), "ReceiptHandle": one, **given} for number, one in enumerate(batch)]
        said = await self._sqs.ask(operation, Entries=entries)
        done = {str(one.get("Id")) for one in _rows(said, "Successful")}
        again = any(one.get("SenderFault") is False for one in _rows(said, "Failed"))
        return {one for number, one in enumerate(batch) if str(number) in done}, again


def _rows(said: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = said.get(name)
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _arrived(batches: Sequence[tuple[Message, ...] | BaseException]) -> Iterator[Message]:
    """What arrived. A call that failed beside others loses nothing: what it took comes again."""
    for one in batches:
        if not isinstance(one, BaseException):
            yield from one
        elif not isinstance(one, IsthmusError):
            raise one


def _message(raw: Any) -> Message:
    fields = [raw.get(name) for name in ("MessageId", "Body", "ReceiptHandle")] if isinstance(raw, dict) else []
    own, body, handle = fields if len(fields) == 3 else (None, None, None)
    if not isinstance(own, str) or not isinstance(body, str) or not isinstance(handle, str):
        raise Unreachable("sqs:ReceiveMessage: answered with something that is not SQS's")
    attributes = raw.get("Attributes")
    sent = attributes.get(_SENT) if isinstance(attributes, dict) else None
    return Message(own, _published(body).encode("utf-8", "surrogatepass"), handle, _moment(sent))


def _moment(milliseconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1_000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _published(body: str) -> str:
    """What was published, where this is SNS's envelope: an envelope is new at each attempt, what is in it is not."""
    if '"TopicArn"' not in body:
        return body
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(said, dict) or said.get("Type") != "Notification" or "MessageId" not in said:
        return body
    inner = said.get("Message")
    return inner if isinstance(inner, str) else body

"""A queue in the lab's AWS, filled and looked into by AWS's own client, and our consumers of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from tests.connectors.rigs import whole

from isthmus.lab.cloud import Cloud

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEYS = ("AKIALABLABLABLABLAB1", "the-lab-s-own-secret")
VISIBLE_AGAIN = 2
_HOP = {b"host", b"connection", b"content-length", b"transfer-encoding", b"accept-encoding", b"content-encoding"}
_NUMBERS = itertools.count()
_CODES = {
    429: "ThrottlingException",
    500: "InternalError",
    503: "ServiceUnavailable",
    401: "MissingAuthenticationToken",
    403: "AccessDeniedException",
    404: "QueueDoesNotExist",
}


def coded(scope: Any, sent: bytes, status: int, echo: str) -> tuple[bytes, str]:
    """An error as SQS would write it, with what was sent as its message."""
    del scope, sent
    said = {"__type": f"com.amazonaws.sqs#{_CODES[status]}", "message": echo}
    return json.dumps(said).encode(), "application/x-amz-json-1.0"


class Passing:
    """Passes every request on to moto, over connections that stay open: there are thousands."""

    def __init__(self, origin: str) -> None:
        self._client = httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await whole(receive)
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP]
        answer = await self._client.request(scope["method"], scope["path"], headers=headers, content=body)
        kept = [(name, value) for name, value in answer.headers.raw if name.lower() not in _HOP]
        length = (b"content-length", b"%d" % len(answer.content))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": [*kept, length]})
        await send({"type": "http.response.body", "body": answer.content})


class Line:
    """One queue of its own. Messages come again after two seconds."""

    def __init__(self, cloud: Cloud, **attributes: str) -> None:
        self._cloud = cloud
        self._client = cloud._connected(cloud._session(KEYS, REGION), "sqs")
        name = f"alerts-{next(_NUMBERS)}" + (".fifo" if "FifoQueue" in attributes else "")
        self.url: str = self._client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def config(self, keep: Callable[[str, str], str], **changed: Any) -> dict[str, Any]:
        """Settings for an instance that consumes it; `keep(name, value)` stores a secret and returns its reference."""
        return {
            "queue_url": self.url,
            "region": REGION,
            "reads": "guardduty",
            "access_key_id": keep("sqs-key-id", KEYS[0]),
            "secret_access_key": keep("sqs-key", KEYS[1]),
            "endpoint_url": self._cloud.origin,
            "visibility_seconds": VISIBLE_AGAIN,
            **changed,
        }

    def post(self, body: str, **more: Any) -> None:
        self._client.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def post_all(self, bodies: Sequence[str]) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(number), "MessageBody": one} for number, one in enumerate(bodies[start : start + 10])]
            assert not self._client.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def lapse(self) -> None:
        """Until nobody's visibility time-out stands any more."""
        time.sleep(VISIBLE_AGAIN + 0.1)

    def left(self) -> int:
        """How many messages were not acknowledged."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        said = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(said[name]) for name in names)

    def close(self) -> None:
        self._client.close()

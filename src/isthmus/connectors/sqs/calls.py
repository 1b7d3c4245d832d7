"""Calls to SQS. Botocore writes and signs each request; our one `Http` carries it, so that a long poll holds no thread."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.loaders import create_loader  # type: ignore[import-untyped]
from botocore.model import ServiceModel  # type: ignore[import-untyped]
from botocore.serialize import create_serializer  # type: ignore[import-untyped]

from isthmus.connectors.sqs.config import SqsConfig
from isthmus.connectors.sqs.credentials import Identity
from isthmus.contracts.wire import Outward, Reply
from isthmus.model.errors import IsthmusError, Refused, Unreachable

_PER_SECOND = 100.0
_EXPECTED = (400, 403, 404)
_CODE = re.compile(r"[A-Za-z.]{1,100}")
_LATER_CODES = (
    "ThrottlingException Throttling RequestThrottled RequestThrottledException TooManyRequestsException OverLimit "
    "KmsThrottled InternalError InternalFailure ServiceUnavailable RequestTimeout RequestTimeoutException"
)
_LATER = frozenset(_LATER_CODES.split())
"""Codes that are about now, not about us: asking again later may help."""
_WHY = {
    "QueueDoesNotExist": "there is no such queue in this account and region",
    "AccessDeniedException": "the credentials may not do this; see `isthmus connectors permissions sqs`",
    "InvalidClientTokenId": "AWS does not know the access key",
    "UnrecognizedClientException": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret does not go with the access key, or our clock is wrong",
}


@cache
def _model() -> Any:
    """What AWS itself says of SQS's protocol: read once, as it never changes."""
    return ServiceModel(create_loader().load_service_model("sqs", "service-2"), "sqs")


class Sqs:
    """One queue's way to SQS. Nothing is opened before the first question."""

    def __init__(self, config: SqsConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward
        self._identity = Identity(config, outward)

    async def ask(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """One call; `operation` is AWS's name for it. Raises `Unreachable`, or `Refused` with AWS's code.

        Every operation used here may be repeated: what is received twice comes again, what is deleted is deleted.
        """
        # Credentials may have to be fetched, which waits.
        signed = await asyncio.to_thread(self._signed, operation, parameters)
        http = self._outward.http(self._config.origin, per_second=_PER_SECOND)
        headers, body = dict(signed.headers.items()), signed.body
        reply = await http.request("POST", "/", headers=headers, content=body, expect=_EXPECTED, repeatable=True)
        if reply.status >= 400:
            raise _refusal(operation, reply)
        return _object(reply, operation)

    def _signed(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        model = _model()
        given = {"QueueUrl": self._config.queue_url, **parameters}
        written = create_serializer(model.protocol).serialize_to_request(given, model.operation_model(operation))
        url = f"{self._config.origin}/"
        request = AWSRequest(method=written["method"], url=url, data=written["body"], headers=written["headers"])
        SigV4Auth(self._identity.frozen(), model.signing_name, self._config.region).add_auth(request)
        return request.prepare()


def _object(reply: Reply, operation: str) -> Mapping[str, Any]:
    said = reply.json() if reply.body else {}
    # Without AWS's id of the request a proxy's page would be read as an empty queue.
    if not isinstance(said, dict) or "x-amzn-requestid" not in reply.headers:
        raise Unreachable(f"sqs:{operation}: answered with something that is not SQS's")
    return said


def _refusal(operation: str, reply: Reply) -> IsthmusError:
    """AWS's code, never AWS's message, which may quote what was sent."""
    try:
        said = reply.json()
    except Unreachable:
        said = None
    code = str(said.get("__type", "") if isinstance(said, dict) else "").rpartition("#")[2]
    if not _CODE.fullmatch(code):
        return Refused(f"sqs:{operation}: answered {reply.status}")
    if code in _LATER:
        return Unreachable(f"sqs:{operation}: {code}")
    return Refused(f"sqs:{operation}: {code}" + (f" ({_WHY[code]})" if code in _WHY else ""))

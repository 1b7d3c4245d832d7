"""What AWS's refusals and silences mean for the caller: one place for every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import ParseError

from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name for it
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from isthmus.model.errors import IsthmusError, Refused, Unreachable


class NotAws(HTTPClientError):  # type: ignore[misc]
    """Whoever answered was not AWS: a proxy's page, or half an answer."""

    fmt = "an answer without AWS's request id"


FROM_AWS = (BotoCoreError, ClientError, ResponseParserError, ParseError)
"""Everything a call can raise; the last is what botocore lets through when half an answer of S3 comes."""

_SILENT = (ConnectionError, HTTPClientError, CredentialRetrievalError, MetadataRetrievalError)
"""Nobody answered: neither the call nor, for the last two, our asking for credentials."""

_LATER_CODES = (
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException RequestLimitExceeded "
    "TooManyRequestsException SlowDown BandwidthLimitExceeded EC2ThrottledException PriorRequestNotComplete "
    "TransactionInProgressException RequestTimeout RequestTimeoutException InternalError InternalFailure "
    "ServiceUnavailable ServiceUnavailableException Unavailable ConcurrentModification ConcurrentModificationException "
    "OperationAborted"
)
_LATER = frozenset(_LATER_CODES.split())
"""Codes that are about now, not about us: asking again later may help."""


_OURS = {
    "ProfileNotFound": "the credentials cannot be used: the AWS configuration does not hold this profile",
    "NoCredentialsError": "credentials are missing: neither in the settings nor where AWS's own client looks",
    "PartialCredentialsError": "the credentials are not whole",
}


class Denied(Refused):
    """AWS said no, and which of its codes it gave."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


def only_aws(response_dict: Mapping[str, Any], **_: Any) -> None:
    """For botocore's `before-parse`: raises `NotAws` for a success without the request id that AWS gives every answer.

    Without it a proxy's page that happens to be XML would be read as an empty list, or as a bucket in us-east-1.
    """
    headers, body = response_dict["headers"], response_dict["body"]
    named = any(name in headers for name in ("x-amzn-requestid", "x-amz-request-id"))
    if response_dict["status_code"] < 300 and not named and b"requestid>" not in body.lower():
        raise NotAws


def told(error: Exception, call: str) -> IsthmusError:
    """The error as ours. Its text is the call and AWS's code, never AWS's message, which may quote what was sent."""
    if isinstance(error, ClientError):
        return _answered(error, call)
    name = type(error).__name__
    if isinstance(error, NotAws | ResponseParserError | ParseError):
        return Unreachable(f"{call}: answered something that cannot be read")
    if isinstance(error, _SILENT):
        return Unreachable(f"{call}: AWS did not answer ({name})")
    return Denied(f"{call}: {_OURS.get(name, name)}", name)


def _answered(error: ClientError, call: str) -> IsthmusError:
    code = str(error.response.get("Error", {}).get("Code") or "without a code")[:80]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if not call.endswith(f":{error.operation_name}"):
        call = f"{error.operation_name} (before {call})"
    text = f"{call}: {code}" if code.isprintable() else f"{call}: status {status}"
    if code in _LATER or status == 429 or status >= 500:
        return Unreachable(text)
    return Denied(text, code)

"""What a connector is handed to speak to its platform, so that it needs no network, environment or clock of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict

from isthmus.model.errors import Unreachable

_REFERENCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*)")
_ORIGIN = re.compile(r"https://[a-z0-9.-]+(?::\d{1,5})?|http://(?:127\.0\.0\.1|localhost)(?::\d{1,5})?")


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("must be a reference, env:NAME or file:/path, never the secret itself")
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("must be an https origin without path, such as https://api.example.com")
    return value


SecretRef = Annotated[str, AfterValidator(_reference)]
"""Where a secret lies: `env:NAME` or `file:/path`. Settings never hold the secret itself."""

OriginUrl = Annotated[str, AfterValidator(_origin)]
"""Scheme, host and port of a platform, nothing more."""


_OURS: ContextVar[Callable[[], None] | None] = ContextVar("ours", default=None)


@contextmanager
def fenced(ours: Callable[[], None]) -> Iterator[None]:
    """Whatever is sent within is sent only while `ours` raises nothing: a worker that slept sends nothing any more."""
    token = _OURS.set(ours)
    try:
        yield
    finally:
        _OURS.reset(token)


def still_ours() -> None:
    """Asked by whatever sends, right before it does. Raises what `fenced` was given raises; outside of it nothing."""
    ours = _OURS.get()
    if ours is not None:
        ours()


class ConnectorConfig(BaseModel):
    """What one instance of a connector needs to know. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Secret:
    """A secret in hand. It cannot be printed, compared, pickled or serialised; `reveal` is for the call that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not written down")


@dataclass(frozen=True, slots=True)
class Reply:
    """A platform's answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises `Unreachable` when it is none: a platform that talks nonsense is a platform that is ill."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unreachable(f"answered {self.status} with something that is not JSON") from None


class Http(Protocol):
    """The one way to a platform: origin pinned, time limits, retries with a budget, rate limit, redaction, a log of calls."""

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
        """Send, and return any 2xx or a status in `expect`.

        429, 5xx, time-outs and broken connections are retried when `repeatable` (by default GET, HEAD, PUT and DELETE),
        then `Unreachable`; every other status is `Refused`. A path that leads to another origin is `Refused`; redirects
        are not followed. Secrets handed out by `Outward.secret` never stand in an error or a log line.
        """
        ...


class Outward(Protocol):
    """What `connect` is handed."""

    def http(self, origin: str, *, per_second: float = 5.0) -> Http:
        """A way to this origin, shared by whoever asks for it within one instance."""
        ...

    def secret(self, reference: str) -> Secret:
        """The secret behind a reference, read now. Raises `Refused` naming the reference when there is none."""
        ...

    def now(self) -> datetime:
        """The present, UTC: for tokens that run out, never for deciding."""
        ...

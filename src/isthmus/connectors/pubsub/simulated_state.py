"""What a small Pub/Sub holds: topics, subscriptions, messages that were not acknowledged, and who has them for how long."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

_BEGAN = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
_LONGEST_DEADLINE = 600


class Wrong(Exception):
    """An error Pub/Sub would answer with; `details` are by acknowledgement id."""

    def __init__(self, code: int, status: str, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.details = code, status, details or {}


@dataclass
class Subscription:
    """A pull subscription and what is still to be consumed, by message id. `exactly` is exactly-once delivery."""

    topic: str
    deadline: int = 10
    exactly: bool = False
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lease:
    """Who was given which message, until when by the platform's clock."""

    subscription: str
    message: str
    until: float


class PubSubState:
    """Everything, without HTTP. `skip` lets seconds pass; there is no other clock to wait for."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.subscriptions: dict[str, Subscription] = {}
        # Acknowledgement ids are tokens: who holds what is no state of the messages.
        self.lease_tokens: dict[str, Lease] = {}
        self._clock_token = 0.0
        self._numbers = 4_000_000

    def skip(self, seconds: float) -> None:
        """From now on it is that much later."""
        self._clock_token += seconds

    def _now(self) -> float:
        return time.monotonic() + self._clock_token

    def publish(self, topic: str, messages: Sequence[dict[str, Any]]) -> list[str]:
        """Into every subscription of the topic."""
        if topic not in self.topics:
            raise Wrong(404, "NOT_FOUND", "Resource not found (resource=topic).")
        if any(not one.get("data") and not one.get("attributes") for one in messages):
            raise Wrong(400, "INVALID_ARGUMENT", "One or more messages in the publish request is empty.")
        given = []
        for one in messages:
            self._numbers += 1
            stamp = (_BEGAN + timedelta(seconds=self._numbers - 4_000_000)).strftime("%Y-%m-%dT%H:%M:%S.123Z")
            whole = {**one, "messageId": str(self._numbers), "publishTime": stamp}
            for each in self.subscriptions.values():
                if each.topic == topic:
                    each.messages[whole["messageId"]] = whole
            given.append(whole["messageId"])
        return given

    def pull(self, name: str, most: int) -> list[dict[str, Any]]:
        """Up to `most` messages nobody holds; from now on the caller does, for the subscription's deadline."""
        mine, now = self.subscription(name), self._now()
        self.lease_tokens = {own: one for own, one in self.lease_tokens.items() if one.until > now or not mine.exactly}
        held = {one.message for one in self.lease_tokens.values() if one.subscription == name and one.until > now}
        found: list[dict[str, Any]] = []
        for own, message in list(mine.messages.items()):
            if own not in held and len(found) < most:
                token = secrets.token_urlsafe(130)
                self.lease_tokens[token] = Lease(name, own, now + mine.deadline)
                found.append({"ackId": token, "message": message})
        return found

    def acknowledge(self, name: str, tokens: Sequence[str]) -> None:
        """Late or twice is no error, but where delivery is exactly once."""
        mine = self.subscription(name)
        for one in self._known(name, mine, tokens):
            lease = self.lease_tokens[one]
            if lease.until > self._now() or self._latest(lease) == one:
                mine.messages.pop(lease.message, None)
            if mine.exactly:
                del self.lease_tokens[one]

    def extend(self, name: str, tokens: Sequence[str], seconds: int) -> None:
        """Their deadline begins anew; with 0 they are given back."""
        if not 0 <= seconds <= _LONGEST_DEADLINE:
            raise Wrong(400, "INVALID_ARGUMENT", "The ack deadline must be between 0 and 600 seconds.")
        for one in self._known(name, self.subscription(name), tokens):
            lease = self.lease_tokens[one]
            if lease.until > self._now():
                self.lease_tokens[one] = Lease(name, lease.message, self._now() + seconds)

    def subscription(self, name: str) -> Subscription:
        """The one of this name."""
        if name not in self.subscriptions:
            raise Wrong(404, "NOT_FOUND", "Resource not found (resource=subscription).")
        return self.subscriptions[name]

    def _latest(self, lease: Lease) -> str:
        return [own for own, one in self.lease_tokens.items() if one.message == lease.message][-1]

    def _known(self, name: str, mine: Subscription, tokens: Sequence[str]) -> list[str]:
        known = [one for one in tokens if one in self.lease_tokens and self.lease_tokens[one].subscription == name]
        strange = [one for one in tokens if one not in known]
        if strange and mine.exactly:
            for one in known:
                mine.messages.pop(self.lease_tokens[one].message, None)
            failed = dict.fromkeys(strange, "PERMANENT_FAILURE_INVALID_ACK_ID")
            raise Wrong(400, "FAILED_PRECONDITION", "Some acknowledgement ids in the request were invalid.", failed)
        if strange or not tokens:
            raise Wrong(400, "INVALID_ARGUMENT", "You have passed an invalid ack ID to the service (ack_id=…).")
        return known

"""Pub/Sub as a server: tokens for signed assertions, the REST calls of publishers and consumers, Google's errors."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isthmus.connectors.pubsub.simulated_state import PubSubState, Subscription, Wrong

TOPIC, SUBSCRIPTION = "projects/tidewater/topics/findings", "projects/tidewater/subscriptions/isthmus"
_ACCOUNT = "isthmus@tidewater.iam.gserviceaccount.com"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = frozenset({"https://www.googleapis.com/auth/pubsub", "https://www.googleapis.com/auth/cloud-platform"})
_AUDIENCE = "https://oauth2.googleapis.com/token"
"""What Google's clients address an assertion to, wherever they send it."""
_TICK, _LONGEST_WAIT = 0.02, 1.0


@cache
def _key() -> rsa.RSAPrivateKey:
    """Made once: no two tests need different ones."""
    return rsa.generate_private_key(65_537, 2_048)


class SimulatedPubSub:
    """Pub/Sub, small: one topic with one subscription to begin with. `state` holds it; `hidden` are subscriptions these
    credentials may not consume. `expire` ends every token given out so far.
    """

    def __init__(self) -> None:
        self.app = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route("/v1/{name:path}", self._call, methods=["GET", "PUT", "POST"]),
            ]
        )
        self.state = PubSubState()
        self.state.topics.add(TOPIC)
        self.state.subscriptions[SUBSCRIPTION] = Subscription(TOPIC)
        self.hidden: set[str] = set()
        self.tokens: set[str] = set()

    def config(self, origin: str, secrets: Callable[[str, str], str]) -> dict[str, Any]:
        """As `contracts.roles.Simulated.config`; one origin plays both the API's and the token endpoint's."""
        return {
            "subscription": SUBSCRIPTION,
            "reads": "scc",
            "api_origin": origin,
            "token_origin": origin,
            "credentials": secrets("pubsub-account", json.dumps(self.account(origin))),
            "wait_seconds": 0,
        }

    def account(self, origin: str) -> dict[str, str]:
        """A service account's key, as Google gives it to download."""
        form, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = _key().private_bytes(form, private, serialization.NoEncryption()).decode()
        own = {"type": "service_account", "project_id": "tidewater", "client_email": _ACCOUNT, "private_key_id": "7d11"}
        return {**own, "private_key": pem, "token_uri": f"{origin}/token"}

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        """Publish this alert."""
        del at
        self.post(json.dumps(payload))

    def post(self, body: str) -> None:
        """Publish a message."""
        self.state.publish(TOPIC, [{"data": base64.b64encode(body.encode()).decode()}])

    def lapse(self) -> None:
        """Every deadline passes."""
        self.state.skip(601)

    def expire(self) -> None:
        """End every token."""
        self.tokens.clear()

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        public = _key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = jwt.decode(form.get("assertion", ""), public, audience=_AUDIENCE)  # type: ignore[no-untyped-call]
        except (ValueError, GoogleAuthError):
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        scopes = set(str(claims.get("scope", "")).split())
        if form.get("grant_type") != _GRANT or claims.get("iss") != _ACCOUNT or not scopes & _SCOPES:
            return JSONResponse({"error": "unauthorized_client"}, 401)
        token = f"ya29.{secrets.token_urlsafe(60)}"
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def _call(self, request: Request) -> Response:
        name, _, verb = request.path_params["name"].partition(":")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme != "Bearer" or token not in self.tokens:
                raise Wrong(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            if name in self.hidden:
                raise Wrong(403, "PERMISSION_DENIED", "User not authorized to perform this action.")
            body = await request.body()
            given = json.loads(body) if body else {}
            if not isinstance(given, dict):
                raise Wrong(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
            return JSONResponse(await self._answer(f"{request.method} {verb}".strip(), name, given, request))
        except ValueError:
            return _told(Wrong(400, "INVALID_ARGUMENT", "Invalid JSON payload received."))
        except Wrong as error:
            return _told(error)

    async def _answer(self, verb: str, name: str, given: dict[str, Any], request: Request) -> dict[str, Any]:
        match verb:
            case "POST pull":
                return await self._pull(name, given, request.headers.get("x-server-timeout"))
            case "POST acknowledge":
                self.state.acknowledge(name, _words(given))
            case "POST modifyAckDeadline":
                self.state.extend(name, _words(given), int(given.get("ackDeadlineSeconds", 0)))
            case "POST publish":
                return {"messageIds": self.state.publish(name, given.get("messages") or [])}
            case "GET":
                return self._shown(name)
            case "PUT":
                return self._made(name, given)
            case _:
                raise Wrong(404, "NOT_FOUND", "Not found.")
        return {}

    async def _pull(self, name: str, given: dict[str, Any], deadline: str | None) -> dict[str, Any]:
        most = given.get("maxMessages")
        if not isinstance(most, int) or most < 1:
            raise Wrong(400, "INVALID_ARGUMENT", "max_messages must be positive.")
        patience = 0.0 if given.get("returnImmediately") else float(deadline or _LONGEST_WAIT)
        found = self.state.pull(name, most)
        while not found and patience > 0:
            await asyncio.sleep(_TICK)
            patience -= _TICK
            found = self.state.pull(name, most)
        if not found and deadline is not None and not given.get("returnImmediately"):
            raise Wrong(504, "DEADLINE_EXCEEDED", "Deadline exceeded.")
        return {"receivedMessages": found} if found else {}

    def _made(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """A topic or a subscription."""
        if "/topics/" in name:
            self.state.topics.add(name)
            return {"name": name}
        if given.get("topic") not in self.state.topics:
            raise Wrong(404, "NOT_FOUND", "Resource not found (resource=topic).")
        if name in self.state.subscriptions:
            raise Wrong(409, "ALREADY_EXISTS", "Resource already exists in the project (resource=subscription).")
        exactly = bool(given.get("enableExactlyOnceDelivery"))
        self.state.subscriptions[name] = Subscription(given["topic"], int(given.get("ackDeadlineSeconds") or 10), exactly)
        return self._shown(name)

    def _shown(self, name: str) -> dict[str, Any]:
        one = self.state.subscription(name)
        shown = {"name": name, "topic": one.topic, "pushConfig": {}, "ackDeadlineSeconds": one.deadline}
        return {**shown, "enableExactlyOnceDelivery": one.exactly, "state": "ACTIVE"}


def _words(given: dict[str, Any]) -> list[str]:
    found = given.get("ackIds") or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Wrong(400, "INVALID_ARGUMENT", "Invalid value at 'ack_ids'.")
    return found


def _told(error: Wrong) -> Response:
    inner: dict[str, Any] = {"code": error.code, "message": str(error), "status": error.status}
    if error.details:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        inner["details"] = [{"@type": kind, "reason": "INVALID", "domain": "pubsub.googleapis.com", "metadata": error.details}]
    return JSONResponse({"error": inner}, error.code)

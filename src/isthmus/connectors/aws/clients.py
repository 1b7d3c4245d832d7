"""The way to one AWS account: botocore's clients, made on first use, and the account behind the credentials checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from threading import RLock
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.credentials import (  # type: ignore[import-untyped]
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.loaders import create_loader  # type: ignore[import-untyped]
from botocore.session import Session as BotocoreSession  # type: ignore[import-untyped]

from isthmus.connectors.aws.config import AwsConfig
from isthmus.connectors.aws.errors import FROM_AWS, only_aws, told
from isthmus.contracts.wire import Outward, still_ours
from isthmus.model.errors import Refused

_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 15, 3
_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost)(?::\d+)?")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who we are for AWS: the ARN `sts:GetCallerIdentity` gave."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.arn.split(":")[1]


@cache
def _models() -> Any:
    """What botocore knows of AWS's services: read once for all accounts, as it is large and never changes."""
    return create_loader()


def _session(profile: str | None) -> Any:
    session = BotocoreSession(profile=profile)
    session.register_component("data_loader", _models())
    session.register("before-parse", only_aws)
    return session


class _GivenRole:
    """The role of our settings as the first provider of botocore's chain; botocore renews its session by itself."""

    METHOD = "isthmus-role"
    CANONICAL_NAME = "IsthmusRole"

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load(self) -> Any:
        """What the chain takes."""
        return self._credentials


class Aws:
    """One account as its settings say. Nothing is opened before the first question; threads may ask at once."""

    def __init__(self, config: AwsConfig, outward: Outward) -> None:
        self.config = config
        self._outward = outward
        self._lock = RLock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._caller: Caller | None = None

    def ask(self, service: str, operation: str, region: str = "", **parameters: Any) -> Mapping[str, Any]:
        """One call; `operation` is botocore's name for it. Raises `Unreachable`, or `Denied` with AWS's code."""
        call = self._named(service, operation)
        try:
            answer: Mapping[str, Any] = getattr(self._client(service, region), operation)(**parameters)
        except FROM_AWS as error:
            raise told(error, call) from None
        return answer

    def ask_all(self, service: str, operation: str, region: str = "", **parameters: Any) -> Mapping[str, Any]:
        """The same with every page read."""
        call = self._named(service, operation)
        try:
            pages = self._client(service, region).get_paginator(operation).paginate(**parameters)
            answer: Mapping[str, Any] = pages.build_full_result()
        except FROM_AWS as error:
            raise told(error, call) from None
        return answer

    def caller(self) -> Caller:
        """Who we are. Raises `Refused` when the credentials are of another account than the settings say."""
        with self._lock:
            if self._caller is None:
                said = self.ask("sts", "get_caller_identity")
                found = Caller(said["Account"], said["Arn"])
                if found.account != self.config.account:
                    raise Refused(f"the credentials are of account {found.account}, the settings of {self.config.account}")
                self._caller = found
            return self._caller

    def _named(self, service: str, operation: str) -> str:
        return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"

    def _client(self, service: str, region: str) -> Any:
        if service != "sts":
            self.caller()
        where = region or self.config.regions[0]
        with self._lock:
            if (service, where) not in self._clients:
                self._clients[service, where] = self._opened(service, where)
            return self._clients[service, where]

    def _opened(self, service: str, region: str) -> Any:
        if self._session is None:
            self._session = boto3.session.Session(botocore_session=self._signed_in())
        own = self.config.endpoint_url
        client = self._session.client(service, region_name=region, endpoint_url=own, config=self._limits())
        client.meta.events.register("before-send", lambda **_: still_ours())
        return client

    def _limits(self) -> Any:
        """Time limits and few retries; an environment variable does not lead us to another endpoint."""
        own = self.config.endpoint_url
        return Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            user_agent_extra="isthmus",
            ignore_configured_endpoint_urls=True,
            proxies={} if own and _LOOPBACK.fullmatch(own) else None,
            s3={"addressing_style": "path"} if own else None,
        )

    def _signed_in(self) -> Any:
        """A botocore session that has our credentials, and only ours where the settings name any."""
        config, session = self.config, _session(self.config.profile)
        if config.access_key_id and config.secret_access_key:
            pair = [self._outward.secret(one).reveal() for one in (config.access_key_id, config.secret_access_key)]
            session.set_credentials(*pair)
        if config.role_arn is None:
            return session
        assumed = _session(config.profile)
        provider = _GivenRole(self._role(session, session.get_credentials()))
        assumed.get_component("credential_provider").insert_before("env", provider)
        return assumed

    def _role(self, session: Any, source: Credentials) -> Any:
        if source is None:
            raise Refused("there are no AWS credentials to assume the role with")
        extra = {"RoleSessionName": "isthmus"}
        if self.config.external_id:
            extra["ExternalId"] = self._outward.secret(self.config.external_id).reveal()
        own, where = self.config.endpoint_url, self.config.regions[0]
        opener = partial(session.create_client, region_name=where, endpoint_url=own, config=self._limits())
        fetcher = AssumeRoleCredentialFetcher(opener, source, self.config.role_arn, extra_args=extra)
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "isthmus-role")

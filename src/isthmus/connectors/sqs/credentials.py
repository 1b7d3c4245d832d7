"""Who we are for AWS: found, assumed and renewed by botocore. All of it may wait for the network: call it in a thread."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import Any

from botocore.config import Config  # type: ignore[import-untyped]
from botocore.credentials import (  # type: ignore[import-untyped]
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name for it
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.session import Session  # type: ignore[import-untyped]

from isthmus.connectors.sqs.config import SqsConfig
from isthmus.contracts.wire import Outward
from isthmus.model.errors import IsthmusError, Refused, Unreachable

_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 10, 3
_SILENT = (ConnectionError, HTTPClientError, CredentialRetrievalError, MetadataRetrievalError)


class Identity:
    """The credentials of one queue. Nothing is looked for before the first question; threads may ask at once."""

    def __init__(self, config: SqsConfig, outward: Outward) -> None:
        self._config, self._outward = config, outward
        self._lock = Lock()
        self._found: Any = None

    def frozen(self) -> Any:
        """Keys that are valid now, as botocore's signers take them. Raises `Unreachable` or `Refused`."""
        try:
            with self._lock:
                if self._found is None:
                    self._found = self._looked_for()
                return self._found.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise _told(error) from None

    def _looked_for(self) -> Any:
        config, session = self._config, Session(profile=self._config.profile)
        if config.access_key_id and config.secret_access_key:
            session.set_credentials(*(self._outward.secret(one).reveal() for one in _pair(config)))
        found = session.get_credentials()
        if found is None:
            raise Refused("AWS credentials are missing: neither in the settings nor where AWS's own client looks")
        return found if config.role_arn is None else self._assumed(session, found)

    def _assumed(self, session: Any, source: Any) -> Any:
        limits = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            ignore_configured_endpoint_urls=True,
        )
        extra = {"RoleSessionName": "isthmus"}
        if self._config.external_id:
            extra["ExternalId"] = self._outward.secret(self._config.external_id).reveal()
        own, where = self._config.sts_endpoint_url, self._config.region
        opener = partial(session.create_client, region_name=where, endpoint_url=own, config=limits)
        fetcher = AssumeRoleCredentialFetcher(opener, source, self._config.role_arn, extra_args=extra)
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "isthmus-role")


def _pair(config: SqsConfig) -> tuple[str, str]:
    return config.access_key_id or "", config.secret_access_key or ""


def _told(error: Exception) -> IsthmusError:
    """The error as ours, without AWS's message, which may quote what was sent."""
    name = type(error).__name__
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"AWS credentials: assuming the role was answered {status}"
        return Unreachable(text) if status == 429 or status >= 500 else Refused(text)
    if isinstance(error, _SILENT):
        return Unreachable(f"AWS credentials: whoever gives them did not answer ({name})")
    return Refused(f"AWS credentials cannot be used ({name})")

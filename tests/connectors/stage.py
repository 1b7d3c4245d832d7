"""Where promises are run: one town with one server for all platforms, and one AWS for those that speak to AWS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

import httpx
from tests.connectors.aws_account import HOME, Account, allowing, blocks
from tests.connectors.rigs import Body, Front, Rig, SimulatedRig, whole
from tests.connectors.sqs_queue import Line, coded
from tests.doors.standing import serving

from isthmus.connectors.aws import clients
from isthmus.contracts.connector import Connector
from isthmus.contracts.rig import Scene
from isthmus.contracts.roles import Roles
from isthmus.lab.cloud import Cloud
from isthmus.lab.servers import Faults, Town, _Faulty
from isthmus.model.errors import Refused
from isthmus.model.plans import Action

_READS = ("Get", "Describe", "List", "AssumeRole")
_HOP = {b"host", b"connection", b"content-length", b"transfer-encoding"}
_CODES = {
    429: ("RequestLimitExceeded", "Throttling", "SlowDown"),
    500: ("InternalError", "InternalFailure", "InternalError"),
    503: ("Unavailable", "ServiceUnavailable", "ServiceUnavailable"),
    401: ("AuthFailure", "InvalidClientTokenId", "InvalidAccessKeyId"),
    403: ("UnauthorizedOperation", "AccessDenied", "AccessDenied"),
    404: ("InvalidInstanceID.NotFound", "NoSuchEntity", "NoSuchBucket"),
}
"""What AWS calls it: EC2, the query services (IAM, STS), S3."""


class Stage:
    """Opened once; every test gets a rig of its own on it."""

    def __init__(self, town: Town) -> None:
        self.town, self.front = town, Front(town.serve)
        self._running = ExitStack()

    @cached_property
    def cloud(self) -> Cloud:
        return self._running.enter_context(Cloud())

    @cached_property
    def aws(self) -> Front:
        """AWS's own client leaves connections open, so the front of AWS is spoken to without TLS."""
        return Front(self._without_tls)

    def _without_tls(self, app: Any, faults: Faults) -> str:
        host, port = self._running.enter_context(serving(_Faulty(app, faults)))
        return f"http://{host}:{port}"

    @contextmanager
    def rig(self, connector: Connector, folder: Path) -> Iterator[Any]:
        """A platform that holds nothing yet, found by the connector alone."""
        made = RIGS.get(connector.name)
        rig = made(self, connector, folder) if made else SimulatedRig(connector, self.town, self.front, folder)
        try:
            yield rig
        finally:
            rig.close()

    def close(self) -> None:
        self._running.close()


class AwsRig(Rig):
    """Before moto, behind a front that speaks AWS's errors. `HOME` is the account."""

    def __init__(self, stage: Stage, connector: Connector, folder: Path) -> None:
        super().__init__(connector, stage.town, stage.aws, folder)
        self._account = Account(stage.cloud)
        self._between = Between(stage.cloud.origin)
        stage.aws.show(self._between, wrong)
        own = stage.cloud.config(HOME.id, self.keep)
        self.settings = own | {
            "endpoint_url": stage.aws.origin,
            "external_id": self.keep("lab-external-id", "tidewater-7d11"),
        }

    @asynccontextmanager
    async def connected(self, patience: float = 10.0, attempts: int = 1, **changed: Any) -> AsyncIterator[Roles]:
        with patch.multiple(clients, _READ_SECONDS=patience, _ATTEMPTS=attempts):
            async with super().connected(patience, attempts, **changed) as roles:
                yield roles

    def state(self) -> Any:
        return self._account.state()

    def writes(self) -> int | None:
        return self._between.writes

    def hold(self, payload: dict[str, Any], at: datetime) -> None:
        raise Refused("AWS, as it is connected here, tells of no alerts")

    def scenes(self, ability: str) -> Sequence[Scene]:
        return SCENES[ability](self._account)


class Between:
    """Passes every request on to moto, and counts those that may change something."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.writes = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await whole(receive)
        self.writes += _may_write(scope, body)
        url = self._origin + scope["raw_path"].decode() + ("?" + scope["query_string"].decode()).rstrip("?")
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP]
        # No TLS on the way to moto; a context for it would cost more than the call.
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=30) as client:  # noqa: S501
            answer = await client.request(scope["method"], url, headers=headers, content=body)
        kept = [(name, value) for name, value in answer.headers.raw if name.lower() not in _HOP | {b"content-encoding"}]
        length = (b"content-length", b"%d" % len(answer.content))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": [*kept, length]})
        await send({"type": "http.response.body", "body": answer.content})


def _action(body: bytes) -> str:
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]


def _may_write(scope: Any, body: bytes) -> bool:
    action = _action(body)
    return not action.startswith(_READS) if action else scope["method"] not in {"GET", "HEAD"}


def wrong(scope: Any, sent: bytes, status: int, echo: str) -> Body:
    """An error as the service that was asked would write it, with what was sent as its message."""
    message = echo.replace("&", "&amp;").replace("<", "&lt;")
    ec2, query, s3 = _CODES[status]
    signed = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), "")
    if "/ec2/" in signed:
        text = f"<Response><Errors><Error><Code>{ec2}</Code><Message>{message}</Message></Error></Errors></Response>"
    elif _action(sent):
        text = f"<ErrorResponse><Error><Code>{query}</Code><Message>{message}</Message></Error></ErrorResponse>"
    else:
        text = f"<Error><Code>{s3}</Code><Message>{message}</Message></Error>"
    return text.encode(), "text/xml"


def _do(ability: str, target: str) -> Action:
    return Action(ability, target, {"account": HOME.id, "region": HOME.region}, 1)


def _isolating(account: Account) -> Sequence[Scene]:
    def one_interface() -> str:
        vpc, net = account.vpc()
        return account.instance((net, [account.group(vpc)]))

    def meddle(action: Action) -> None:
        filters = [{"Name": "attachment.instance-id", "Values": [action.target]}]
        first = account.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"][0]
        own = {"NetworkInterfaceId": first["NetworkInterfaceId"], "Groups": [account.group(first["VpcId"])]}
        account.ec2.modify_network_interface_attribute(**own)

    name = "aws.isolate_instance"
    return (
        Scene("an instance with one interface", lambda: _do(name, one_interface()), meddle),
        Scene("an instance with two interfaces in different groups", lambda: _do(name, account.host()[0]), meddle),
    )


def _deactivating(account: Account) -> Sequence[Scene]:
    def second() -> str:
        key: str = account.iam.create_access_key(UserName=account.key("Inactive")[0])["AccessKey"]["AccessKeyId"]
        return key

    def meddle(action: Action) -> None:
        user = account.iam.get_access_key_last_used(AccessKeyId=action.target)["UserName"]
        account.iam.delete_access_key(UserName=user, AccessKeyId=action.target)

    name = "aws.deactivate_access_key"
    return (
        Scene("a user's only key", lambda: _do(name, account.key()[1]), meddle),
        Scene("a user's second key, the first being inactive", lambda: _do(name, second()), meddle),
    )


def _blocking(account: Account) -> Sequence[Scene]:
    def meddle(action: Action) -> None:
        theirs = blocks("BlockPublicPolicy")
        account.s3.put_public_access_block(Bucket=action.target, PublicAccessBlockConfiguration=theirs)

    name, partly = "aws.block_public_access", blocks("BlockPublicAcls", "IgnorePublicAcls")
    return (
        Scene("a bucket without the setting", lambda: _do(name, account.bucket()), meddle),
        Scene("a bucket with some blocks on", lambda: _do(name, account.bucket(partly)), meddle),
    )


def _quarantining(account: Account) -> Sequence[Scene]:
    def meddle(action: Action) -> None:
        theirs = allowing(action.target, "arn:aws:iam::111122223333:root", "Others")
        account.s3.put_bucket_policy(Bucket=action.target, Policy=json.dumps(theirs))

    name, partly = "aws.quarantine_bucket", blocks("BlockPublicAcls")
    return (
        Scene("a bucket without a policy", lambda: _do(name, account.bucket()), meddle),
        Scene("a bucket with a policy and some blocks", lambda: _do(name, account.bucket(partly, allowing())), meddle),
    )


SCENES = {
    "aws.isolate_instance": _isolating,
    "aws.deactivate_access_key": _deactivating,
    "aws.block_public_access": _blocking,
    "aws.quarantine_bucket": _quarantining,
}


class SqsRig(Rig):
    """Before moto's SQS, behind a front that speaks SQS's errors; one queue, which AWS's own client fills."""

    def __init__(self, stage: Stage, connector: Connector, folder: Path) -> None:
        super().__init__(connector, stage.town, stage.aws, folder)
        self._line = Line(stage.cloud)
        stage.aws.show(Between(stage.cloud.origin), coded)
        self.settings = self._line.config(self.keep, endpoint_url=stage.aws.origin, wait_seconds=0)

    def state(self) -> Any:
        return self._line.left()

    def post(self, body: str) -> None:
        self._line.post(body)

    def lapse(self) -> None:
        self._line.lapse()


RIGS: Mapping[str, type[AwsRig | SqsRig]] = {"aws": AwsRig, "sqs": SqsRig}
"""Rigs for platforms that are not simulated by us: an existing emulator stands in. Everything else is found by itself."""

"""What is believed of SQS's answers, and which settings and credentials are refused."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.connectors.sqs_queue import ACCOUNT, KEYS

from isthmus.connectors.sqs.config import SqsConfig
from isthmus.connectors.sqs.queue import SqsQueue
from isthmus.contracts.wire import Reply, Secret
from isthmus.model.errors import IsthmusError, Refused, Unreachable

URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/alerts"


class Scripted:
    """A way out that answers what it is told to, and keeps what it was sent."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self._answers = list(answers)
        self.sent: list[dict[str, Any]] = []
        self.named = True

    def http(self, origin: str, *, per_second: float = 5.0) -> Any:
        return self

    def secret(self, reference: str) -> Secret:
        return Secret(KEYS[0] if "id" in reference else KEYS[1])

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC)

    async def request(self, method: str, path: str, **more: Any) -> Reply:
        self.sent.append(json.loads(more["content"]))
        status, said = self._answers.pop(0)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return Reply(status, {"x-amzn-requestid": "1"} if self.named else {}, body)


def scripted(*answers: tuple[int, Any], named: bool = True) -> tuple[SqsQueue, Scripted]:
    way = Scripted(*answers)
    way.named = named
    keys = {"access_key_id": "file:/id", "secret_access_key": "file:/key"}
    return SqsQueue(SqsConfig(queue_url=URL, region="eu-west-1", reads="guardduty", **keys), way), way  # type: ignore[arg-type]


def test_what_sqs_failed_to_delete_is_tried_again_and_what_it_never_confirms_is_given_back() -> None:
    def failed(number: str, ours: bool) -> dict[str, Any]:
        return {"Id": number, "SenderFault": ours, "Code": "InternalError"}

    first = {"Successful": [{"Id": "0"}], "Failed": [failed("1", False), failed("2", True)]}
    queue, way = scripted((200, first), (200, {"Successful": [{"Id": "0"}], "Failed": [failed("1", True)]}))
    assert asyncio.run(queue.acknowledge(["a", "b", "c"])) == ("c",)
    assert [[one["ReceiptHandle"] for one in sent["Entries"]] for sent in way.sent] == [["a", "b", "c"], ["b", "c"]]
    queue, way = scripted((200, {"Failed": [failed("0", False)]}), (200, {}), (200, {}))
    assert asyncio.run(queue.acknowledge(["a"])) == ("a",)
    assert len(way.sent) == 2
    queue, way = scripted()
    assert asyncio.run(queue.acknowledge(["", "é", "x" * 5_000])) == ("", "é", "x" * 5_000) and not way.sent


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "canary"}, Unreachable),
        (403, {"__type": "com.amazonaws.sqs#OverLimit", "message": "canary"}, Unreachable),
        (400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "canary"}, Refused),
        (403, {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "canary"}, Refused),
        (400, {"__type": "x#can\nary"}, Refused),
        (400, [], Refused),
        (403, b"<ErrorResponse>canary", Refused),
        (200, {"Messages": 3}, Unreachable),
        (200, {"Messages": [{"Body": 3, "MessageId": "1", "ReceiptHandle": "h"}]}, Unreachable),
        (200, {"Messages": ["canary"]}, Unreachable),
        (200, b"<html>canary", Unreachable),
    ],
)
def test_an_answer_is_believed_only_when_it_is_one(status: int, said: Any, kind: type[IsthmusError]) -> None:
    queue, _ = scripted((status, said))
    with pytest.raises(kind) as told:
        asyncio.run(queue.receive(10))
    assert "canary" not in str(told.value) and str(told.value).isprintable()


def test_a_success_without_amazons_id_of_the_request_is_no_empty_queue() -> None:
    queue, _ = scripted((200, {}), named=False)
    with pytest.raises(Unreachable):
        asyncio.run(queue.receive(10))


def test_when_one_of_several_calls_fails_what_the_others_brought_is_kept() -> None:
    full = {"Messages": [{"MessageId": str(one), "Body": "{}", "ReceiptHandle": str(one)} for one in range(10)]}
    queue, way = scripted((200, full), (400, {"__type": "#RequestThrottled"}), (200, {"Messages": full["Messages"][:1]}))
    assert len(asyncio.run(queue.receive(30))) == 11
    assert [sent["WaitTimeSeconds"] for sent in way.sent] == [5, 0, 0]


@pytest.mark.parametrize(
    "changed",
    [
        {"queue_url": "https://evil.example/123456789012/alerts"},
        {"queue_url": "https://sqs.eu-west-1.amazonaws.com.evil.example/123456789012/alerts"},
        {"queue_url": "https://sqs.us-east-1.amazonaws.com/123456789012/alerts"},
        {"queue_url": "http://sqs.eu-west-1.amazonaws.com/123456789012/alerts"},
        {"queue_url": f"{URL}/more"},
        {"region": "nowhere"},
        {"reads": "../wiz"},
        {"access_key_id": "file:/id"},
        {"external_id": "file:/id"},
        {"profile": "a", "access_key_id": "file:/id", "secret_access_key": "file:/key"},
        {"wait_seconds": 20},
        {"visibility_seconds": 0},
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SqsConfig(**({"queue_url": URL, "region": "eu-west-1", "reads": "guardduty"} | changed))


def test_credentials_that_are_missing_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for more in ({}, {"profile": "nobody"}):
        config = SqsConfig(queue_url=URL, region="eu-west-1", reads="guardduty", **more)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="AWS credentials"):
            asyncio.run(SqsQueue(config, Scripted()).receive(1))

"""SQS by moto's own server: consumed under faults, by several, by one that is killed; and what is believed of its answers."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from tests.connectors.consuming import Consumer, queue_of, stored
from tests.connectors.rigs import Quick
from tests.connectors.sqs_queue import ACCOUNT, REGION, Line, Passing, coded
from tests.connectors.stage import Between, Stage

from isthmus.connectors.sqs.permissions import PERMISSIONS, policy_document
from isthmus.contracts.roles import Queue
from isthmus.lab.cloud import Cloud
from isthmus.lab.company import Home
from isthmus.lab.servers import Town
from isthmus.model.errors import Refused
from isthmus.record.store import open_store

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/alerts"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        stage = Stage(town)
        yield stage
        stage.close()


@pytest.fixture
def line(stage: Stage) -> Iterator[Line]:
    stage.aws.show(Between(stage.cloud.origin), coded)
    one = Line(stage.cloud)
    yield one
    one.close()


def ask(settings: dict[str, Any], what: Callable[[Queue], Awaitable[T]]) -> T:
    async def run() -> T:
        outward = Quick(lambda: datetime(2026, 3, 2, tzinfo=UTC), attempts=1)
        try:
            return await what(queue_of("sqs", settings, outward))
        finally:
            await outward.close()

    return asyncio.run(run())


def bodies(number: int) -> list[str]:
    return [json.dumps({"id": f"alert-{one}", "title": "é" * (one % 7)}, ensure_ascii=False) for one in range(number)]


def test_of_1000_messages_none_is_lost_and_none_doubled_whatever_fails(stage: Stage, line: Line, tmp_path: Path) -> None:
    stage.aws.show(Passing(stage.cloud.origin), coded)
    rng = random.Random(20260302)
    ill = [503, 500, 429, 403, "html", "reset", "reset-after", "truncated", "empty"]
    stage.aws.faults.next = deque(rng.choice(ill) if rng.random() < 0.2 else None for _ in range(5_000))  # type: ignore[misc]
    wanted = bodies(1_000)
    settings = line.config(stage.town.secret, endpoint_url=stage.aws.origin, wait_seconds=0)
    store = open_store(tmp_path / "data")
    consumers = [Consumer("sqs", settings, store), Consumer("sqs", settings, store)]
    began = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        # moto takes the longer for each message the more there are.
        for start in range(0, 1_000, 100):
            line.post_all(wanted[start : start + 100])
            while line.left() and time.monotonic() - began < 240:
                list(threads.map(lambda one: one.turns(3), consumers))
    found, asked = stored(store), 5_000 - len(stage.aws.faults.next)
    store.close()
    assert line.left() == 0
    assert set(found) == set(wanted), f"{len(set(wanted) - set(found))} lost"
    assert max(found.values()) == 1 and asked > 250


def test_a_consumer_killed_after_the_commit_leaves_one_of_each(stage: Stage, line: Line, tmp_path: Path) -> None:
    wanted = bodies(10)
    line.post_all(wanted)
    settings = line.config(stage.town.secret, wait_seconds=0)
    given = {"folder": str(tmp_path / "data"), "connector": "sqs", "settings": settings}
    command = [sys.executable, "-m", "tests.connectors.consuming", json.dumps(given)]
    died = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2_000:]
    store = open_store(tmp_path / "data")
    assert stored(store) == Counter(wanted) and line.left() == 10
    line.lapse()
    Consumer("sqs", settings, store).turns(3)
    assert stored(store) == Counter(wanted) and line.left() == 0
    store.close()


def test_what_went_through_sns_is_what_was_published(stage: Stage, line: Line) -> None:
    event = '{"source": "aws.guardduty", "detail": {"id": "7"}}'
    envelope = {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": event}
    almost = [envelope | {"Type": "SubscriptionConfirmation"}, envelope | {"Message": {"a": 1}}]
    texts = [json.dumps(one) for one in (envelope | {"Timestamp": "now"}, *almost)]
    for one in (*texts, '{"TopicArn": ', event):
        line.post(one)
    before = datetime.now(UTC) - timedelta(minutes=5)  # noqa: TID251 - beside the time moto says
    found = ask(line.config(stage.town.secret), lambda queue: queue.receive(10))
    assert sorted(one.body.decode() for one in found) == sorted([event, event, *texts[1:], '{"TopicArn": '])
    assert all(one.sent_at is not None and one.sent_at > before for one in found)


def test_a_hundred_are_received_side_by_side_and_not_one_more_than_asked_for(stage: Stage, line: Line) -> None:
    line.post_all(bodies(130))
    settings = line.config(stage.town.secret, visibility_seconds=30)

    async def several(queue: Queue) -> list[int]:
        return [len(await queue.receive(most)) for most in (1, 10, 19, 100)]

    assert ask(settings, several) == [1, 10, 10, 100]


def test_a_fifo_queue_is_read_in_order(stage: Stage) -> None:
    line = Line(stage.cloud, FifoQueue="true", ContentBasedDeduplication="true")
    for one in bodies(5):
        line.post(one, MessageGroupId="a")
    found = ask(line.config(stage.town.secret), lambda queue: queue.receive(10))
    assert [one.body.decode() for one in found] == bodies(5)
    line.close()


def test_held_it_does_not_come_again(stage: Stage, line: Line) -> None:
    line.post("{}")
    settings = line.config(stage.town.secret, visibility_seconds=3, wait_seconds=0)

    async def held(queue: Queue) -> list[int]:
        mine = await queue.receive(1)
        seen = []
        for _ in range(4):
            await asyncio.sleep(1.2)
            await queue.hold([mine[0].handle])
            seen.append(len(await queue.receive(1)))
        await queue.acknowledge([mine[0].handle])
        return seen

    assert ask(settings, held) == [0, 0, 0, 0] and line.left() == 0


def test_forty_queues_that_wait_hold_no_thread(stage: Stage, line: Line) -> None:
    settings = line.config(stage.town.secret, wait_seconds=2)
    threads: list[int] = []

    async def wait() -> float:
        outward = Quick(lambda: datetime(2026, 3, 2, tzinfo=UTC), attempts=1)
        try:
            queues = [queue_of("sqs", settings, outward) for _ in range(40)]
            waiting = [asyncio.create_task(one.receive(1)) for one in queues]
            began = time.monotonic()
            await asyncio.sleep(1.2)
            threads.append(threading.active_count())
            # The pool of threads is free for others while forty calls wait.
            await asyncio.wait_for(asyncio.to_thread(lambda: None), 0.5)
            assert await asyncio.gather(*waiting) == [()] * 40
            return time.monotonic() - began
        finally:
            await outward.close()

    before = threading.active_count()
    assert asyncio.run(wait()) < 8.0
    # Only the pool itself, which is as large as it was when the first requests were signed.
    assert threads[0] - before <= 36


@pytest.mark.parametrize("missing", ["", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"])
def test_the_policy_is_enough_and_no_action_of_it_too_much(stage: Stage, line: Line, missing: str) -> None:
    line.post("{}")
    document = policy_document([], ACCOUNT)
    (statement,) = document["Statement"]
    statement["Action"] = [one for one in statement["Action"] if one != missing]
    # moto asks for actions of the batches' own, which AWS does not have.
    statement["Action"] += [f"{one}Batch" for one in statement["Action"] if one != "sqs:ReceiveMessage"]
    statement["Resource"] = [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{line.url.rpartition('/')[2]}"]
    key, secret, role = _runner(stage.cloud, document)
    changed = {"role_arn": role, "sts_endpoint_url": stage.cloud.origin, "external_id": stage.town.secret("external", "t-7d11")}
    settings = line.config(
        lambda name, _: stage.town.secret(f"least-{name}", key if name == "sqs-key-id" else secret), **changed
    )

    async def whole(queue: Queue) -> int:
        found = await queue.receive(1)
        await queue.hold([found[0].handle])
        await queue.acknowledge([found[0].handle])
        return len(found)

    address = f"{stage.cloud.origin}/moto-api/reset-auth"
    httpx.post(address, content="0", trust_env=False).raise_for_status()
    try:
        if missing:
            with pytest.raises(Refused, match="answered 403"):
                ask(settings, whole)
        else:
            assert ask(settings, whole) == 1
    finally:
        httpx.post(address, content="inf", trust_env=False).raise_for_status()
    assert {one.name for one in PERMISSIONS} >= set(policy_document([], ACCOUNT)["Statement"][0]["Action"])


def _runner(cloud: Cloud, document: Mapping[str, Any]) -> tuple[str, str, str]:
    """A user who may only assume a role that has exactly this policy."""
    cloud.open(Home(ACCOUNT, "queues", "aws", REGION, "production", "payments", "high"))
    iam, name = cloud.client(ACCOUNT, "iam"), f"runner-{time.monotonic_ns()}"
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    iam.create_user(UserName=name)
    own = {"Version": "2012-10-17", "Statement": [{**assume, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="a", PolicyDocument=json.dumps(own))
    trust = {"Version": "2012-10-17", "Statement": [{**assume, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}}]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="a", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"], role


def test_the_policy_allows_nothing_before_the_queue_is_named() -> None:
    (statement,) = policy_document(["reading"], ACCOUNT)["Statement"]
    assert statement["Resource"] == [f"arn:aws:sqs:REGION:{ACCOUNT}:QUEUE"] and "*" not in json.dumps(statement)
    with pytest.raises(Refused):
        policy_document(["aws.isolate_instance"], ACCOUNT)

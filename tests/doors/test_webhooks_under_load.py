"""Deliveries that are large, slow, many at once, or come at a bad time: nothing is acknowledged before it is durable."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, delete
from sqlalchemy.exc import DatabaseError, OperationalError
from tests.doors.asking import BEARER, code, head, post, raw, rest, stored
from tests.doors.standing import SECRET, Standing, serving, standing, until

from isthmus.doors.limits import Limits
from isthmus.record import inbox
from isthmus.record.inbox import Handed
from isthmus.record.schema import INBOX

HUGE = 50 << 20


@pytest.fixture
def made(tmp_path: Path) -> Standing:
    return standing(tmp_path)


@pytest.fixture
def address(made: Standing) -> Iterator[tuple[str, int]]:
    with serving(made.app()) as where:
        yield where


def test_a_large_body_is_refused_before_it_is_sent(made: Standing, address: tuple[str, int]) -> None:
    began = time.monotonic()
    answer = raw(address, head(Content_Length=HUGE))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(("secret", "status"), [(SECRET, b"413"), ("wrong", b"401")])
def test_a_large_body_that_does_not_say_so_is_cut_off(
    made: Standing, address: tuple[str, int], secret: str, status: bytes
) -> None:
    sent, chunk = 0, b"10000\r\n" + b"[" * 65_536 + b"\r\n"
    with socket.create_connection(address, timeout=5) as connected:
        connected.sendall((head(secret=secret, Transfer_Encoding="chunked") + "\n\n").replace("\n", "\r\n").encode())
        try:
            while sent < HUGE:
                connected.sendall(chunk)
                sent += 65_536
        except (ConnectionResetError, BrokenPipeError):
            pass
        # What is in the buffers of two sockets may still go out.
        assert sent < 20 << 20
    until(lambda: made.desk.depth() == 0)
    slowly = raw(address, head(secret=secret, Transfer_Encoding="chunked"), chunk * 17)
    assert slowly.split(b" ")[1] in {status, b""} or slowly == b""


def test_just_as_large_as_allowed_is_taken(made: Standing, address: tuple[str, int]) -> None:
    most = Limits().delivery
    assert post(address, content=b"[" + b" " * (most - 2) + b"]").status_code == 202
    assert code(post(address, content=b"[" + b" " * (most - 1) + b"]")) == (413, "too_large")
    assert len(stored(made)) == 1


def test_a_slow_body_is_given_up(made: Standing) -> None:
    with serving(made.app(Limits(seconds=0.3))) as where, socket.create_connection(where, timeout=5) as connected:
        connected.sendall((head(Content_Length=1_000) + "\n\n{").replace("\n", "\r\n").encode())
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    connected.sendall(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        began = time.monotonic()
        answer = rest(connected)
        stop.set()
        dripping.join()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 2
    assert stored(made) == []


def test_a_sender_who_hangs_up_half_way_leaves_nothing(made: Standing, address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connected:
        connected.sendall((head(Content_Length=1_000) + '\n\n{"a":0}').replace("\n", "\r\n").encode())
    assert post(address).status_code == 202
    assert stored(made) == [b'{"a":1}']


def test_a_full_inbox_says_when_to_come_again(made: Standing) -> None:
    with serving(made.app(Limits(inbox=2))) as where:
        answers = [post(where, content=b"[%d]" % number) for number in range(3)]
        assert [one.status_code for one in answers] == [202, 202, 429]
        assert code(answers[-1]) == (429, "full")
        assert int(answers[-1].headers["retry-after"]) > 0
        with made.desk.store.writing() as connection:
            connection.execute(delete(INBOX))
        assert post(where, content=b"[2]").status_code == 202


def test_memory_is_bounded_and_given_back(made: Standing) -> None:
    with serving(made.app(Limits(unsaved=4_096, share=1.0))) as where:
        assert code(post(where, content=b"[" + b" " * 5_000 + b"]")) == (429, "busy")
        with socket.create_connection(where) as slow:
            # What was announced counts for nothing, what came does.
            slow.sendall((head(Content_Length=4_000) + "\n\n{" + " " * 2_200).replace("\n", "\r\n").encode())
            until(lambda: post(where, content=b"[0]").status_code == 429)
        until(lambda: post(where, content=b"[1]").status_code == 202)
        for number in range(20):
            assert post(where, content=b"[%d]" % (10 + number)).status_code == 202


def test_a_database_in_trouble_is_our_trouble(
    made: Standing, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (
        OperationalError("", {}, sqlite3.OperationalError("disk I/O error")),
        DatabaseError("", {}, Exception("malformed")),
    ):
        with monkeypatch.context() as patched:

            def broken(*_: object, error: Exception = error) -> None:
                raise error

            patched.setattr(inbox, "accept", broken)
            answer = post(address)
            assert code(answer) == (503, "unreachable")
            assert int(answer.headers["retry-after"]) > 0
    assert made.woken == 0
    assert post(address).json()["repeated"] is False


def test_what_nobody_foresaw_is_told_without_detail(
    made: Standing, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the inner life of the inbox")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "accept", broken)
        answer = post(address)
    assert code(answer) == (500, "unforeseen")
    assert "inner life" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text
    assert "inner life" in caplog.text
    assert post(address).status_code == 202


def test_many_at_once_share_a_commit_and_each_is_durable_when_it_is_answered(
    made: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    accept, slow = inbox.accept, threading.Event()

    def noted(connection: Connection, handed: Sequence[Handed]) -> list[bool]:
        slow.wait(0.02)
        commits.append(len(handed))
        return accept(connection, handed)

    monkeypatch.setattr(inbox, "accept", noted)

    async def all_of(where: tuple[str, int]) -> list[bool]:
        fresh: list[bool] = []
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=64), verify=False) as client:  # noqa: S501

            async def one(number: int) -> None:
                url, body = f"http://{where[0]}:{where[1]}/in/wiz-prod", b"[%d]" % (number % 90)
                answer = await client.post(url, content=body, headers={"content-type": "application/json", **BEARER})
                assert answer.status_code == 202
                fresh.append(not answer.json()["repeated"])
                assert made.desk.depth() >= sum(fresh)

            await asyncio.gather(*(one(number) for number in range(120)))
        return fresh

    with serving(made.app()) as where:
        fresh = asyncio.run(all_of(where))
    assert (len(fresh), sum(fresh)) == (120, 90)
    assert len(stored(made)) == 90
    assert sum(commits) == 120
    assert len(commits) < 60
    assert made.woken == len(commits)

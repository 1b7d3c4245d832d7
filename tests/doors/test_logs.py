"""Logs that programs can read, that say what they are about, and that give nothing away."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.doors import logs

LOG = logging.getLogger("isthmus.tests")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where lines go while a test runs; afterwards all is as before."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_record_is_one_line_of_json_and_says_what_it_is_about(out: io.StringIO) -> None:
    logs.set_up(logging.INFO, out)
    with logs.bound(request="r-1", tenant="acme"), logs.bound(incident="INC-1"):
        LOG.warning("two\nlines of %s", "text")
    LOG.info("alone")
    logging.getLogger("some.library").error("theirs too")
    LOG.debug("not this")
    first, second, third = lines(out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", first.pop("timestamp"))
    assert first == {
        **{"event": "two\nlines of text", "level": "warning", "logger": "isthmus.tests"},
        **{"request": "r-1", "tenant": "acme", "incident": "INC-1"},
    }
    assert (second["event"], set(second)) == ("alone", {"event", "level", "logger", "timestamp"})
    assert (third["logger"], third["event"]) == ("some.library", "theirs too")


def test_for_people_it_is_plain_text_that_does_nothing_to_a_terminal(out: io.StringIO) -> None:
    logs.set_up(logging.WARNING, out, human=True)
    with logs.bound(incident="INC-1\x1b[2J"):
        LOG.error("clear \x1b[2J the screen\r\nFAKE LINE")
    assert "\x1b" not in out.getvalue()
    [line] = out.getvalue().splitlines()
    assert line.endswith("ERROR isthmus.tests: clear [2J the screen FAKE LINE (incident=INC-1[2J)")


def test_a_failure_is_told_with_its_trace(out: io.StringIO) -> None:
    for human in (False, True):
        logs.set_up(logging.WARNING, out, human)
        try:
            raise ValueError("Bearer abcdef0123456789")
        except ValueError:
            LOG.exception("it failed")
    assert out.getvalue().count("ValueError: Bearer …") == 2
    assert "test_a_failure_is_told" in out.getvalue()
    assert "abcdef0123456789" not in out.getvalue()


def test_setting_it_up_again_writes_nothing_twice(out: io.StringIO) -> None:
    for _ in range(3):
        logs.set_up(logging.WARNING, out)
    LOG.warning("once")
    assert len(lines(out)) == 1


def test_a_log_that_cannot_be_written_holds_up_nothing(out: io.StringIO) -> None:
    logs.set_up(logging.WARNING, out)
    out.close()
    LOG.error("nobody hears this")


SECRETS = [
    "isk_0123456789ab_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAY34FZKBOKMUTVV7A",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "sk-proj-abcdefghijklmnopqrstuvwxyz012345",
]
PLACES = [
    "Authorization: Bearer {}",
    "bearer {}",
    "Basic {}",
    "authorization={}",
    '{{"password": "{}"}}',
    "{{'client_secret': '{}'}}",
    "aws_secret_access_key = {}",
    "aws_session_token={}&x=1",
    "X-Amz-Security-Token={}&X-Amz-Date=1",
    "X-Isthmus-Token: {}",
    "x-api-key: {}",
    "postgresql://isthmus:{}@db.example/isthmus",
    "https://user:{}@proxy.example:3128/",
    "api_key={}",
    "token={} and more",
]


@pytest.mark.parametrize("human", [True, False])
@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_a_secret_by_itself_is_struck_out_anywhere(out: io.StringIO, secret: str, human: bool) -> None:
    logs.set_up(logging.WARNING, out, human)
    with logs.bound(instance=secret):
        LOG.error("before %s after", secret)
        LOG.error("{'a': ('%s',)}", secret)
    assert secret not in out.getvalue()
    assert "before" in out.getvalue() and "after" in out.getvalue()


@pytest.mark.parametrize("human", [True, False])
@pytest.mark.parametrize("place", PLACES)
@given(secret=st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/_-.=~", min_size=8, max_size=60))
def test_what_stands_where_secrets_stand_is_struck_out(place: str, human: bool, secret: str) -> None:
    if "://" in place:
        # In an address a slash is not written as one.
        secret = secret.replace("/", "%2F")
    record = logging.LogRecord("isthmus", logging.ERROR, "", 0, place.format(secret), (), None)
    written = io.StringIO()
    logs.set_up(logging.WARNING, written, human)
    logging.getLogger().handlers[-1].handle(record)
    assert secret not in written.getvalue()


@pytest.mark.parametrize(
    "harmless",
    [
        "pull wiz-main issues: GET https://api.wiz.example/graphql: answered 503",
        "incident INC-0123456789abcdef: round.assessment",
        "webhook of wiz-main refused: the secret is missing or wrong (request 0123456789abcdef)",
        "not kept: reading: the oldest unread delivery has waited 61 s, more than 60 s",
        "pull wiz-main issues: POST https://auth.example/oauth/token: cannot be reached (ConnectError)",
        "the token is missing; password needed",
        "secret env:WIZ_CLIENT_SECRET: is not set or empty",
    ],
)
def test_what_people_need_to_read_stays(harmless: str) -> None:
    assert logs.struck_out(harmless) == harmless


def test_striking_out_takes_no_longer_for_hostile_text() -> None:
    for text in (
        "://" + "a" * 20_000,
        "secret" * 4_000,
        "eyAAAAAAAAAAA." * 2_000,
        "bearer " * 3_000,
        "-----BEGIN PRIVATE KEY-----" * 700,
    ):
        assert len(logs.struck_out(text)) <= len(text)

"""The boundaries of a life: what they are, and how they are counted, wrapped around the product from outside.

A boundary is a moment around something that lasts: before and after every commit that may write, before and after every
call to a platform or a cloud, and around taking a delivery. Nothing of this is in the product.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from botocore.httpsession import URLLib3Session  # type: ignore[import-untyped]
from sqlalchemy import Connection, Engine, event

from isthmus.contracts.wire import Reply
from isthmus.record import cursors, findings, inbox, ledger
from isthmus.record.store import Store
from isthmus.wire.http import WireHttp

_IDS = re.compile(r"orca-[A-Za-z0-9]+|[0-9a-f]{32}")
_NOTED: tuple[tuple[Any, str, str], ...] = (
    (inbox, "accept", "delivery kept"),
    (cursors, "advance", "cursor"),
    (findings, "refetched", "asked back"),
    (ledger, "checkpoint", "checkpoint"),
)
"""What is written, by the function that writes it; entries of the ledger speak for themselves."""


@dataclass
class Boundaries:
    """Counts the boundaries of one life and ends it at the one numbered `fatal`, the first being 1; 0 is none.

    `fine` counts every statement inside a writing transaction too.
    """

    fatal: int
    tell: Callable[[dict[str, Any]], None]
    fine: bool = False
    passed: list[str] = field(default_factory=list)
    writing: list[str] = field(default_factory=list)

    def at(self, side: str, what: str) -> None:
        """A boundary. At the fatal one this does not return."""
        self.passed.append(f"{side}|{what}")
        if len(self.passed) == self.fatal:
            self.tell({"dying": self.passed[-1]})
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, what: str) -> None:
        """Something that the transaction under way writes."""
        if what not in self.writing:
            self.writing.append(what)


def watch(marks: Boundaries) -> None:
    """Wrap everything that lasts. Only ever called in a process that will end soon."""
    _watch_commits(marks)
    _watch_platforms(marks)
    _watch_cloud(marks)


def _watch_commits(marks: Boundaries) -> None:
    plain = Store.writing

    @contextmanager
    def writing(self: Store) -> Iterator[Connection]:
        marks.writing.clear()
        with plain(self) as connection:
            yield connection
            name = "commit " + " + ".join(sorted(marks.writing) or ["nothing"])
            marks.at("before", name)
        marks.at("after", name)

    Store.writing = writing  # type: ignore[method-assign]
    for module, name, what in _NOTED:
        setattr(module, name, _noting(marks, getattr(module, name), what))
    extend = ledger.extend

    def noted(connection: Connection, entries: Any) -> range:
        for one in entries:
            marks.note(" ".join([one.event, *([one.body["ability"]] if "ability" in one.body else [])]))
        return extend(connection, entries)

    ledger.extend = noted
    if marks.fine:
        event.listen(Engine, "after_cursor_execute", partial(_statement, marks))


def _noting(marks: Boundaries, plain: Callable[..., Any], what: str) -> Callable[..., Any]:
    def noted(*given: Any, **named: Any) -> Any:
        marks.note(what)
        return plain(*given, **named)

    return noted


def _statement(marks: Boundaries, connection: Connection, _cursor: Any, text: str, *_: Any) -> None:
    if connection.get_execution_options().get("isthmus_write") and text.split(" ", 1)[0] in {"INSERT", "UPDATE", "DELETE"}:
        marks.at("inside", f"statement {' '.join(text.split()[:3]).rstrip('(')}")


def _watch_platforms(marks: Boundaries) -> None:
    plain = WireHttp.request

    async def request(self: WireHttp, method: str, path: str, **given: Any) -> Reply:
        # The rate limit is another matter, and would only make the lane longer.
        self._pause = 0.0
        what = f"{method} {_IDS.sub('ID', path)}"
        marks.at("before", what)
        reply = await plain(self, method, path, **given)
        marks.at("after", what)
        return reply

    WireHttp.request = request  # type: ignore[method-assign]


def _watch_cloud(marks: Boundaries) -> None:
    plain = URLLib3Session.send

    def send(self: Any, request: Any) -> Any:
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        what = f"aws {parse_qs(body.decode()).get('Action', ['?'])[0]}"
        marks.at("before", what)
        answer = plain(self, request)
        marks.at("after", what)
        return answer

    URLLib3Session.send = send

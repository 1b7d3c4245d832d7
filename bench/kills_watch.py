"""The boundaries of a life: what they are, and how they are counted, wrapped around the product from outside.

A boundary is a moment around something that lasts: before and after every commit that may write, before and after every
call to a platform or a cloud, and around taking a delivery. Several writes in one commit are a boundary each, so that a
boundary keeps its name and number however they happen to be put together. Nothing of this is in the product.
"""

from __future__ import annotations

import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.client import BaseClient  # type: ignore[import-untyped]
from botocore.httpsession import URLLib3Session  # type: ignore[import-untyped]
from sqlalchemy import Connection, Engine, event

from isthmus.contracts.wire import Reply
from isthmus.record import cursors, findings, inbox, incidents, leases, ledger
from isthmus.record.store import Store
from isthmus.wire.http import WireHttp

SENDER = "x-isthmus-life"
"""The header in which a life says who it is, to those who keep the effects."""
KILL, STOP, JUMP = "kill", "stop", "jump"
_IDS = re.compile(r"orca-[A-Za-z0-9]+|[0-9a-f]{32}")
_NOTED: tuple[tuple[Any, str, str], ...] = (
    (inbox, "accept", "delivery kept"),
    (cursors, "advance", "cursor"),
    (findings, "refetched", "asked back"),
    (ledger, "checkpoint", "checkpoint"),
    (incidents, "claim", "claim"),
    (incidents, "rest", "rest"),
    (incidents, "release", "release"),
    (leases, "take", "lease taken"),
    (leases, "give_back", "lease given back"),
)
"""What is written, by the function that writes it; entries of the ledger speak for themselves."""


@dataclass
class Boundaries:
    """Counts the boundaries of one life and strikes it at some of them.

    Each of `fatals` says where: `number` is the how manieth boundary of all, or `name` with `count` the how manieth of
    that name, the first being 1; and `how`: killed, stopped until somebody wakes it, or its clock set by `hours`.
    `fine` counts every statement inside a writing transaction too.
    """

    fatals: Sequence[Mapping[str, Any]]
    tell: Callable[[dict[str, Any]], None]
    fine: bool = False
    jump: Callable[[float], None] = lambda _: None
    passed: list[str] = field(default_factory=list)
    _named: Counter[str] = field(default_factory=Counter)
    _lock: Any = field(default_factory=threading.Lock)
    _own: threading.local = field(default_factory=threading.local)

    def at(self, side: str, what: str) -> None:
        """A boundary. Where the life is killed this does not return."""
        with self._lock:
            name = f"{side}|{what}"
            self.passed.append(name)
            self._named[name] += 1
            for one in self.fatals:
                if one.get("number") == len(self.passed) or (one.get("name"), one.get("count")) == (name, self._named[name]):
                    self._strike(name, one)

    def _strike(self, name: str, fatal: Mapping[str, Any]) -> None:
        how = fatal.get("how", KILL)
        self.tell({"struck": name, "how": how})
        if how == JUMP:
            self.jump(fatal["hours"])
        else:
            # To this thread, so that it goes no further: another would be told first, and this one stop a little later.
            signal.pthread_kill(threading.get_ident(), signal.SIGKILL if how == KILL else signal.SIGSTOP)

    def note(self, what: str) -> None:
        """Something that the transaction under way in this thread writes."""
        self.writing.append(what)

    @property
    def writing(self) -> list[str]:
        """What the transaction under way in this thread has written so far."""
        if not hasattr(self._own, "writing"):
            self._own.writing = []
        found: list[str] = self._own.writing
        return found

    def around(self, side: str) -> None:
        """The boundaries of the commit of this thread."""
        for what in sorted(self.writing or ["nothing"]):
            self.at(side, f"commit {what}")


def watch(marks: Boundaries, sender: str) -> None:
    """Wrap everything that lasts. Only ever called in a process that will end soon."""
    _watch_commits(marks, "writing")
    _watch_commits(marks, "adding")
    _watch_writes(marks)
    _watch_platforms(marks, sender)
    _watch_cloud(marks, sender)


def _watch_commits(marks: Boundaries, name: str) -> None:
    plain = getattr(Store, name)

    @contextmanager
    def writing(self: Store) -> Iterator[Connection]:
        marks.writing.clear()
        with plain(self) as connection:
            yield connection
            marks.around("before")
        marks.around("after")

    setattr(Store, name, writing)


def _watch_writes(marks: Boundaries) -> None:
    for module, name, what in _NOTED:
        setattr(module, name, _noting(marks, getattr(module, name), what))
    extend = ledger.extend

    def noted(connection: Connection, entries: Any) -> range:
        # What was thought is saved with what was done, which gives the write its name.
        last = entries[-1]
        marks.note(" ".join([last.event, *([str(last.body["ability"])] if "ability" in last.body else [])]))
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
    writes = connection.get_execution_options().get("isthmus") == "write"
    if writes and text.split(" ", 1)[0] in {"INSERT", "UPDATE", "DELETE"}:
        marks.at("inside", f"statement {' '.join(text.split()[:3]).rstrip('(')}")


def _watch_platforms(marks: Boundaries, sender: str) -> None:
    plain = WireHttp.request

    async def request(self: WireHttp, method: str, path: str, **given: Any) -> Reply:
        # The rate limit is another matter, and would only make the lane longer.
        self._pause = 0.0
        self.client.headers[SENDER] = sender
        what = f"{method} {_IDS.sub('ID', path)}"
        marks.at("before", what)
        reply = await plain(self, method, path, **given)
        marks.at("after", what)
        return reply

    WireHttp.request = request  # type: ignore[method-assign]


def _watch_cloud(marks: Boundaries, sender: str) -> None:
    """Around each call, outside of where the product asks whether it may still send."""
    plain, sending = BaseClient._make_api_call, URLLib3Session.send

    def call(self: Any, operation: str, parameters: Any) -> Any:
        marks.at("before", f"aws {operation}")
        answer = plain(self, operation, parameters)
        marks.at("after", f"aws {operation}")
        return answer

    def send(self: Any, request: Any) -> Any:
        request.headers[SENDER] = sender
        return sending(self, request)

    BaseClient._make_api_call = call
    URLLib3Session.send = send

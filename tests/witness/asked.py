"""A witness on the other end of an `Http`, without a network, that can be away or be answered for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from isthmus.contracts.wire import Reply
from isthmus.model.errors import Refused, Unreachable
from isthmus.witness.witnessing import Witness


class Line:
    """What the client is handed instead of the wire. `says`, once set, is answered whatever the witness would say."""

    def __init__(self, witness: Witness, now: datetime) -> None:
        self.witness = witness
        self.now = now
        self.away = False
        self.lost_answers = 0
        self.says: Reply | None = None
        self.asked: list[str] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        expect: Sequence[int] = (),
        repeatable: bool | None = None,
    ) -> Reply:
        assert (method, path, repeatable) == ("POST", "/add-checkpoint", False) and content is not None
        self.asked.append(content.decode())
        if self.away:
            raise Unreachable("the witness does not answer")
        reply = self.witness.add(content, self.now)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unreachable("the connection broke before the answer came")
        if self.says is not None:
            return self.says
        if reply.status != 200 and reply.status not in expect:
            raise Refused(f"answered {reply.status}")
        return Reply(reply.status, {}, reply.text.encode())

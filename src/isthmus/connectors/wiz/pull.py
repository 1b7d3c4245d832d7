"""Asks Wiz what is new, stream by stream, so that nothing is left out.

A pass reads a list from a moment on, page by page. The next pass begins `overlap_minutes` before the moment this one
began, by our clock or Wiz's, whichever is earlier: what changed behind our back while we paged, what shares a
timestamp with the last record, and what Wiz shows late is read again rather than missed.

Wiz shows no more than 10,000 records of a list. A pass that meets this limit is not believed: it is done again over half
of its time, and so on, and then goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from isthmus.connectors.wiz.config import WizConfig
from isthmus.connectors.wiz.queries import STREAMS, Stream
from isthmus.connectors.wiz.replies import Answer, Said, next_page, records
from isthmus.contracts.roles import Page
from isthmus.model.errors import Refused, Unreachable

_MOST_SHOWN = 10_000
_VERSION = 1
_INSTANT = timedelta(seconds=1)
_NARROWEST = timedelta(seconds=2)


class _Asks(Protocol):
    async def ask(self, query: str, variables: dict[str, Any]) -> Answer: ...


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a pull stands: the window of time, the moment the pass began, Wiz's page cursor, records seen in the window."""

    after: datetime
    before: datetime | None = None
    began: datetime | None = None
    page: str = ""
    seen: int = 0

    def written(self) -> str:
        moments = {"after": self.after, "before": self.before, "began": self.began}
        told = {name: moment.isoformat() for name, moment in moments.items() if moment is not None}
        return json.dumps({"v": _VERSION, "page": self.page, "seen": self.seen, **told}, separators=(",", ":"))


def _place(cursor: str, stream: str) -> _Place:
    """The place a cursor of ours tells. Raises `Refused` for anything else: to guess would be to skip."""
    try:
        told = json.loads(cursor)
        moments = [datetime.fromisoformat(told[name]) if name in told else None for name in ("after", "before", "began")]
        page, seen, version = told["page"], told["seen"], told["v"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refused(_unread(stream)) from None
    after, before, began = moments
    aware = all(one is None or one.tzinfo is not None for one in moments)
    if after is None or not aware or version != _VERSION or not isinstance(page, str) or type(seen) is not int:
        raise Refused(_unread(stream))
    return _Place(after, before, began, page, seen)


def _unread(stream: str) -> str:
    return f"the stored place of Wiz's stream {stream} cannot be read; remove it to begin again at the lookback"


class WizPull:
    """`contracts.roles.Pollable` over Wiz's lists."""

    def __init__(self, config: WizConfig, api: _Asks, now: Callable[[], datetime]) -> None:
        self._config, self._api, self._now = config, api, now

    @property
    def streams(self) -> tuple[str, ...]:
        """As configured, each once."""
        return tuple(dict.fromkeys(self._config.streams))

    async def since(self, stream: str, cursor: str) -> Page:
        """As `contracts.roles.Pollable`. Asking again with the same cursor reads the same page again."""
        if stream not in self.streams:
            raise Refused(f"Wiz has no stream {stream!r} here; there are {', '.join(self.streams)}")
        now = self._now()
        place = _place(cursor, stream) if cursor else _Place(now - timedelta(hours=self._config.lookback_hours))
        place, answer = await self._read(stream, place)
        began = place.began or min(now, answer.at or now)
        asked = STREAMS[stream]
        found, page = records(answer.data, asked.root), next_page(answer.data, asked.root)
        if page and page == place.page:
            raise Unreachable("Wiz's pages go round in a circle")
        place = replace(place, began=began, page=page, seen=place.seen + len(found))
        after = self._onward(place, began)
        return Page(tuple(found), after.written(), more=after.began is not None)

    async def _read(self, stream: str, place: _Place) -> tuple[_Place, Answer]:
        """A page; from the beginning of the window when Wiz no longer takes its own page cursor."""
        asked = STREAMS[stream]
        try:
            return place, await self._api.ask(asked.query, self._variables(stream, asked, place))
        except Said as error:
            if error.code != "BAD_USER_INPUT" or not place.page:
                raise
        place = replace(place, page="", seen=0)
        return place, await self._api.ask(asked.query, self._variables(stream, asked, place))

    def _variables(self, stream: str, asked: Stream, place: _Place) -> dict[str, Any]:
        window = {"after": _said(place.after)} | ({"before": _said(place.before)} if place.before else {})
        filters = {**asked.filters, **self._chosen(stream), asked.time: window}
        told: dict[str, Any] = {"filterBy": filters, "first": self._config.page_size}
        if asked.order:
            told["orderBy"] = dict(asked.order)
        return told | ({"after": place.page} if place.page else {})

    def _chosen(self, stream: str) -> dict[str, Any]:
        if stream == "detections" and not self._config.match_only:
            return {"type": {"equals": ["GENERATED_THREAT"]}}
        if stream == "configuration" and not self._config.passed_checks:
            return {"result": ["FAIL"]}
        return {}

    def _onward(self, place: _Place, began: datetime) -> _Place:
        """Where to go from here: the next page, half the window, the next window, or the next pass (which has not begun)."""
        if place.page:
            return place
        if place.seen >= _MOST_SHOWN:
            return _narrowed(place, began)
        if place.before is not None:
            # One second twice, since nobody says whether Wiz counts the ends of a window in.
            start = place.before - _INSTANT
            end = start + 2 * (place.before - place.after)
            return _Place(start, end if end < began else None, began)
        return _Place(max(place.after, began - timedelta(minutes=self._config.overlap_minutes)))


def _narrowed(place: _Place, began: datetime) -> _Place:
    width = ((place.before or began) - place.after) / 2
    if width < _NARROWEST:
        raise Refused(f"Wiz shows only {_MOST_SHOWN} of the records of a moment, {_said(place.after)}, and there are more")
    return _Place(place.after, place.after + width, began)


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

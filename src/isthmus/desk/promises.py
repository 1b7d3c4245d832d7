"""What we promise to whoever relies on us, and which of it is not kept just now.

`intake` what is delivered is stored durably · `reading` it is read soon · `carrying_on` every incident gets its
disposition, or waits for something that can be named · `counting` seen = stored + duplicate + rejected · `record` what
was done stands below a signature soon · `clock` this machine's clock goes as time goes · `effects` nobody stopped us ·
`reaching NAME` the platform answers when it is pulled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.desk.look import Held, Look, Pull, Signed
from isthmus.desk.vitals import JUMP, Vitals

_REMEMBERED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long things may take before the promise about them counts as not kept."""

    unread: timedelta = timedelta(seconds=60)
    undecided: timedelta = timedelta(seconds=300)
    unsigned: timedelta = timedelta(seconds=60)
    unreachable: timedelta = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Said:
    """A promise as it stands: `why` it is not kept, empty when it is. One that `pages` calls somebody when it is not."""

    name: str
    why: str = ""
    pages: bool = True


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise, whether it is kept, since when that is so, and why not."""

    name: str
    kept: bool
    since: datetime
    why: str
    pages: bool


def blind(trouble: str, vitals: Vitals) -> list[Said]:
    """The promises when the database cannot be asked."""
    why = f"cannot be told: {trouble}"
    said = [Said(name, why) for name in ("reading", "carrying_on", "counting", "record")]
    return [Said("intake", vitals.storing or trouble), *said]


def judged(look: Look, vitals: Vitals, bounds: Bounds, stopped: str, names: Iterable[str]) -> list[Said]:
    """Every promise as it stands after this look. `stopped` is what stops effects; `names` are the connected instances."""
    now = look.at
    return [
        Said("intake", vitals.storing),
        Said("reading", _old("the oldest unread delivery has waited", look.oldest_unread, now, bounds.unread)),
        Said("carrying_on", next(_left_lying(look, bounds.undecided), "") or vitals.stuck()),
        Said("counting", next(_miscounted(look), "")),
        Said("record", _unsigned(look.signed, now, bounds.unsigned)),
        Said("clock", _clock(look, vitals), pages=False),
        Said("effects", stopped, pages=False),
        *_reaching(look, bounds.unreachable, frozenset(names)),
    ]


def _old(what: str, since: datetime | None, now: datetime, most: timedelta) -> str:
    if since is None or now - since <= most:
        return ""
    return f"{what} {_seconds(now - since)}, more than {_seconds(most)}"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} s"


def _left_lying(look: Look, most: timedelta) -> Iterator[str]:
    for held, what in ((look.undecided, "has had no disposition for"), (look.overdue, "should have gone on")):
        if held is not None and look.at - held.since > most:
            yield f"incident {held.id} {what} {_seconds(look.at - held.since)}{_ago(held, look)}"


def _ago(held: Held, look: Look) -> str:
    return " ago" if held is look.overdue else ""


def _miscounted(look: Look) -> Iterator[str]:
    for (_, _, instance), one in sorted(look.counts.items()):
        if one["seen"] != one["stored"] + one["duplicate"] + one["rejected"]:
            yield (
                f"{instance}: seen {one['seen']}, but stored {one['stored']}, duplicate {one['duplicate']} and "
                f"rejected {one['rejected']}"
            )


def _unsigned(signed: Signed, now: datetime, most: timedelta) -> str:
    if signed.covered > signed.size:
        return f"the record has {signed.size} entries, but {signed.covered} were signed"
    behind = signed.size - signed.covered
    return _old(f"{behind} entries stand below no signature; the first has waited", signed.uncovered_since, now, most)


def _clock(look: Look, vitals: Vitals) -> str:
    jump = vitals.jumped(_REMEMBERED)
    if jump is not None:
        way = "forward" if jump.by > timedelta() else "back"
        return f"the clock jumped {_seconds(abs(jump.by))} {way}, to {jump.at:%Y-%m-%d %H:%M:%S}"
    newest = look.signed.newest
    if newest is not None and newest - look.at > JUMP:
        return f"the newest entry of the record was written {_seconds(newest - look.at)} from now: the clock is behind"
    return ""


def _reaching(look: Look, most: timedelta, names: frozenset[str]) -> Iterator[Said]:
    """By instance, over its streams. Pulls of instances that are no longer connected say nothing."""
    streams: dict[str, list[Pull]] = {}
    for one in look.pulls:
        if one.place[2] in names:
            streams.setdefault(one.place[2], []).append(one)
    for name, pulls in sorted(streams.items()):
        yield Said(f"reaching {name}", next((why for one in pulls if (why := _away(one, look.at, most))), ""))


def _away(pull: Pull, now: datetime, most: timedelta) -> str:
    """One failed pull is no outage; a stream that was never pulled is away from the first trouble on."""
    if pull.again is not None and now - pull.again > most:
        return f"{pull.place[3]} was to be pulled {_seconds(now - pull.again)} ago and was not"
    if not pull.trouble or (pull.at is not None and now - pull.at <= most):
        return ""
    since = "never" if pull.at is None else f"last {pull.at:%Y-%m-%d %H:%M:%S}"
    return f"{pull.place[3]} was {since} pulled: {pull.trouble}"


class Kept:
    """Since when each promise has been as it is."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[bool, datetime]] = {}

    def seen(self, said: Iterable[Said], now: datetime) -> tuple[Promise, ...]:
        """The promises with their times. One that is no longer made is forgotten."""
        before, self._since, promises = self._since, {}, []
        for one in said:
            kept = not one.why
            same = before.get(one.name)
            since = same[1] if same is not None and same[0] is kept else now
            self._since[one.name] = kept, since
            promises.append(Promise(one.name, kept, since, one.why, one.pages))
        return tuple(promises)

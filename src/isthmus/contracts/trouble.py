"""Promises about platforms that are ill or say no: `promise(rig, role)`, raising `Broken`.

Every call of a role is asked cold (nothing was ever asked on that connection), warm (everything is signed in and was
asked before) and, where it only reads, with the platform falling ill at each of its requests.
"""

from __future__ import annotations

import asyncio
import base64
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from isthmus.contracts.checks import NOW, Broken
from isthmus.contracts.rig import HANG, Fault, Question, Rig, Scene
from isthmus.contracts.roles import Roles
from isthmus.contracts.staging import Alerts, case, clear, listening, seen, settled, sure
from isthmus.model.errors import IsthmusError, Refused, Unreachable
from isthmus.model.plans import Action

ILL: tuple[Fault, ...] = (429, 500, 503, "reset", "html", HANG)
NO: tuple[Fault, ...] = (401, 403, 404)
_HALF_WAY: tuple[Fault, ...] = (503, "html", "reset")
_REPEATING: tuple[Fault, ...] = (429, 500, 401, 403, 404)
_COLD_PATIENCE, _WARM_PATIENCE = 0.3, 2.5
_AT_ONCE = 6
"""How many calls wait at the same time for a platform that hangs, so that this is waited for once."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a call came to while a platform was in trouble."""

    what: str
    fault: Fault
    said: object

    @property
    def place(self) -> str:
        return f"{self.what} under {self.fault!r}"


async def a_platform_that_is_ill_is_unreachable(rig: Rig, role: str) -> None:
    """429, 500, 503, a time-out, a broken connection and a page instead of an answer mean: later. Nothing is changed."""
    _all_say(rig, role, await _under(rig, role, ILL, _HALF_WAY), Unreachable)


async def a_platform_that_says_no_is_refused(rig: Rig, role: str) -> None:
    """401, 403 and 404 mean: do not try again. Nothing is changed."""
    _all_say(rig, role, await _under(rig, role, NO), Refused)


async def no_secret_is_told(rig: Rig, role: str) -> None:
    """No secret of the instance and no credential it used stands in an error, its traceback or a log line of ours, even
    where the platform repeats what it was sent. The two promises before this one look for them in every call, too.
    """
    await _under(rig, role, _REPEATING, in_turn=(401, 500))


async def _under(
    rig: Rig, role: str, faults: Sequence[Fault], half_way: Sequence[Fault] = (), in_turn: Sequence[Fault] = ()
) -> list[Heard]:
    """Every question under every fault. Raises `Broken` when any of them changed the platform or told a secret."""
    with listening() as logged:
        asked = await questions(rig, role)
        before = rig.state()
        heard = [one for fault in faults for one in await _cold(rig, fault, asked)]
        heard += await _warm(rig, [one for one in faults if one != HANG], asked, 10.0)
        if HANG in faults:
            heard += await _warm(rig, [HANG], asked[:_AT_ONCE], _WARM_PATIENCE)
        heard += await _half_way(rig, half_way, asked)
        heard += [one for fault in in_turn for one in await _in_turn(rig, fault, asked)]
    if rig.state() != before:
        raise Broken(f"{rig.connector.name} {role}: the platform was changed by calls that failed")
    for one in heard:
        text = "".join(traceback.format_exception(one.said)) if isinstance(one.said, BaseException) else ""
        _clean(rig, f"{role}: {one.place}", f"{text} {one.said!r}")
    _clean(rig, f"{role}: the log", "\n".join(logged))
    return heard


def _clean(rig: Rig, place: str, text: str) -> None:
    if len(rig.canaries) < len(rig.secrets):
        raise Broken(f"{rig.connector.name}: the rig does not look for every secret")
    for secret in rig.canaries:
        if any(form in text for form in _forms(secret)):
            raise Broken(f"{rig.connector.name} {place} shows a secret")


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def _all_say(rig: Rig, role: str, heard: Collection[Heard], kind: type[IsthmusError]) -> None:
    if not heard:
        raise Broken(f"{rig.connector.name} {role}: nothing was asked")
    wrong = [one for one in heard if not isinstance(one.said, kind)]
    if wrong:
        shown = "; ".join(f"{one.place}: {_short(one.said)}" for one in wrong[:4])
        raise Broken(f"{rig.connector.name} {role}: {len(wrong)} of {len(heard)} are not {kind.__name__}: {shown}")
    for one in heard:
        if isinstance(one.said, BaseException):
            clear(f"{rig.connector.name} {role}: {one.place}", one.said)


def _short(said: object) -> str:
    return f"{type(said).__name__} {str(said)[:160]!r}"


async def _cold(rig: Rig, fault: Fault, asked: Sequence[Question]) -> list[Heard]:
    """The first question that reads and the first that writes, each on a connection of its own."""
    first = {one.writes: one for one in reversed(asked)}
    heard = []
    for one in first.values():
        async with rig.connected(_COLD_PATIENCE if fault == HANG else 10.0) as roles:
            heard += await _broken(rig, fault, [one], roles, "cold")
    return heard


async def _warm(rig: Rig, faults: Sequence[Fault], asked: Sequence[Question], patience: float) -> list[Heard]:
    """All questions at once, so that a time-out is waited for once, on a connection where all that only read were asked."""
    heard = []
    async with rig.connected(patience) as roles:
        for number, fault in enumerate(faults):
            # A platform that said no may have been signed out from, and is then cold.
            for one in asked if not number or faults[number - 1] in NO else ():
                if not one.writes:
                    await one.ask(roles)
            heard += await _broken(rig, fault, asked, roles, "warm")
    return heard


async def _half_way(rig: Rig, faults: Sequence[Fault], asked: Sequence[Question]) -> list[Heard]:
    """Questions that read, with everything going wrong after the first request of theirs, the second, and so on."""
    heard: list[Heard] = []
    async with rig.connected() as roles:
        for one in asked if faults else ():
            if one.writes:
                continue
            await one.ask(roles)
            begun = rig.calls()
            await one.ask(roles)
            for after in range(1, rig.calls() - begun):
                for fault in faults:
                    heard += await _broken(rig, fault, [one], roles, f"after {after} requests", after)
    return heard


async def _in_turn(rig: Rig, fault: Fault, asked: Sequence[Question]) -> list[Heard]:
    """Signing in goes well, and what comes after it does not; or the other way round."""
    heard = []
    for after in (0, 1):
        async with rig.connected() as roles:
            rig.break_down(fault, after, in_turn=True)
            heard.append(Heard(f"{asked[0].name} (in turn)", fault, await settled(asked[0].ask(roles))))
            rig.mend()
    return heard


async def _broken(rig: Rig, fault: Fault, asked: Sequence[Question], roles: Roles, when: str, after: int = 0) -> list[Heard]:
    rig.break_down(fault, after)
    try:
        said = await asyncio.gather(*(settled(one.ask(roles)) for one in asked))
    finally:
        rig.mend()
    return [Heard(f"{one.name} ({when})", fault, answer) for one, answer in zip(asked, said, strict=True)]


async def questions(rig: Rig, role: str) -> list[Question]:
    """Every call of this role, on a platform that has what it is about."""
    asked = await _QUESTIONS[role](rig)
    if not asked:
        raise Broken(f"{rig.connector.name} {role}: there is nothing to ask")
    return asked


async def _refetching(rig: Rig) -> list[Question]:
    def refetch(own: str) -> Question:
        return Question(f"refetch {own}", lambda roles: sure(roles.refetcher).refetch(own))

    return [refetch(own) for own in await Alerts(rig).held()]


async def _pulling(rig: Rig) -> list[Question]:
    def since(stream: str, cursor: str, where: str) -> Question:
        return Question(f"since {stream} {where}", lambda roles: sure(roles.pollable).since(stream, cursor))

    Alerts(rig).more(0)
    asked = []
    async with rig.connected() as roles:
        for stream in sure(roles.pollable).streams:
            page = await sure(roles.pollable).since(stream, "")
            asked += [since(stream, "", "at the beginning"), since(stream, page.cursor, "further on")]
    return asked


async def _finding(rig: Rig) -> list[Question]:
    def resolve(action: Action) -> Question:
        return Question(f"resolve for {action.ability}", lambda roles: sure(roles.inventory).resolve(action))

    async with rig.connected() as roles:
        abilities = sure(roles.actuator).abilities
    return [resolve(rig.scenes(ability)[0].start()) for ability in abilities]


async def _acting(rig: Rig) -> list[Question]:
    asked: list[Question] = []
    async with rig.connected() as roles:
        for ability in sure(roles.actuator).abilities:
            asked += await _acting_on(rig, roles, rig.scenes(ability)[0])
    return asked


async def _acting_on(rig: Rig, roles: Roles, scene: Scene) -> list[Question]:
    """Of one target that is as it was, and of another where the change stands."""
    actuator, inventory = sure(roles.actuator), sure(roles.inventory)
    action, target, fresh = await seen(inventory, actuator, scene)
    _, _, done = await seen(inventory, actuator, scene)
    await rig.effect(actuator, done)
    return [
        Question(f"preview of {action.ability}", lambda roles: sure(roles.actuator).preview(action, target, NOW)),
        Question(f"verify of {action.ability}", lambda roles: sure(roles.actuator).verify(done, NOW)),
        Question(f"making {action.ability}", lambda roles: rig.effect(sure(roles.actuator), fresh), writes=True),
        Question(f"taking back {action.ability}", lambda roles: rig.reversal(sure(roles.actuator), done), writes=True),
    ]


async def _keeping(rig: Rig) -> list[Question]:
    """Reading a case and putting it as it is; opening another, and bringing it up to date."""
    async with rig.connected() as roles:
        await sure(roles.sink).put(case("a1"))
    return [
        Question("read", lambda roles: sure(roles.sink).read(case("a1").key)),
        Question("put as it is", lambda roles: sure(roles.sink).put(case("a1"))),
        Question("put of a change", lambda roles: sure(roles.sink).put(case("b2")), writes=True),
        Question("put of a new case", lambda roles: sure(roles.sink).put(case("a1", "default/INC-f")), writes=True),
    ]


async def _consuming(rig: Rig) -> list[Question]:
    """What is received comes again, and what is acknowledged was before: none of this changes what there is to do."""
    rig.post('{"number": 1}')
    async with rig.connected() as roles:
        done = [one.handle for one in await sure(roles.queue).receive(1)]
        await sure(roles.queue).acknowledge(done)
    rig.post('{"number": 2}')
    return [
        Question("receive", lambda roles: sure(roles.queue).receive(1)),
        Question("acknowledge again", lambda roles: sure(roles.queue).acknowledge(done)),
        Question("hold", lambda roles: sure(roles.queue).hold(done)),
    ]


_QUESTIONS: dict[str, Callable[[Rig], Awaitable[list[Question]]]] = {
    "refetch": _refetching,
    "pull": _pulling,
    "inventory": _finding,
    "actuator": _acting,
    "cases": _keeping,
    "queue": _consuming,
}

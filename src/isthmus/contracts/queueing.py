"""Promises of queues: nothing taken from one is lost before it is acknowledged, and nobody else's is ever taken away."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.contracts.checks import Broken
from isthmus.contracts.rig import Rig
from isthmus.contracts.roles import Message, Queue
from isthmus.contracts.staging import HOSTILE, settled, sure
from isthmus.model.errors import IsthmusError

_BODIES = (
    '{"id": "one", "title": "Größe, 漢字, 🙈, \\u202e, \\u0007"}',
    '["<a & b>", "tab\\there", 1e400, "]]>"]',
    "not JSON at all\n",
    '{"id": "' + "x" * 60_000 + '"}',
)
_MOST_TURNS = 20


async def a_message_comes_until_it_is_acknowledged(rig: Rig, role: str) -> None:
    """What was put in arrives, byte for byte; unacknowledged it arrives again under its id, on any connection; and once it
    is acknowledged it never does.
    """
    place = f"{rig.connector.name} {role}"
    _post(rig, _BODIES)
    first = {one.id: one.body for one in await _received(rig, len(_BODIES))}
    if sorted(first.values()) != sorted(one.encode() for one in _BODIES):
        raise Broken(f"{place}: {len(first)} of {len(_BODIES)} messages arrived as they were put in")
    rig.lapse()
    async with rig.connected() as roles:
        again = await _all(sure(roles.queue), len(_BODIES))
        if {one.id: one.body for one in again} != first:
            raise Broken(f"{place}: what was not acknowledged did not come again as it was")
        left = await sure(roles.queue).acknowledge([one.handle for one in again])
    rig.lapse()
    if left or await _received(rig, 1):
        raise Broken(f"{place}: what was acknowledged comes again")


async def a_message_is_with_one_consumer_at_a_time(rig: Rig, role: str) -> None:
    """While one consumer has a message, another one is not given it; when the first never comes back, it is."""
    place = f"{rig.connector.name} {role}"
    _post(rig, _BODIES)
    async with rig.connected() as roles, rig.connected() as others:
        mine = await _all(sure(roles.queue), 2)
        theirs = await _all(sure(others.queue), len(_BODIES))
        if len(mine) != 2 or {one.id for one in mine} & {one.id for one in theirs}:
            raise Broken(f"{place}: two consumers were given the same message, or one more than it asked for")
        await sure(others.queue).acknowledge([one.handle for one in theirs])
    rig.lapse()
    if {one.id for one in await _received(rig, len(_BODIES))} != {one.id for one in mine}:
        raise Broken(f"{place}: what one consumer left lying, or only that, did not go to the other")


async def acknowledging_again_is_no_error(rig: Rig, role: str) -> None:
    """The same acknowledgement twice, of nothing, and together with others, leaves what was not acknowledged."""
    _post(rig, _BODIES)
    async with rig.connected() as roles:
        queue = sure(roles.queue)
        one, *others = await _all(queue, len(_BODIES))
        for handles in ([one.handle], [one.handle], [], [others[0].handle, one.handle]):
            await queue.acknowledge(handles)
        await queue.hold([])
        await queue.hold([one.handle])
    rig.lapse()
    if {each.id for each in await _received(rig, len(_BODIES))} != {each.id for each in others[1:]}:
        raise Broken(f"{rig.connector.name} {role}: acknowledged twice, another message went with it, or it came back")


async def a_handle_that_is_nobodys_takes_nothing_away(rig: Rig, role: str) -> None:
    """Handles that are none are refused or said to be still there; every message still comes."""
    place = f"{rig.connector.name} {role}"
    _post(rig, _BODIES)
    async with rig.connected() as roles:
        queue = sure(roles.queue)
        known = (await _all(queue, 1))[0].handle
        for wrong in (*HOSTILE, known[::-1], f"{known}x", known[:-4]):
            for said in (await settled(queue.acknowledge([wrong])), await settled(queue.hold([wrong]))):
                if isinstance(said, BaseException) and not isinstance(said, IsthmusError):
                    raise Broken(f"{place}: the handle {wrong[:60]!r} raises {type(said).__name__}")
    rig.lapse()
    if len(await _received(rig, len(_BODIES))) != len(_BODIES):
        raise Broken(f"{place}: a handle that is nobody's took a message away")


def _post(rig: Rig, bodies: Iterable[str]) -> None:
    for one in bodies:
        rig.post(one)


async def _received(rig: Rig, most: int) -> list[Message]:
    """What a consumer that connects anew is given."""
    async with rig.connected() as roles:
        return await _all(sure(roles.queue), most)


async def _all(queue: Queue, most: int) -> list[Message]:
    """Up to `most`, in as many calls as it takes; a queue may give fewer than it was asked for."""
    found: list[Message] = []
    for _ in range(_MOST_TURNS):
        more = await queue.receive(most - len(found))
        found += more
        if not more or len(found) >= most:
            break
    return found

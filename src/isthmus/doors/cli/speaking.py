"""Speaks to one connected platform, reading only, and says what works.

Nothing is stored and nothing is written there: the alert asked for, the target looked for and the case read are made up.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass

from isthmus.assembly import Checked
from isthmus.contracts.checks import samples
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Inventory
from isthmus.desk.instances import Instance
from isthmus.doors.cli.screen import shown
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.plans import Action
from isthmus.plan.containment import ABILITIES

WORKS, REFUSED, AWAY, UNCLEAR = "works", "refused", "unreachable", "unclear"
_KINDS = {one.name: one.kind for one in ABILITIES}
_UNKNOWN = re.compile(r"not ?found|no ?such|there is no|knows no|has no |does not know|not there", re.IGNORECASE)
_NOBODY = re.compile(r"credentials|secret |sts:|token|signature|auth", re.IGNORECASE)
_NUMBERED, _AN_ID = re.compile(r"[A-Za-z]{1,8}-[0-9]{3,18}"), re.compile(r"[0-9a-f-]{3,64}")


@dataclass(frozen=True, slots=True)
class Heard:
    """What was asked for, how it went, and what the platform or the connector said."""

    what: str
    answer: str
    said: str


def spoken(checked: Checked) -> list[Heard]:
    """Everything the one instance in `checked` is asked, in one run; its connections are closed."""
    return asyncio.run(_spoken(checked))


async def _spoken(checked: Checked) -> list[Heard]:
    try:
        return [one async for one in _asked(checked.instances[0])]
    finally:
        for outward in checked.outwards:
            await outward.close()


async def _asked(instance: Instance) -> AsyncIterator[Heard]:
    roles, streams = instance.roles, instance.roles.pollable.streams if instance.roles.pollable else ()
    for stream in streams:
        yield await _answered(f"pull {stream}", _page(instance, stream))
    if roles.refetcher is not None:
        made_up = _alert(instance.connector)
        yield await _turned_down(f"refetch of a made-up alert ({made_up})", roles.refetcher.refetch(made_up))
    if roles.inventory is not None and roles.actuator is not None:
        for ability in _one_of_each_kind(roles.actuator.abilities):
            yield await _looked_for(roles.inventory, ability, instance.account)
    if roles.sink is not None:
        yield await _answered("read of a made-up case", _no_case(instance))


async def _page(instance: Instance, stream: str) -> str:
    assert instance.roles.pollable is not None  # noqa: S101 - `_asked` saw to it
    page = await instance.roles.pollable.since(stream, "")
    return f"{len(page.payloads)} alerts on the first page{', and more' if page.more else ''}; not stored"


async def _no_case(instance: Instance) -> str:
    assert instance.roles.sink is not None  # noqa: S101 - `_asked` saw to it
    found = await instance.roles.sink.read(f"INC-{secrets.token_hex(8)}")
    return "cases can be read; whether they can be written shows with the first one" if found is None else "found one"


async def _answered(what: str, asked: Awaitable[str]) -> Heard:
    """Something that must succeed."""
    try:
        return Heard(what, WORKS, shown(await asked))
    except Unreachable as error:
        return Heard(what, AWAY, shown(error))
    except Refused as error:
        return Heard(what, REFUSED, shown(error))


async def _turned_down(what: str, asked: Awaitable[object], otherwise: str = REFUSED) -> Heard:
    """Something that must be refused because it is not there. A no for any other reason counts as `otherwise`."""
    try:
        await asked
    except Unreachable as error:
        return Heard(what, AWAY, shown(error))
    except Refused as error:
        text = shown(error)
        if _UNKNOWN.search(text):
            return Heard(what, WORKS, text)
        return Heard(what, REFUSED if _NOBODY.search(text) else otherwise, text)
    return Heard(what, REFUSED, "it was answered, as if it were there")


async def _looked_for(inventory: Inventory, ability: str, account: str) -> Heard:
    """A cloud may say 'denied' of what is not there: that alone tells nothing about us."""
    kind = _KINDS[ability]
    action = Action(ability, _target(kind), {"account": account} if account else {}, 1)
    return await _turned_down(f"look for a made-up {kind.value.replace('_', ' ')}", inventory.resolve(action), UNCLEAR)


def _one_of_each_kind(abilities: tuple[str, ...]) -> list[str]:
    found = {_KINDS[one]: one for one in reversed(abilities) if one in _KINDS}
    return [one for one in abilities if one in found.values()]


def _alert(vendor: Connector) -> str:
    """An id of the vendor's own form that nobody has: a sample's, with other and more digits.

    Only what could be an id is asked about over the network; the rest is turned down here and would prove nothing.
    """
    told = [one.get("source_id", "") for _, sample in samples(vendor) for one in sample.get("expect", ())]
    forms = [one for pattern in (_NUMBERED, _AN_ID) for one in told if pattern.fullmatch(one)]
    form = forms[0] if forms else ""
    if len(form) < 20:
        head = form.rpartition("-")[0]
        return f"{head}{'-' if head else ''}9{secrets.randbelow(10**14):014d}"
    return "".join(secrets.choice("0123456789") if one.isdigit() else one for one in form)


def _target(kind: AssetKind) -> str:
    digits = f"{secrets.randbits(64):016x}"
    return {
        AssetKind.INSTANCE: f"i-0{digits}",
        AssetKind.BUCKET: f"isthmus-made-up-{digits}",
        AssetKind.ACCESS_KEY: f"AKIA{digits.upper()}",
    }.get(kind, f"isthmus-made-up-{digits}")

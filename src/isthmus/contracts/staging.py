"""What promises are shown with: alerts, cases and ids that are nobody's, and how an answer or a refusal is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from isthmus.contracts.checks import NOW, Broken, drill, fits, read_all, samples
from isthmus.contracts.rig import Rig, Scene
from isthmus.contracts.roles import Actuator, Inventory, Refetcher
from isthmus.model.cases import Case
from isthmus.model.errors import Refused
from isthmus.model.findings import Finding, Kind, Times
from isthmus.model.plans import Action, Preview, Target

T = TypeVar("T")
KEY = "default/INC-0123456789abcdef"
_LONGEST_TEXT = 600
_FEW = 5
HOSTILE = (
    "",
    " ",
    "*",
    "%",
    "..",
    "../../admin",
    "..%2f..%2fadmin",
    "%2e%2e%2fadmin",
    "a/../../b",
    "//198.51.100.7/x",
    "https://198.51.100.7/x",
    "' OR '1'='1",
    '" or 1=1 --',
    "a^active=true",
    "a\r\nx-forged: 1",
    "a\nb",
    "a\x00b",
    "a?scope=All",
    "a#b",
    "a&id=b",
    "a;b",
    "$(id)",
    "${jndi:ldap://198.51.100.7/x}",
    "{{7*7}}",
    '"}}){id} evil: issues{nodes{id}}',
    "javascript:gs.log(1)",
    "NULL",
    "\u202eevil\u2066",
    "ｉ－０１２３４５６７８９ａｂｃｄｅｆ",
    "٣٣٣",
    "🙈" * 40,
    "\ud800",
    "0" * 10_000,
    "a" * 10_000,
    "é" * 10_000,
)
"""What nobody's id is: queries, paths, headers, templates, letters that look like others, lengths."""


def sure(role: T | None) -> T:
    """The role, which is there because the instance plays it."""
    if role is None:
        raise Broken("a role is played on one connection and not on the next")
    return role


class Alerts:
    """Alerts for a rig's platform, each like no other. `kinds` are those the vendor speaks of."""

    def __init__(self, rig: Rig) -> None:
        self._rig, self._vendor = rig, rig.connector
        self.kinds = sorted(self._vendor.simulator.speaks)
        self._forms = {kind: self._form(kind) for kind in self.kinds}

    def hold(self, kind: Kind, number: int) -> tuple[str, bool]:
        """Has the platform know of one more: under which id of the source's, and whether it took it.

        The higher the number, below a thousand, the later it came up; all of them within the last half hour.
        """
        payload = next(iter(self._vendor.simulator.payloads(self._told(kind, number))))
        claim = next(iter(read_all(self._vendor, payload)))
        if not isinstance(claim, Finding):
            raise Broken(f"{self._vendor.name}: the simulator writes a {kind} that its own source does not read")
        try:
            self._rig.hold(payload, NOW - timedelta(seconds=1_100 - number))
        except Refused:
            return claim.source_id, False
        return claim.source_id, True

    async def held(self) -> list[str]:
        """One alert of every kind, by the source's ids; only those this vendor says it can be asked for by their id."""
        told_of = [self.hold(kind, number) for number, kind in enumerate(self.kinds)]
        async with self._rig.connected() as roles:
            refetcher = sure(roles.refetcher)
            found = [own for own, held in told_of if await self._askable(refetcher, own) and held]
        if not found:
            raise Broken(f"{self._vendor.name}: none of the alerts its simulator writes can be read again")
        return found

    async def _askable(self, refetcher: Refetcher, own: str) -> bool:
        """What cannot be asked for is declared in `cannot`, and refused with those words before anything is asked."""
        begun = self._rig.calls()
        said = await settled(refetcher.refetch(own))
        declared = any(why in str(said) for why in self._vendor.cannot.values())
        if isinstance(said, Refused) and not (declared and self._rig.calls() == begun):
            raise Broken(f"{self._vendor.name}: {own} is held and not read again, and `cannot` does not say so: {said}")
        return not isinstance(said, Refused)

    def more(self, turn: int) -> set[str]:
        """A few more of every kind, later than those of the turn before, by the source's ids."""
        numbers = [(kind, 200 * turn + 20 * place + number) for place, kind in enumerate(self.kinds) for number in range(_FEW)]
        return {own for own, held in (self.hold(kind, number) for kind, number in numbers) if held}

    def _told(self, kind: Kind, number: int) -> Finding:
        """A finding on a thing of its own, under an id of the form the vendor's samples show."""
        one = drill(kind, self._vendor.name)
        old = one.asset.ids[0]
        asset = replace(one.asset, ids=(old[:-3] + f"{number:03d}", *one.asset.ids[1:]))
        times = Times(NOW - timedelta(seconds=1_800 - number), NOW - timedelta(seconds=1_200 - number))
        return replace(one, source_id=self._forms[kind][:-3] + f"{number:03d}", asset=asset, times=times)

    def _form(self, kind: Kind) -> str:
        written = next(iter(self._vendor.simulator.payloads(drill(kind, self._vendor.name))))
        shape = next(one.name for one in self._vendor.source.shapes if fits(one, written))
        told = (one for _, sample in samples(self._vendor) if sample["shape"] == shape for one in sample["expect"])
        return next((one["source_id"] for one in told if "source_id" in one), drill(kind, self._vendor.name).source_id)


@contextmanager
def listening() -> Iterator[list[str]]:
    """Everything our own loggers say meanwhile, down to DEBUG."""
    said: list[str] = []
    ours, ears = logging.getLogger("isthmus"), _Ears(said)
    level = ours.level
    ours.addHandler(ears)
    ours.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        ours.setLevel(level)
        ours.removeHandler(ears)


class _Ears(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(f"{self.format(record)} {record.msg!r} {record.args!r}")


def case(version: str, key: str = KEY) -> Case:
    """A case as it reads at this version."""
    return Case(
        key=key,
        version=version,
        title=f"Leaked access key of a payments role, as of {version}",
        priority="act",
        score=91,
        severity="critical",
        verdict="true_positive",
        confidence="high",
        summary=f"What is known at {version}.",
        impact="Reads the bucket of card data.",
        root_cause="The key was pushed to a public repository.",
        owner="payments",
        assets=("role arn:aws:iam::210987654321:role/payments",),
        steps=("deactivate the key: under way",),
        remedies=("Use roles, not keys",),
        links=("https://isthmus.example.com/incidents/INC-0123456789abcdef",),
        note=f"What is new in {version}",
    )


async def seen(inventory: Inventory, actuator: Actuator, scene: Scene) -> tuple[Action, Target, Preview]:
    """The scene set, its target found and its change previewed."""
    action = scene.start()
    target = await inventory.resolve(action)
    return action, target, await actuator.preview(action, target, NOW)


async def settled(asked: Awaitable[object]) -> object:
    """The answer, or whatever error came instead, as a value: which kind it is of is what promises are about."""
    [said] = await asyncio.gather(_awaited(asked), return_exceptions=True)
    return said


async def _awaited(asked: Awaitable[object]) -> object:
    return await asked


async def refused(place: str, asked: Awaitable[object]) -> None:
    """Raises `Broken` unless this is `Refused`, in one clear line."""
    said = await settled(asked)
    if not isinstance(said, Refused):
        raise Broken(f"{place} is not refused: {type(said).__name__} {str(said)[:200]!r}")
    clear(place, said)


def clear(place: str, error: BaseException) -> None:
    """Raises `Broken` unless the text of an error is one line that people can read."""
    text = str(error)
    if not text.strip() or not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise Broken(f"{place}: the error is not one clear line: {text[:200]!r}")


def other_than(own: str) -> str:
    """An id of the same form that is not this one."""
    moved = "".join(str((int(one) + 1) % 10) if one.isascii() and one.isdigit() else one for one in own)
    return moved if moved != own else own[:-1] + ("Q" if own[-1:] != "Q" else "Z")

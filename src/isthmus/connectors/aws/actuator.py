"""Changes the account, and puts it back: the same order of looking, changing and reading back for every ability."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from isthmus.connectors.aws.abilities import ABILITIES, BY_NAME
from isthmus.connectors.aws.clients import Aws
from isthmus.connectors.aws.inventory import handle_of, well_formed
from isthmus.connectors.aws.sight import Ability, Sight
from isthmus.model.errors import Refused
from isthmus.model.plans import Action, Outcome, Preview, Result, Target, version_of

PAUSES = (0.0, 0.5, 1.5, 3.0)
"""Seconds before each reading back: AWS may still show the state before for a moment."""


class AwsActuator:
    """Every change converges: done twice, or done again after half of it, it is done once."""

    def __init__(self, aws: Aws, pauses: Sequence[float] = PAUSES) -> None:
        self._aws = aws
        self._pauses = tuple(pauses)

    @property
    def abilities(self) -> tuple[str, ...]:
        return tuple(one.name for one in ABILITIES)

    async def preview(self, action: Action, target: Target, at: datetime) -> Preview:
        """Reads and writes nothing. Raises `Refused` when it can already be seen that it cannot be done or undone."""
        ability = self._ability(action.ability, target)
        if action.target != target.id:
            raise Refused(f"the action is for {action.target}, the target is {target.id}")
        return await asyncio.to_thread(self._preview, ability, action, target, at)

    async def apply(self, preview: Preview, token: str, at: datetime) -> Outcome:
        """Makes the change. Raises `Refused` when the target is neither as previewed nor on our way from there.

        No call needs the token: each sets a state, and AWS keeps the isolation group's name unique. DONE also when it
        already stands though the preview saw it missing: that is what our own call before a crash leaves.
        """
        del token
        return await asyncio.to_thread(self._make, self._ability(preview.ability, preview.target), preview, at)

    async def verify(self, preview: Preview, at: datetime) -> Outcome:
        """Reads once: DONE when the change stands, FAILED when it does not."""
        return await asyncio.to_thread(self._check, self._ability(preview.ability, preview.target), preview, at)

    async def undo(self, preview: Preview, at: datetime) -> Outcome:
        """Restores what the preview recorded, or says that it stands so. Raises `Refused` on anybody else's change."""
        return await asyncio.to_thread(self._take_back, self._ability(preview.ability, preview.target), preview, at)

    def _ability(self, name: str, target: Target) -> Ability:
        ability, config = BY_NAME.get(name), self._aws.config
        if ability is None:
            raise Refused(f"AWS has no ability {name}")
        ours = handle_of(config.account, target.region, ability.kind, target.id)
        known = well_formed(ability.kind, target.id) and (not target.region or target.region in config.regions)
        if target.handle != ours or not known:
            raise Refused(f"{target.handle[:200]!r} is not {ability.kind.value.replace('_', ' ')} of account {config.account}")
        return ability

    def _preview(self, ability: Ability, action: Action, target: Target, at: datetime) -> Preview:
        sight = ability.look(self._aws, target)
        already, before = sight.stands(), sight.state
        calls = () if already else sight.calls()
        return Preview(ability.name, target, action.parameters, calls, before, version_of(before), at, already)

    def _make(self, ability: Ability, preview: Preview, at: datetime) -> Outcome:
        sight = ability.look(self._aws, preview.target, preview.before)
        self._only_ours(sight, preview)
        if not sight.stands():
            self._change(ability, sight, preview)
            sight = self._read_back(ability, preview, lambda seen: seen.stands())
        return self._stood(preview, sight, Result.ALREADY if preview.already else Result.DONE, at)

    def _change(self, ability: Ability, sight: Sight, preview: Preview) -> None:
        """Makes the change or leaves nothing of it: after a call refused, it is looked at again, and what was begun is put
        back. Where an answer was lost instead, it is asked for again later, and goes on from what stands.
        """
        try:
            sight.make()
        except Refused as error:
            left = ability.look(self._aws, preview.target, preview.before)
            if left.stands():
                return
            if left.same(preview.before) or not left.ours(preview.before):
                raise
            raise Refused(f"{error}; {self._put_back(left, preview)}") from None

    def _put_back(self, left: Sight, preview: Preview) -> str:
        try:
            left.restore(preview.before)
        except Refused as error:
            return f"part of it stands and could not be put back ({error}): a person has to look"
        return "what had been changed was put back"

    def _check(self, ability: Ability, preview: Preview, at: datetime) -> Outcome:
        sight = ability.look(self._aws, preview.target, preview.before)
        return self._stood(preview, sight, Result.DONE, at)

    def _take_back(self, ability: Ability, preview: Preview, at: datetime) -> Outcome:
        sight = ability.look(self._aws, preview.target, preview.before)
        if sight.same(preview.before):
            return Outcome(Result.ALREADY, "it is as it was before", at, self._page(preview.target))
        self._only_ours(sight, preview)
        sight.restore(preview.before)
        sight = self._read_back(ability, preview, lambda seen: seen.same(preview.before))
        if not sight.same(preview.before):
            return _failed("reading back does not show the state before", at)
        return Outcome(Result.UNDONE, "it is again as it was before", at, self._page(preview.target))

    def _only_ours(self, sight: Sight, preview: Preview) -> None:
        if not sight.ours(preview.before):
            raise Refused(f"{preview.target.id} was changed by somebody else since the preview: a person has to look")

    def _read_back(self, ability: Ability, preview: Preview, done: Callable[[Sight], bool]) -> Sight:
        sight = None
        for pause in self._pauses:
            time.sleep(pause)
            sight = ability.look(self._aws, preview.target, preview.before)
            if done(sight):
                break
        return sight or ability.look(self._aws, preview.target, preview.before)

    def _stood(self, preview: Preview, sight: Sight, result: Result, at: datetime) -> Outcome:
        if not sight.stands():
            return _failed("reading back does not show it", at)
        return Outcome(result, sight.shown(), at, self._page(preview.target))

    def _page(self, target: Target) -> str:
        """Where people see it in AWS's console; nothing for another endpoint or partition."""
        if self._aws.config.endpoint_url or self._aws.caller().partition != "aws":
            return ""
        console = f"https://{target.region or 'us-east-1'}.console.aws.amazon.com"
        pages = {
            "instance": f"/ec2/home?region={target.region}#InstanceDetails:instanceId={target.id}",
            "bucket": f"/s3/buckets/{target.id}",
            "access_key": "/iam/home#/users",
        }
        return console + pages[target.kind.value]


def _failed(why: str, at: datetime) -> Outcome:
    return Outcome(Result.FAILED, why, at)

"""Promises of what changes something: inventories and actuators, and where cases are kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from isthmus.contracts.checks import NOW, Broken
from isthmus.contracts.rig import Rig, Scene
from isthmus.contracts.roles import CaseSink, Roles
from isthmus.contracts.staging import HOSTILE, KEY, case, other_than, refused, seen, settled, sure
from isthmus.model.cases import Case
from isthmus.model.errors import Unreachable
from isthmus.model.estate import Criticality, Environment
from isthmus.model.plans import Action, Outcome, Preview, Result, Target, version_of

_FEWEST_SCENES = 2
_MOST_REQUESTS = 20
_DONE, _UNDONE, _ALREADY, _FAILED = Result.DONE, Result.UNDONE, Result.ALREADY, Result.FAILED


async def a_target_is_found_by_its_own_id_only(rig: Rig, role: str) -> None:
    """What is there gets a handle of its own, with what only we know left open; what is not there, is of another kind or
    cannot be an id is refused, and nothing is changed.
    """
    handles = set()
    async with rig.connected() as roles:
        inventory, abilities = sure(roles.inventory), sure(roles.actuator).abilities
        actions = [rig.scenes(ability)[0].start() for ability in abilities]
        before = rig.state()
        for action in actions:
            handles.add(_well_found(rig, action, await inventory.resolve(action)))
            for wrong in (other_than(action.target), *HOSTILE, *(f"{action.target}{one}" for one in HOSTILE[1:])):
                await refused(
                    f"{rig.connector.name} {action.ability} of {wrong[:40]!r}", inventory.resolve(replace(action, target=wrong))
                )
            await refused(
                f"{rig.connector.name} an unknown ability", inventory.resolve(replace(action, ability="nobody.can_do_this"))
            )
    if len(handles) != len(actions):
        raise Broken(f"{rig.connector.name} {role}: different targets have one handle")
    _unchanged(rig, before, f"{role}: looking for targets")


def _well_found(rig: Rig, action: Action, target: Target) -> str:
    left = (Environment.PRODUCTION, Criticality.MEDIUM, "", False)
    ours = (target.environment, target.criticality, target.owner, target.crown_jewel)
    if target.id != action.target or not target.handle or not target.provenance or ours != left:
        raise Broken(f"{rig.connector.name}: {action.target} is found as {target}")
    return target.handle


async def a_change_is_seen_first_and_made_once(rig: Rig, role: str) -> None:
    """From every starting state: a preview writes nothing, tells all of the state before, and does not stand yet; making
    it twice makes it once; it then stands, and a preview says so.
    """
    async for roles, scene in _scenes(rig):
        place = f"{role}: {scene.title}"
        inventory, actuator = sure(roles.inventory), sure(roles.actuator)
        action = scene.start()
        before, written = rig.state(), rig.writes()
        target = await inventory.resolve(action)
        preview = await actuator.preview(action, target, NOW)
        _whole(rig, place, preview)
        _is(rig, place, "verify before", await actuator.verify(preview, NOW), _FAILED)
        _unchanged(rig, before, f"{place}: preview and verify")
        _unwritten(rig, written, f"{place}: preview and verify")
        _is(rig, place, "making it", await rig.effect(actuator, preview), _DONE)
        made, written = rig.state(), rig.writes()
        if made == before:
            raise Broken(f"{rig.connector.name} {place}: it is said to be done, and nothing changed")
        _is(rig, place, "verify after", await actuator.verify(preview, NOW), _DONE)
        _is(rig, place, "making it again", await rig.effect(actuator, preview), _DONE, _ALREADY)
        if not (await actuator.preview(action, target, NOW)).already:
            raise Broken(f"{rig.connector.name} {place}: a preview does not see that it stands already")
        _unchanged(rig, made, f"{place}: making it again")
        _unwritten(rig, written, f"{place}: making it again")


def _whole(rig: Rig, place: str, preview: Preview) -> None:
    kept = json.loads(json.dumps(preview.before)) == preview.before
    if not kept or preview.version != version_of(preview.before) or not preview.calls or preview.already:
        raise Broken(f"{rig.connector.name} {place}: the preview is not whole: {preview}")


async def a_change_is_taken_back_whole(rig: Rig, role: str) -> None:
    """From every starting state: undo restores it, on another connection than made it; undoing twice is undoing once, and
    what was never made is not there to be undone.
    """
    async for roles, scene in _scenes(rig):
        place, actuator = f"{role}: {scene.title}", sure(roles.actuator)
        _, _, preview = await seen(sure(roles.inventory), actuator, scene)
        before = rig.state()
        _is(rig, place, "undo of what was not made", await rig.reversal(actuator, preview), _ALREADY)
        _is(rig, place, "making it", await rig.effect(actuator, preview), _DONE)
        async with rig.connected() as later:
            _is(rig, place, "undo", await rig.reversal(sure(later.actuator), preview), _UNDONE)
            _unchanged(rig, before, f"{place}: making it and taking it back")
            written = rig.writes()
            _is(rig, place, "undo again", await rig.reversal(sure(later.actuator), preview), _ALREADY)
            _is(rig, place, "verify after undo", await sure(later.actuator).verify(preview, NOW), _FAILED)
        _unchanged(rig, before, f"{place}: taking it back again")
        _unwritten(rig, written, f"{place}: taking it back again")


async def somebody_elses_change_is_left_alone(rig: Rig, role: str) -> None:
    """After somebody else changed the target, making the change and taking it back are refused, and change nothing."""
    async with rig.connected() as roles:
        actuator = sure(roles.actuator)
        for ability in actuator.abilities:
            for scene, made in zip(rig.scenes(ability)[:2], (False, True), strict=True):
                action, _, preview = await seen(sure(roles.inventory), actuator, scene)
                if made:
                    await rig.effect(actuator, preview)
                scene.meddle(action)
                theirs, written = rig.state(), rig.writes()
                place = f"{role}: {scene.title}, {'made' if made else 'not made'} and then changed by somebody else"
                await refused(f"{rig.connector.name} {place}: undo", rig.reversal(actuator, preview))
                await refused(f"{rig.connector.name} {place}: making it", rig.effect(actuator, preview))
                _unchanged(rig, theirs, place)
                _unwritten(rig, written, place)


async def what_was_not_found_is_not_touched(rig: Rig, role: str) -> None:
    """An ability nobody has, a handle that is not the inventory's, no target at all and a wildcard are refused, by preview
    as by what comes after it; nothing is changed. Every ability says what it must be allowed.
    """
    async with rig.connected() as roles:
        actuator = sure(roles.actuator)
        if not actuator.abilities or len(set(actuator.abilities)) != len(actuator.abilities):
            raise Broken(f"{rig.connector.name} {role}: no abilities, or one twice: {actuator.abilities}")
        for ability in actuator.abilities:
            _permitted(rig, ability)
            action, target, preview = await seen(sure(roles.inventory), actuator, rig.scenes(ability)[0])
            before = rig.state()
            for wrong, asked in _forged(action, target):
                place = f"{rig.connector.name} {role}: {asked.ability} of {asked.target[:40]!r} by {wrong.handle[:60]!r}"
                await refused(place, actuator.preview(asked, wrong, NOW))
                forged = replace(preview, ability=asked.ability, target=wrong)
                for attempt in (rig.effect(actuator, forged), rig.reversal(actuator, forged), actuator.verify(forged, NOW)):
                    await refused(place, attempt)
            _unchanged(rig, before, f"{role}: {ability} of what was not found")


def _permitted(rig: Rig, ability: str) -> None:
    if not any(ability in one.abilities for one in rig.connector.permissions):
        raise Broken(f"{rig.connector.name}: {ability} declares no permission it needs")


def _forged(action: Action, target: Target) -> Sequence[tuple[Target, Action]]:
    """Targets and actions no inventory of this instance would put together."""
    found = [
        (target, replace(action, ability="nobody.can_do_this")),
        (replace(target, handle=""), action),
        (replace(target, handle="*"), action),
        (replace(target, handle=f"{target.handle}x"), action),
        (replace(target, handle=other_than(target.handle)), action),
        (replace(target, handle=target.handle.replace(target.account, "1" * 12)), action),
    ]
    for other in ("", "*", " ", "all", "..", f"{target.id},{target.id}", f"{target.id}*", other_than(target.id), "a" * 10_000):
        handle = target.handle.replace(target.id, other)
        found += [(replace(target, id=other), replace(action, target=other))]
        found += [(replace(target, id=other, handle=handle), replace(action, target=other))]
    return found


async def a_case_is_kept_once(rig: Rig, role: str) -> None:
    """The same put twice leaves one case and one note, and so does every put on a new connection; each version adds its
    note once, and reading gives back ours. A case nobody put is not there.
    """
    place = f"{rig.connector.name} {role}"
    number = ""
    for turn, version in enumerate(("a1", "b2", "c3")):
        async with rig.connected() as roles:
            first = await sure(roles.sink).put(case(version))
        kept = rig.state()
        async with rig.connected() as roles:
            again = await sure(roles.sink).put(case(version))
            read = await sure(roles.sink).read(KEY)
            absent = await sure(roles.sink).read("default/INC-00000000000000")
        _unchanged(rig, kept, f"{role}: the same put again")
        number = number or first.id
        ours = [(one.id, one.version) for one in (first, again, sure(read))]
        if ours != [(number, version)] * 3 or (first.created, again.created) != (turn == 0, False) or absent is not None:
            raise Broken(f"{place}: put and read of {version} give {first}, {again}, {read}, {absent}")
        _kept_once(rig, place, ["a1", "b2", "c3"][: turn + 1])


def _kept_once(rig: Rig, place: str, versions: Sequence[str]) -> None:
    told = rig.notes(KEY)
    if len(rig.records(KEY)) != 1:
        raise Broken(f"{place}: there are {len(rig.records(KEY))} cases of one key")
    if [sum(case(version).note in one for one in told) for version in versions] != [1] * len(versions):
        raise Broken(f"{place}: the versions {versions} left these notes: {told}")


async def a_lost_answer_leaves_one_case(rig: Rig, role: str) -> None:
    """Whichever request of a put breaks off after the platform carried it out, opening a case or changing one, the next
    put leaves one case, and one note for each version; so does sending it again by itself, as far as it does.
    """
    async with rig.connected(attempts=2) as roles:
        sink = sure(roles.sink)
        for versions in (("a1",), ("a1", "b2")):
            for after in range(_MOST_REQUESTS):
                key = f"default/INC-{len(versions)}{after:015x}"
                for version in versions[:-1]:
                    await sink.put(case(version, key))
                if await _lost(rig, role, sink, case(versions[-1], key), after) <= after:
                    break
                kept = len(rig.records(key)), len(rig.notes(key))
                if kept != (1, len(versions)):
                    raise Broken(f"{rig.connector.name} {role}: lost after {after} requests: {kept} cases and notes")


async def _lost(rig: Rig, role: str, sink: CaseSink, wanted: Case, after: int) -> int:
    """How many requests a put took of which one was carried out and not answered; then the same put again."""
    begun = rig.calls()
    rig.break_down("reset-after", after, times=1)
    said = await settled(sink.put(wanted))
    rig.mend()
    if isinstance(said, BaseException) and not isinstance(said, Unreachable):
        raise Broken(f"{rig.connector.name} {role}: an answer lost after {after} requests comes to {said!r}")
    spent = rig.calls() - begun
    await sink.put(wanted)
    return spent


async def what_people_wrote_stays(rig: Rig, role: str) -> None:
    """A case people took up keeps their fields through every later put, which reaches the same case; reading tells their
    words, and our next version is there beside them.
    """
    place = f"{rig.connector.name} {role}"
    async with rig.connected() as roles:
        sink = sure(roles.sink)
        opened = await sink.put(case("a1"))
        before = sure(await sink.read(KEY))
        theirs = rig.people_write(KEY)
        taken = sure(await sink.read(KEY))
        if (taken.state, taken.assigned_to, taken.note) == (before.state, before.assigned_to, before.note):
            raise Broken(f"{place}: people took the case up, and reading it does not tell")
        for version in ("b2", "b2", "c3"):
            put = await sink.put(case(version))
            (stored,) = rig.records(KEY)
            lost = {name: stored.get(name, "") for name, value in theirs.items() if stored.get(name, "") != value}
            if lost or put.id != opened.id or put.version != version:
                raise Broken(f"{place}: putting {version} left {put}, and in people's fields {lost}")
        after = sure(await sink.read(KEY))
        if (after.state, after.assigned_to, after.note) != (taken.state, taken.assigned_to, taken.note):
            raise Broken(f"{place}: people's words were {taken}, and are {after} after our puts")


async def a_key_that_is_no_key_is_refused(rig: Rig, role: str) -> None:
    """A hostile key is refused by put and read before anything is written."""
    async with rig.connected() as roles:
        sink = sure(roles.sink)
        await sink.put(case("a1"))
        before = rig.state()
        for key in (*HOSTILE, *(f"{KEY}{one}" for one in HOSTILE[1:] if not one.isalnum() or not one.isascii())):
            await refused(f"{rig.connector.name} {role}: put of {key[:60]!r}", sink.put(case("a1", key)))
            await refused(f"{rig.connector.name} {role}: read of {key[:60]!r}", sink.read(key))
        _unchanged(rig, before, f"{role}: hostile keys")
        await sink.put(case("b2"))


async def _scenes(rig: Rig) -> AsyncIterator[tuple[Roles, Scene]]:
    """Every starting state of every ability, of which each has several."""
    async with rig.connected() as roles:
        for ability in sure(roles.actuator).abilities:
            scenes = rig.scenes(ability)
            if len(scenes) < _FEWEST_SCENES:
                raise Broken(f"{rig.connector.name}: {ability} has {len(scenes)} starting states, and needs {_FEWEST_SCENES}")
            for scene in scenes:
                yield roles, scene


def _is(rig: Rig, place: str, what: str, outcome: Outcome, *wanted: Result) -> None:
    if outcome.result not in wanted or not outcome.detail.isprintable():
        raise Broken(f"{rig.connector.name} {place}: {what} came to {outcome}")


def _unchanged(rig: Rig, before: object, place: str) -> None:
    if rig.state() != before:
        raise Broken(f"{rig.connector.name} {place} changed the platform")


def _unwritten(rig: Rig, before: int | None, place: str) -> None:
    if rig.writes() != before:
        raise Broken(f"{rig.connector.name} {place} sent calls that write")

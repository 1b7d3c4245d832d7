"""Builds everything from settings; the only file that knows every room, and the only one that opens the catalogue."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from isthmus import connectors, decide
from isthmus.act.guard import config as guard_config
from isthmus.act.guard.config import GuardConfig
from isthmus.act.guard.switch import read as read_switch
from isthmus.answer.case import case_of
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Source
from isthmus.decide import bundle as bundles
from isthmus.desk.carrying import Pace
from isthmus.desk.desk import Desk
from isthmus.desk.guarding import Guarding
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.paging import Pager, Way
from isthmus.desk.promises import Bounds
from isthmus.desk.queues import Queues, place_of
from isthmus.desk.reading import Reader
from isthmus.desk.recording import FOLDER, Recording
from isthmus.desk.watch import Watch
from isthmus.desk.words import Words
from isthmus.desk.work import Work
from isthmus.model.cases import Case
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.incidents import Incident
from isthmus.model.people import Person
from isthmus.pipeline import Parts
from isthmus.record import grants, people
from isthmus.record.checkpoints import Signer
from isthmus.record.cosignatures import witness_key_of
from isthmus.record.cosigning import Receipts
from isthmus.record.grants import Grant
from isthmus.record.intel import load as load_intel
from isthmus.record.shipping import Shipping
from isthmus.record.store import KILL, Store, address, open_store
from isthmus.settings import Loaded, Settings
from isthmus.steps import Authority
from isthmus.wire.address import way
from isthmus.wire.http import WireOutward
from isthmus.wire.secrets import resolve

READ_ONLY = Path(decide.__file__).parent / "packs" / "read-only"
LOG_NAME = "isthmus"


@cache
def catalogue() -> tuple[Connector, ...]:
    """Every vendor there is: the folders of `connectors`, in the order of their names."""
    found = []
    for module in pkgutil.iter_modules(connectors.__path__):
        declared = importlib.import_module(f"isthmus.connectors.{module.name}").CONNECTOR
        if not isinstance(declared, Connector) or declared.name != module.name:
            raise IsthmusError(f"connectors/{module.name}: CONNECTOR must be a Connector named {module.name!r}")
        found.append(declared)
    return tuple(found)


def sources() -> tuple[Source, ...]:
    """Every vendor's source, for recognising what nobody announced."""
    return tuple(connector.source for connector in catalogue())


def intel_folder() -> Path:
    """Where refreshed intelligence lies for this user."""
    return Path(platformdirs.user_data_dir("isthmus")) / "intel"


def data_folder(loaded: Loaded) -> Path:
    """Where database, keys and kill switch of this installation lie."""
    return loaded.at(loaded.settings.data) or Path(platformdirs.user_data_dir("isthmus"))


def begun(loaded: Loaded) -> bool:
    """Whether this installation has a database."""
    folder = data_folder(loaded)
    return (folder / "isthmus.db").exists() if loaded.settings.database is None else (folder / "keys").exists()


def opened(loaded: Loaded) -> Store:
    """The database of these settings, made or brought up to date; close it. Raises `IsthmusError` when it cannot be."""
    given, password = loaded.settings.database, loaded.settings.database_password
    url = None if given is None else address(given)
    if url is not None and password is not None:
        url = url.set(password=resolve(password).reveal())
    return open_store(data_folder(loaded), url)


def parts(settings: Settings, intel: Path | None) -> Parts:
    """The line, ready to triage on these settings; it decides and does nothing."""
    return Parts(sources=sources(), intel=load_intel(intel), estate=settings.estate())


def connector(name: str) -> Connector:
    """The vendor of this name. Raises `Untrusted` naming those there are."""
    found = next((one for one in catalogue() if one.name == name), None)
    if found is None:
        raise Untrusted(f"no such connector; there are {', '.join(one.name for one in catalogue())}", name)
    return found


@dataclass(frozen=True, slots=True)
class Checked:
    """Settings whose every reference was followed, short of speaking to anybody."""

    loaded: Loaded
    bundle: bundles.Bundle
    guard: GuardConfig
    instances: tuple[Instance, ...]
    outwards: tuple[WireOutward, ...]
    pager: Pager
    calling: WireOutward
    clock: Callable[[], datetime]
    witnessing: WireOutward


def check(loaded: Loaded, now: Callable[[], datetime]) -> Checked:
    """Follow everything the settings name: policy, guard, connectors, secrets. Raises `Untrusted` or `Refused`."""
    settings = loaded.settings
    guard = loaded.at(settings.guard)
    bundle = bundles.load(loaded.at(settings.policy) or READ_ONLY)
    made = [_instance(loaded, name, now) for name in settings.instances]
    config = guard_config.load(guard) if guard is not None else guard_config.DEFAULT
    # Somebody is to be called soon or not at all: the next turn of the watch tries again.
    calling = WireOutward(now, loaded.at(settings.authority), attempts=2, patience=8.0, timeout=4.0)
    pager = Pager(settings.server.url or LOG_NAME, _way(calling, settings.watch.url), _way(calling, settings.watch.heartbeat))
    # A witness that is slow holds up the record, so it is asked once, and again the next second.
    witnessing = WireOutward(now, loaded.at(settings.authority), attempts=1, timeout=4.0)
    outwards = *(outward for _, outward in made), witnessing
    instances = tuple(one for one, _ in made)
    for one in instances:
        if one.roles.queue is not None:
            place_of(one, Instances(instances), frozenset(vendor.name for vendor in catalogue() if vendor.source.shapes))
    return Checked(loaded, bundle, config, instances, outwards, pager, calling, now, witnessing)


def _way(calling: WireOutward, reference: str | None) -> Way | None:
    return None if reference is None else Way(*way(calling, reference))


def _instance(loaded: Loaded, name: str, now: Callable[[], datetime]) -> tuple[Instance, WireOutward]:
    given = loaded.settings.instances[name]
    place = f"{loaded.name} instances.{name}"
    vendor = connector(given.connector)
    if vendor.config is None or vendor.connect is None:
        raise Untrusted(f"{vendor.title} is read from exports only; it cannot be connected", place)
    try:
        config = vendor.config.model_validate(given.config)
    except ValidationError as error:
        raise Untrusted(loaded.told(error, "instances", name, "config")) from None
    outward = WireOutward(now, loaded.at(loaded.settings.authority))
    shared = getattr(config, "webhook_secret", None)
    account = str(getattr(config, "account", ""))
    roles = vendor.connect(config, outward)
    secret = outward.secret(shared) if shared else None
    return Instance(name, given.tenant, vendor, roles, account, secret), outward


@dataclass(frozen=True, slots=True)
class House:
    """A running installation: what doors ask, and what does the work.

    `bundle` is the policy in force: the `wanted` one once somebody granted it, read-only before. `calling` belongs to who
    turns the `watch`, and is closed there.
    """

    desk: Desk
    work: Work
    store: Store
    signer: Signer
    bundle: bundles.Bundle
    wanted: bundles.Bundle
    grant: Grant | None
    outwards: tuple[WireOutward, ...]
    watch: Watch
    calling: WireOutward
    recording: Recording
    queues: Queues

    async def close(self) -> None:
        """Close every connection and the database."""
        async with AsyncExitStack() as closing:
            closing.callback(self.store.close)
            for one in self.outwards:
                closing.push_async_callback(one.close)


def house(checked: Checked) -> House:
    """An installation on these settings, its database open."""
    settings, folder = checked.loaded.settings, data_folder(checked.loaded)
    store = opened(checked.loaded)
    switch = folder / KILL
    instances = Instances(checked.instances)
    with store.reading() as connection:
        grant = grants.of(connection, store.keys, checked.bundle.digest)
    bundle = checked.bundle if grant is not None else bundles.load(READ_ONLY)
    recording = _recording(checked, store)
    guarding = Guarding(store, checked.guard, switch, instances, recording.receipts)
    authority = _authority(checked, bundle, store, instances, guarding)
    line = replace(parts(settings, intel_folder()), authority=authority)
    refetchable = frozenset(one.name for one in checked.instances if one.roles.refetcher is not None)
    readers = {one.name: one.source for one in catalogue() if one.source.shapes}
    pace, every = Pace(_worker(store)), timedelta(seconds=settings.clocks.pull_seconds)
    reader = Reader(store, readers, frozenset(line.intel.exploited), refetchable, pace.owner)
    work = Work(store, line, instances, reader, every, pace, _ticks)
    queues = Queues(store, instances, readers, checked.clock)
    signer = recording.signer
    desk = Desk(store, instances, Words(store), signer.key)
    watch = Watch(store, instances, lambda: _stopped(switch, recording), _bounds(settings), checked.pager)
    calling = checked.calling
    return House(desk, work, store, signer, bundle, checked.bundle, grant, checked.outwards, watch, calling, recording, queues)


def log_signer(loaded: Loaded, store: Store) -> Signer:
    """What signs the record of this installation."""
    return Signer(loaded.settings.record.origin, store.keys.private)


def _recording(checked: Checked, store: Store) -> Recording:
    told, folder = checked.loaded.settings.record, data_folder(checked.loaded) / FOLDER
    signer, receipts = log_signer(checked.loaded, store), None
    if told.witness is not None:
        way_there = checked.witnessing.http(told.witness.url, per_second=20.0)
        witness = witness_key_of(told.witness.key)
        receipts = Receipts(store, signer.key, folder, witness, way_there, told.witness.required)
    file = checked.loaded.at(told.export.file) if told.export is not None else None
    shipping = Shipping(file, told.export.format) if file is not None and told.export is not None else None
    return Recording(store, signer, folder, receipts, shipping)


def _stopped(switch: Path, recording: Recording) -> str:
    """What of the kill switch is on, and why; and why nothing is carried out though none is."""
    lost = recording.receipts.safe() if recording.receipts is not None else ""
    switched = [f"kill switch {name}: {reason}" for name, reason in sorted(read_switch(switch).on.items())]
    return "; ".join([*switched, lost] if lost else switched)


def _bounds(settings: Settings) -> Bounds:
    unreachable = max(Bounds().unreachable, 5 * timedelta(seconds=settings.clocks.pull_seconds))
    unread, undecided = (timedelta(seconds=one) for one in (settings.watch.unread_seconds, settings.watch.undecided_seconds))
    return Bounds(unread=unread, undecided=undecided, unreachable=unreachable)


def _worker(store: Store) -> str:
    """A name nobody else works under. With the embedded database there is one worker, which takes up what it left."""
    return f"{platform.node()[:32]}-{os.getpid()}-{secrets.token_hex(4)}" if store.shared else "embedded"


def _ticks() -> float:
    """Seconds of a clock nobody sets, which goes on while the machine sleeps where the system has one that does."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _authority(checked: Checked, bundle: bundles.Bundle, store: Store, instances: Instances, guarding: Guarding) -> Authority:
    settings, clocks = checked.loaded.settings, checked.loaded.settings.clocks
    url = settings.server.url.rstrip("/")

    def case(incident: Incident) -> Case:
        return case_of(incident, f"{url}/incidents/{incident.id}" if url else "")

    def register(tenant: str) -> dict[str, Person]:
        with store.reading() as connection:
            return people.register(connection, store.keys, tenant)

    return Authority(
        bundle=bundle,
        hand=lambda action, incident: instances.hand(action, incident, case),
        guard=guarding.check,
        people=register,
        verify=store.keys.verify,
        render=case,
        nonce=lambda: secrets.token_hex(16),
        approve_within=timedelta(minutes=clocks.approve_minutes),
        execute_within=timedelta(minutes=clocks.execute_minutes),
        lease=timedelta(hours=clocks.lease_hours),
    )

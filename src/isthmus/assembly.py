"""Builds everything from settings; the only file that knows every room, and the only one that opens the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
import secrets
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
from isthmus.answer.case import case_of
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Source
from isthmus.decide import bundle as bundles
from isthmus.desk.desk import Desk
from isthmus.desk.guarding import Guarding
from isthmus.desk.instances import Instance, Instances
from isthmus.desk.reading import Reader
from isthmus.desk.words import Words
from isthmus.desk.work import Work
from isthmus.model.cases import Case
from isthmus.model.errors import IsthmusError, Untrusted
from isthmus.model.incidents import Incident
from isthmus.model.people import Person
from isthmus.pipeline import Parts
from isthmus.record import grants, people
from isthmus.record.checkpoints import Signer
from isthmus.record.grants import Grant
from isthmus.record.intel import load as load_intel
from isthmus.record.store import KILL, Store, address, open_store
from isthmus.settings import Loaded, Settings
from isthmus.steps import Authority
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


def check(loaded: Loaded, now: Callable[[], datetime]) -> Checked:
    """Follow everything the settings name: policy, guard, connectors, secrets. Raises `Untrusted` or `Refused`."""
    settings = loaded.settings
    guard = loaded.at(settings.guard)
    bundle = bundles.load(loaded.at(settings.policy) or READ_ONLY)
    made = [_instance(loaded, name, now) for name in settings.instances]
    config = guard_config.load(guard) if guard is not None else guard_config.DEFAULT
    return Checked(loaded, bundle, config, tuple(one for one, _ in made), tuple(outward for _, outward in made))


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

    `bundle` is the policy in force: the `wanted` one once somebody granted it, read-only before.
    """

    desk: Desk
    work: Work
    store: Store
    signer: Signer
    bundle: bundles.Bundle
    wanted: bundles.Bundle
    grant: Grant | None
    outwards: tuple[WireOutward, ...]

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
    authority = _authority(checked, bundle, store, instances, switch)
    line = replace(parts(settings, intel_folder()), authority=authority)
    refetchable = frozenset(one.name for one in checked.instances if one.roles.refetcher is not None)
    readers = {one.name: one.source for one in catalogue() if one.source.shapes}
    reader = Reader(store, readers, frozenset(line.intel.exploited), refetchable)
    work = Work(store, line, instances, reader, timedelta(seconds=settings.clocks.pull_seconds))
    signer = Signer(LOG_NAME, store.keys.private)
    desk = Desk(store, instances, Words(store), signer.key)
    return House(desk, work, store, signer, bundle, checked.bundle, grant, checked.outwards)


def _authority(checked: Checked, bundle: bundles.Bundle, store: Store, instances: Instances, switch: Path) -> Authority:
    settings, clocks = checked.loaded.settings, checked.loaded.settings.clocks
    url = settings.server.url.rstrip("/")

    def case(incident: Incident) -> Case:
        return case_of(incident, f"{url}/incidents/{incident.id}" if url else "")

    def register(tenant: str) -> dict[str, Person]:
        with store.reading() as connection:
            return people.register(connection, store.keys, tenant)

    guarding = Guarding(store, checked.guard, switch, instances)
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

"""`isthmus serve`: the line as one process, until it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from isthmus import assembly
from isthmus.assembly import Checked
from isthmus.doors.cli import clock, given, policy
from isthmus.doors.cli.config import connected, look
from isthmus.doors.cli.config import told as summed_up
from isthmus.doors.cli.given import Config
from isthmus.doors.cli.screen import screen, warn
from isthmus.doors.serving import Running, quiet_logs, running
from isthmus.record import people

_ENDING = (signal.SIGINT, signal.SIGTERM)


def serve(
    check: Annotated[bool, typer.Option("--check", help="Only check the settings, as `isthmus config check`.")] = False,
    config: Config = None,
) -> None:
    """Take deliveries, work on them, and answer people and programs, until SIGINT or SIGTERM."""
    quiet_logs()
    loaded = given.settings(config)
    looked, console = look(loaded, clock.now), screen()
    checked = looked.sound()
    if check:
        summed_up(checked, looked.warnings, console)
        return
    with _until_told() as told, running(loaded, clock.now) as service:
        _say(service, checked, console)
        for one in looked.warnings:
            warn(f"warning: {one}")
        told.wait()
    console.print("ended")


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Set once somebody wants the process to end; a second wish changes nothing about a clean end."""
    wanted = threading.Event()
    before = {one: signal.signal(one, lambda *_: wanted.set()) for one in _ENDING}
    try:
        yield wanted
    finally:
        for one, way in before.items():
            signal.signal(one, way)


def _say(service: Running, checked: Checked, console: Console) -> None:
    house, loaded = service.house, checked.loaded
    reached = loaded.settings.server.url
    console.print(f"Isthmus answers at {service.url}{f' ({reached})' if reached else ''}", style="bold", soft_wrap=True)
    console.print(f"data: {assembly.data_folder(loaded).resolve()}", soft_wrap=True)
    stands = policy.Standing(house.wanted, loaded.settings.policy is not None, house.grant)
    console.print(f"policy: {stands.told}", soft_wrap=True)
    if stands.named and stands.grant is None:
        console.print(f"  isthmus policy grant --by PERSON --reason WHY{_with(checked)}", soft_wrap=True)
    connected(checked, console)
    if not _registered(service, checked):
        console.print("Nobody is registered yet. The first person, and their key:")
        console.print(f"  isthmus people add ada --name 'Ada Okafor' --role admin{_with(checked)}", soft_wrap=True)
        console.print(f"  isthmus keys new ada{_with(checked)}", soft_wrap=True)


def _with(checked: Checked) -> str:
    return f" --config {checked.loaded.name}" if checked.loaded.name else ""


def _registered(service: Running, checked: Checked) -> bool:
    store = service.house.store
    with store.reading() as connection:
        tenants = {"default", *(one.tenant for one in checked.instances)}
        return any(people.register(connection, store.keys, one) for one in tenants)

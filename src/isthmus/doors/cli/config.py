"""`isthmus config check`: everything that is wrong with the settings, where it stands, and what they come to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import typer
from rich.console import Console

from isthmus import assembly
from isthmus.act.guard import config as guard_config
from isthmus.assembly import Checked
from isthmus.decide import bundle as bundles
from isthmus.doors import serving
from isthmus.doors.cli import clock, given, policy
from isthmus.doors.cli.given import Config
from isthmus.doors.cli.roles import played
from isthmus.doors.cli.screen import CodedGroup, columns, screen, warn
from isthmus.model.errors import IsthmusError, Refused, Untrusted
from isthmus.model.estate import Environment
from isthmus.settings import Loaded
from isthmus.wire.http import WireOutward
from isthmus.wire.secrets import resolve

app = typer.Typer(cls=CodedGroup, help="The settings.", no_args_is_help=True)

_SHORTEST = 5
Part = tuple[tuple[str, ...], Callable[[], object]]
"""A key of the settings, and what raises when something is wrong with what it names."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found: `checked` when nothing is wrong; `warnings` are about what is allowed and probably not meant."""

    checked: Checked | None
    wrong: tuple[str, ...]
    warnings: tuple[str, ...]

    def sound(self) -> Checked:
        """The checked settings. Raises `Untrusted` with everything that is wrong."""
        if self.checked is None or self.wrong:
            raise Untrusted("\n".join(self.wrong))
        return self.checked


@app.command("check")
def check(config: Config = None) -> None:
    """Follow everything the settings name, short of speaking to anybody.

    Exit code 2 when something is wrong: all of it is said, each with its file, key and line. Warnings do not count.
    """
    looked = look(given.settings(config), clock.now)
    told(looked.sound(), looked.warnings, screen())


def look(loaded: Loaded, now: Callable[[], datetime]) -> Looked:
    """Check settings that could be read."""
    wrong = [*_served(loaded), *_tried(loaded, _files(loaded, now))]
    try:
        checked = assembly.check(loaded, now)
    except IsthmusError as error:
        wrong += _tried(loaded, _named(loaded, now))
        return Looked(None, tuple(wrong or [str(error)]), ())
    return Looked(checked, tuple(wrong), tuple(_warnings(checked)))


def _files(loaded: Loaded, now: Callable[[], datetime]) -> Iterator[Part]:
    """What is cheap to look at, and may be wrong though nothing uses it yet."""
    guard, authority = loaded.at(loaded.settings.guard), loaded.at(loaded.settings.authority)
    if guard is not None:
        yield ("guard",), lambda: guard_config.load(guard)
    if authority is not None:
        yield ("authority",), lambda: WireOutward(now, authority)


def _named(loaded: Loaded, now: Callable[[], datetime]) -> Iterator[Part]:
    """Policy and instances, each by itself: the first that is wrong would hide the others."""
    named = loaded.at(loaded.settings.policy)
    if named is not None:
        yield ("policy",), lambda: bundles.load(named)
    rest = replace(loaded, settings=loaded.settings.model_copy(update={"authority": None}))
    for name in loaded.settings.instances:
        yield ("instances", name), partial(assembly.check, given.only(rest, name), now)


def _tried(loaded: Loaded, parts: Iterator[Part]) -> Iterator[str]:
    for key, part in parts:
        try:
            part()
        except IsthmusError as error:
            yield from _placed(loaded, key, str(error))


def _served(loaded: Loaded) -> Iterator[str]:
    """What would keep `isthmus serve` from answering."""
    server = loaded.settings.server
    try:
        serving.safe(server)
        if server.certificate is not None and server.private_key is not None:
            _readable(loaded)
    except Untrusted as error:
        yield from _placed(loaded, tuple(error.place.split(".")), error.reason)
    except Refused as error:
        yield from _placed(loaded, ("server",), str(error).removeprefix("server: "))
    folder = assembly.data_folder(loaded)
    if folder.exists() and not folder.is_dir():
        yield from _placed(loaded, ("data",), f"{folder} is not a folder")


def _readable(loaded: Loaded) -> None:
    chain, key = loaded.at(loaded.settings.server.certificate), loaded.at(loaded.settings.server.private_key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(chain), str(key))
    except ssl.SSLError as error:
        raise Untrusted(f"not a PEM chain and its private key ({error.reason or 'unreadable'})", "server.certificate") from None
    except OSError as error:
        raise Untrusted(f"cannot be read with its private key: {error.strerror}", "server.certificate") from None


def _placed(loaded: Loaded, key: tuple[str, ...], text: str) -> Iterator[str]:
    """Each line of an error with file, line and key; those that have them already as they are."""
    for line in text.splitlines():
        own = line.startswith(f"{loaded.name} ")
        bare = own and not line.startswith(f"{loaded.name} line ")
        known = _holding(loaded, key, line)
        said = line.partition(": ")[2] if bare else line
        yield line if own and not bare else f"{place(loaded, known)}: {said}"


def _holding(loaded: Loaded, key: tuple[str, ...], line: str) -> tuple[str, ...]:
    """The key under this one whose value the error speaks of, such as a secret's reference."""
    if key[0] != "instances":
        return key
    given_here = loaded.settings.instances[key[1]]
    if line.startswith(f"{given_here.connector}: "):
        return *key, "connector"
    texts = _texts(given_here.config, (*key, "config"))
    return next((path for path, value in texts if len(value) > _SHORTEST and value in line), key)


def _texts(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        yield from _texts(inner, (*path, str(key)))


def place(loaded: Loaded, key: tuple[str, ...]) -> str:
    """File, line and key as errors name them."""
    known = next((key[:length] for length in range(len(key), 0, -1) if key[:length] in loaded.lines), ())
    line = f" line {loaded.lines[known]}" if known else ""
    return f"{loaded.name or 'defaults'}{line}: {'.'.join(key)}"


def _warnings(checked: Checked) -> Iterator[str]:
    loaded = checked.loaded
    accounts, covered = loaded.settings.accounts, {one.account for one in checked.instances if one.account}
    unknown = [key for key, one in accounts.items() if one.environment is Environment.UNKNOWN]
    for key in unknown:
        yield f"{place(loaded, ('accounts', key))}: has no environment; it counts as production"
    for key in accounts:
        if checked.instances and key not in covered:
            yield f"{place(loaded, ('accounts', key))}: no instance covers it; nothing can be contained there"
    for one in checked.instances:
        where = "instances", one.name
        if one.connector.webhook is not None and one.webhook_secret is None:
            yield f"{place(loaded, where)}: has no webhook_secret; its webhooks are turned away"
        if one.account and one.account not in accounts:
            yield f"{place(loaded, where)}: accounts does not name {one.account}; it counts as production"
        yield from _unset(loaded, one.name)


def _unset(loaded: Loaded, name: str) -> Iterator[str]:
    """Secrets that are read only when the platform is spoken to, and are not there."""
    for path, value in _texts(loaded.settings.instances[name].config, ("instances", name, "config")):
        if value.startswith(("env:", "file:")):
            try:
                resolve(value)
            except Refused as error:
                yield f"{place(loaded, path)}: {error}; this platform could not be spoken to"


def told(checked: Checked, warnings: tuple[str, ...], console: Console) -> None:
    """What the settings come to, and what is probably not meant."""
    settings, guard = checked.loaded.settings, checked.guard
    console.print("The settings are sound.", style="bold")
    console.print(f"data: {assembly.data_folder(checked.loaded).resolve()}", soft_wrap=True)
    console.print(f"policy: {policy.standing(checked.loaded, checked.bundle).told}", soft_wrap=True)
    console.print(
        f"  {checked.bundle.name}: sha256 {checked.bundle.digest}, {len(checked.bundle.rules)} policies", soft_wrap=True
    )
    console.print(
        f"guard: at most {guard.max_effects_per_incident} effects for one incident, {guard.per_hour} an hour, "
        f"{guard.per_account_per_hour} an hour in one account, {guard.share_of_fleet:%} of a fleet at once, "
        f"{guard.cases_per_hour} cases an hour; {len(guard.protected)} protected, {len(guard.freezes)} freezes"
    )
    keeps = settings.retention
    console.print(
        f"retention: deliveries {keeps.raw_days} days, closed incidents {keeps.closed_days} days, "
        f"bodies of the record {keeps.record_bodies_days} days"
    )
    connected(checked, console)
    for one in warnings:
        warn(f"warning: {one}")


def connected(checked: Checked, console: Console) -> None:
    """The instances and the roles each plays."""
    if not checked.instances:
        console.print("instances: none; nothing is connected")
        return
    table = columns("Instance", "Vendor", "Tenant", "Roles")
    for one in checked.instances:
        table.add_row(one.name, one.connector.name, one.tenant, ", ".join(played(one)) or "none")
    console.print(table)

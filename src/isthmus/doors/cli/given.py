"""What local commands are given: the settings, from where they were taken, and the installation's own data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from isthmus import assembly
from isthmus.doors.cli.screen import note
from isthmus.model.errors import Refused, Untrusted
from isthmus.record.store import Store
from isthmus.settings import DEFAULTS, NAME, Loaded, read

FILE = "isthmus.yaml"
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help=f"Settings. Else {FILE} in this folder, else in your config folder, else the defaults."),
]
Tenant = Annotated[str, typer.Option(help="Whose it is.")]


def settings(config: Path | None) -> Loaded:
    """The settings to use. Says on standard error which file they are from. Raises `Untrusted` naming what is wrong."""
    own = Path(platformdirs.user_config_dir("isthmus")) / FILE
    chosen = config or next((path for path in (Path(FILE), own) if path.is_file()), None)
    note(f"settings: {chosen}" if chosen else f"settings: the defaults; there is no {FILE} here and no {own}")
    return read(chosen) if chosen else DEFAULTS


@contextmanager
def store(loaded: Loaded, make: bool = False) -> Iterator[Store]:
    """The installation's database and keys, closed at the end.

    Only with `make` is one begun where there is none: an empty record is whole, and says nothing about the one that was
    looked for. A database without its keys is `Refused`, as new keys would make everything in it count as forged.
    """
    folder = assembly.data_folder(loaded)
    begun, keys = assembly.begun(loaded), folder / "keys"
    if not begun and not make:
        raise Untrusted("there is no installation here yet; `isthmus people add` or `isthmus serve` begins one", str(folder))
    if begun and not all((keys / name).exists() for name in ("seal.key", "sign.key")):
        raise Refused(f"{keys}: the keys that belong to the database are not there; nothing in it could be believed")
    opened = assembly.opened(loaded)
    try:
        yield opened
    finally:
        opened.close()


def tenant_of(name: str) -> str:
    """The name of a tenant. Raises `Untrusted` for one that settings could not name."""
    if not re.fullmatch(NAME, name):
        raise Untrusted("must be lower-case letters, digits and dashes", "--tenant")
    return name


def only(loaded: Loaded, name: str) -> Loaded:
    """The same settings with one instance, and with neither policy nor guard of their own."""
    alone = {"instances": {name: loaded.settings.instances[name]}, "policy": None, "guard": None}
    return replace(loaded, settings=loaded.settings.model_copy(update=alone))

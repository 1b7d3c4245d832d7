"""Builds everything from settings; the only file that knows every room, and the only one that opens the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from isthmus import connectors
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Source
from isthmus.model.errors import IsthmusError
from isthmus.pipeline import Parts
from isthmus.record.intel import load as load_intel
from isthmus.settings import Settings


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


def parts(settings: Settings, intel_folder: Path | None) -> Parts:
    """The line, ready to run on these settings."""
    return Parts(sources=sources(), intel=load_intel(intel_folder), estate=settings.estate())

"""Builds everything from settings; the only file that knows every room, and the only one that opens the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from isthmus import connectors
from isthmus.contracts.connector import Connector
from isthmus.model.errors import IsthmusError


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

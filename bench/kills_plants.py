"""Bugs planted on purpose, each by changing the product in a life before it begins: the lane has to see every one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Plant:
    """A bug: what it is, and how it gets in."""

    what: str
    sow: Callable[[], None]


PLANTS: dict[str, Plant] = {}

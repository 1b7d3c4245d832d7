"""A witness that answers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.witness.asking import LOG, NOW
from tests.witness.standing import serving

from isthmus.witness.application import create
from isthmus.witness.memory import Memory, opened
from isthmus.witness.witnessing import Witness


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with opened(tmp_path / "witness", "witness.example") as found:
        yield found


@pytest.fixture
def witness(memory: Memory) -> Witness:
    return Witness(memory, [LOG.key])


@pytest.fixture
def client(witness: Witness) -> Iterator[httpx.Client]:
    with serving(create(witness, lambda: NOW)) as url, httpx.Client(base_url=url) as found:
        yield found

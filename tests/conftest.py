"""What every room's tests may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.databases"]

settings.register_profile("house", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("house")


@pytest.fixture
def shared() -> Path:
    """The folder of reference material; tests that need it say so when it is not there."""
    named = os.environ.get("ISTHMUS_SHARED", "")  # noqa: TID251 - where reference material lies is said by the environment
    if not named or not Path(named).is_dir():
        pytest.skip("ISTHMUS_SHARED does not name the reference material: not checked against it")
    return Path(named)

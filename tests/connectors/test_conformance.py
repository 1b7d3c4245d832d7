"""Every connector, every promise. A new folder is found by itself."""

from collections.abc import Callable

import pytest

from isthmus.assembly import catalogue
from isthmus.contracts.checks import PROMISES, fits, samples
from isthmus.contracts.connector import Connector


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("connector", catalogue(), ids=lambda connector: connector.name)
def test_promise(connector: Connector, promise: Callable[[Connector], None]) -> None:
    promise(connector)


@pytest.mark.parametrize("connector", catalogue(), ids=lambda connector: connector.name)
def test_a_sample_is_recognised_by_its_own_vendor_only(connector: Connector) -> None:
    for name, sample in samples(connector):
        for other in catalogue():
            claimed = [shape.name for shape in other.source.shapes if fits(shape, sample["payload"])]
            denied = [one.reason for one in other.source.not_alerts if fits(one, sample["payload"])]
            if other.name != connector.name:
                assert not claimed, f"{connector.name}/{name} is also claimed by {other.name}"
            assert not denied, f"{connector.name}/{name} is denied by {other.name}"

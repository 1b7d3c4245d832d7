"""Typed access to a vendor's record: empty when missing, `Untrusted` with its path when wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.contracts import reading
from isthmus.model.errors import Untrusted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
ACCESSORS = [reading.text, reading.number, reading.flag, reading.section, reading.items, reading.words, reading.when]


@given(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), st.sampled_from(ACCESSORS))
def test_anything_at_all_is_read_or_refused(record: dict[str, object], accessor: object) -> None:
    for path in (("a",), ("a", "b"), ("a", "b", "c")):
        try:
            accessor(record, *path)  # type: ignore[operator]
        except Untrusted as error:
            assert error.place.startswith("a")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 10:00:00.306109000", datetime(2026, 3, 1, 10, 0, 0, 306109, tzinfo=UTC)),
        ("2026-03-01T10:00:00.12345678Z", datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        (1772359200000, datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (1772359200, datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("1772359200000", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("27 May 2021 17:00 GMT", datetime(2021, 5, 27, 17, tzinfo=UTC)),
        ("Oct 31 2025", datetime(2025, 10, 31, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (0, None),
    ],
)
def test_every_way_a_vendor_writes_a_time(written: object, moment: datetime | None) -> None:
    assert reading.when({"t": written}, "t") == moment


@pytest.mark.parametrize("written", ["yesterday", "2026-13-45", [], {}, True, 10**400, "9" * 300])
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(Untrusted, match="t: "):
        reading.when({"t": written}, "t")


def test_numbers_are_finite() -> None:
    assert reading.number({"n": "7.5"}, "n") == 7.5
    for wrong in (*["nan", "inf", "x"], 10**400, float("nan"), True, ["1"]):
        with pytest.raises(Untrusted):
            reading.number({"n": wrong}, "n")

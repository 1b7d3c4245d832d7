"""The pictures: where things are put, and that nothing is put upon another."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from isthmus.answer import picture
from isthmus.answer.document import EdgeRow, IncidentRow, NodeRow, PathRow, ReasonRow
from isthmus.answer.templates.lettering import measured, shortened, wrapped


def path() -> PathRow:
    nodes = (
        NodeRow("outside", "internet", "Internet", "outside", 0),
        NodeRow("web", "instance", "web", "entry", 1),
        NodeRow("api", "instance", "api-with-a-very-long-name-that-nobody-can-read-in-a-box", "entry", 1),
        NodeRow("role", "role", "role", "step", 2),
        NodeRow("data", "bucket", "data", "goal", 3),
        NodeRow("keys", "secret", "keys", "goal", 3),
    )
    onward = [("outside", "web"), ("outside", "api"), ("web", "role"), ("api", "role"), ("role", "data"), ("role", "keys")]
    around = [("role", "web"), ("web", "api"), ("outside", "role")]
    edges = tuple(EdgeRow(one, other, f"way of {one} {other}") for one, other in onward + around)
    return PathRow(nodes, (*edges, EdgeRow("role", "nowhere", "lost")), "role")


def seen(first: str | None, last: str | None) -> IncidentRow:
    """An incident of which only the times matter."""
    fields: dict[str, Any] = dict.fromkeys(IncidentRow.__struct_fields__, "x")
    return IncidentRow(**{**fields, "first_seen": first, "last_seen": last})


def test_a_path_stands_alone_and_says_where_to_cut() -> None:
    drawn = picture.attack_path_svg(path())
    assert not re.search(r"\s(id|style|class=\S*url|href|xlink:href|src)=", drawn)
    assert drawn.startswith("<svg ") and drawn.rstrip().endswith("</svg>")
    assert drawn.count("cut here") == 1
    assert "6 places and 10 ways from outside to data, keys. Cut at role." in drawn
    assert "api-with-a-very-long-name-that-nobody-can-read-in-a-box (entry, instance, hop 1): api" in drawn
    assert "lost" not in drawn


def test_boxes_and_labels_of_a_path_keep_apart() -> None:
    drawn = picture.path_picture(path())
    corners = [(one.x, one.y) for one in drawn.boxes]
    for x, y in corners:
        near = [one for one in corners if abs(one[0] - x) < picture.BOX_WIDTH and abs(one[1] - y) < picture.BOX_HEIGHT]
        assert near == [(x, y)]
        assert 0 <= x <= drawn.width - picture.BOX_WIDTH and 0 <= y <= drawn.height - picture.BOX_HEIGHT
    labels = sorted((one.x, one.y, len(one.lines)) for one in drawn.arrows)
    assert all(a[0] != b[0] or b[1] - a[1] >= 13 * a[2] for a, b in pairwise(labels))


def test_roles_differ_in_shape() -> None:
    shapes = {one.role: re.sub(r"[\d.]+", "", one.outline) + one.inner[:1] for one in picture.path_picture(path()).boxes}
    shapes["outside"] += str(picture.path_picture(path()).boxes[0].outline.count("a32"))
    assert len(set(shapes.values())) == 4


def test_hops_need_not_be_in_order_or_near() -> None:
    nodes = tuple(NodeRow(str(hop), "other", "", "odd", hop) for hop in (10**9, -3, 7))
    drawn = picture.path_picture(PathRow(nodes, (EdgeRow("7", "7", "self"), EdgeRow("7", "-3", "back")), "missing"))
    assert drawn.width < 1_000
    assert picture.path_picture(PathRow((), (), None)).boxes == ()


def test_a_waterfall_ends_at_the_score() -> None:
    drawn = picture.waterfall([ReasonRow("a", 80, ()), ReasonRow("b", 40, ()), ReasonRow("ceiling", -85, ())])
    assert (drawn.total, drawn.scale) == (35, 120)
    assert drawn.steps[2].x == pytest.approx(30 + 35 / 120 * 300)
    assert max(one.x + one.width for one in drawn.steps) <= drawn.width


def test_a_timeline_places_spans_by_time() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    days = [(start + timedelta(days=day)).isoformat() for day in (0, 5, 10)]
    rows = [seen(days[0], days[2]), seen("yesterday", None)]
    rows += [seen(days[1], None), seen(days[2], "2026-03-06")]
    drawn = picture.timeline(rows)
    assert drawn is not None
    assert [one.rank for one in drawn.spans] == [1, 3, 4]
    assert drawn.spans[1].x == pytest.approx(drawn.spans[0].x + drawn.spans[0].width / 2)
    assert [drawn.ticks[0][1], drawn.ticks[-1][1]] == ["2026-03-01", "2026-03-11"]
    assert picture.timeline(rows[1:2]) is None
    extremes = [seen("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59")]
    assert picture.timeline(extremes) is not None


@pytest.mark.parametrize(
    "text", ["W" * 500, "arn:aws:iam::210987654321:role/OrganizationAccountAccessRole", "顧客データ" * 20, "i", "", " \n"]
)
def test_names_fit_into_their_boxes(text: str) -> None:
    lines = wrapped(text, 120, 12, 2)
    assert 1 <= len(lines) <= 2
    assert all(measured(one, 12) <= 120 for one in lines)


def test_what_is_shortened_keeps_both_ends() -> None:
    assert re.fullmatch(r"arn:aws.*….*i-0ee5", shortened("arn:aws:ec2:eu-west-1:210987654321:instance/i-0ee5", 150, 12))
    assert shortened("web", 150, 12) == "web"

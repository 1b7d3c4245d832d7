"""The pictures of the page: geometry worked out here, drawn as SVG by templates.

Pure: the same rows give the same picture. Lengths are SVG user units, which a page shows as CSS pixels. A picture asks
nothing of its surroundings: without the page's style sheet it is drawn in the colour of the text around it. Whatever is
shortened carries its full text as `<title>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from markupsafe import Markup

from isthmus.answer.document import EdgeRow, IncidentRow, NodeRow, PathRow, ReasonRow
from isthmus.answer.templates import rendered
from isthmus.answer.templates.lettering import shortened, wrapped

BOX_WIDTH, BOX_HEIGHT = 152, 64
_GAP, _PITCH, _MARGIN, _LANE = 108, 100, 26, 30
_TEXT = BOX_WIDTH - 26
_LINE = 13
_ROLES = ("outside", "entry", "goal")


@dataclass(frozen=True, slots=True)
class Box:
    """A node. `outline` is the shape that tells its role; a goal has a second line inside."""

    x: int
    y: int
    role: str
    caption: str
    lines: tuple[str, ...]
    full: str
    outline: str
    inner: str
    critical: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge: its line, its head, and its label in lines centred on x with the first baseline at y."""

    line: str
    head: str
    x: float
    y: float
    lines: tuple[str, ...]
    full: str


@dataclass(frozen=True, slots=True)
class PathPicture:
    """Nodes in columns by hop, from outside on the left to the goals on the right."""

    width: int
    height: int
    told: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One reason of a score: a bar from the sum before it to the sum after it."""

    number: int
    x: float
    y: int
    width: float
    points: int
    text: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A score built up from its reasons, on a scale from 0 to `scale` points."""

    width: int
    height: int
    scale: int
    total: int
    steps: tuple[Step, ...]
    ticks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """An incident from its first to its last sighting."""

    y: int
    x: float
    width: float
    rank: int
    label: str
    full: str
    priority: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Incidents over time, in their order, with `ticks` as (x, text)."""

    width: int
    height: int
    spans: tuple[Span, ...]
    ticks: tuple[tuple[float, str], ...]


def attack_path_svg(path: PathRow) -> Markup:
    """An attack path as an `<svg>` that can stand in any HTML page: no ids, no style attributes, no references."""
    return rendered("attack_path.svg", picture=path_picture(path), half=BOX_WIDTH / 2)


def path_picture(path: PathRow) -> PathPicture:
    """Where everything goes. An edge to a node that is not there is left out."""
    rows, columns = _places(path)
    tallest = max(map(len, columns), default=1)
    places = {
        name: (_MARGIN + column * (BOX_WIDTH + _GAP), round(_MARGIN + (row + (tallest - len(columns[column])) / 2) * _PITCH))
        for name, (column, row) in rows.items()
    }
    known = [one for one in path.edges if one.source in places and one.target in places]
    onward = [one for one in known if rows[one.target][0] == rows[one.source][0] + 1]
    around = [one for one in known if one not in onward]
    floor = _MARGIN + tallest * _PITCH - (_PITCH - BOX_HEIGHT) + 8
    arrows = _spread(_onward(one, places) for one in onward)
    arrows += [_around(one, places, floor + (number + 1) * _LANE, number) for number, one in enumerate(around)]
    return PathPicture(
        width=2 * _MARGIN + len(columns) * BOX_WIDTH + max(0, len(columns) - 1) * _GAP,
        height=floor + len(around) * _LANE + 14,
        told=_told(path),
        boxes=tuple(_box(one, *places[one.id], one.id == path.critical) for one in path.nodes),
        arrows=tuple(arrows),
    )


def _told(path: PathRow) -> str:
    goals = ", ".join(one.label for one in path.nodes if one.role == "goal")
    cut = next((f" Cut at {one.label}." for one in path.nodes if one.id == path.critical), "")
    return f"{len(path.nodes)} places and {len(path.edges)} ways from outside to {goals or 'no named goal'}.{cut}"


def _places(path: PathRow) -> tuple[dict[str, tuple[int, int]], list[list[str]]]:
    """Column and row of every node. A column is ordered like the nodes that lead into it, so that few lines cross."""
    places: dict[str, tuple[int, int]] = {}
    columns: list[list[str]] = []
    for column, hop in enumerate(sorted({one.hop for one in path.nodes})):
        names = list(dict.fromkeys(one.id for one in path.nodes if one.hop == hop and one.id not in places))
        names.sort(
            key=lambda name: _mean(places[one.source][1] for one in path.edges if one.target == name and one.source in places)
        )
        places |= {name: (column, row) for row, name in enumerate(names)}
        columns.append(names)
    return places, columns


def _mean(numbers: Iterable[int]) -> float:
    known = list(numbers)
    return sum(known) / len(known) if known else 0.0


def _box(node: NodeRow, x: int, y: int, critical: bool) -> Box:
    role = node.role if node.role in _ROLES else "step"
    return Box(
        x=x,
        y=y,
        role=role,
        caption=shortened(f"{node.role} · {node.kind.replace('_', ' ')}", _TEXT, 10.5),
        lines=wrapped(node.label, _TEXT, 13, 2),
        full=f"{node.label} ({node.role}, {node.kind}, hop {node.hop}): {node.id}",
        outline=_outline(role, x, y),
        inner=_rounded(x + 4, y + 4, BOX_WIDTH - 8, BOX_HEIGHT - 8, 3) if role == "goal" else "",
        critical=critical,
    )


def _outline(role: str, x: int, y: int) -> str:
    """Roles differ by shape: outside is a pill, an entry points onward, a step and a goal are boxes."""
    if role == "entry":
        right, middle = x + BOX_WIDTH, y + BOX_HEIGHT // 2
        return f"M{x} {y}H{right - 12}L{right} {middle}L{right - 12} {y + BOX_HEIGHT}H{x}Z"
    return _rounded(x, y, BOX_WIDTH, BOX_HEIGHT, BOX_HEIGHT // 2 if role == "outside" else 5)


def _rounded(x: int, y: int, width: int, height: int, radius: int) -> str:
    across, down, arc = width - 2 * radius, height - 2 * radius, f"a{radius} {radius} 0 0 1 "
    return (
        f"M{x + radius} {y}h{across}{arc}{radius} {radius}v{down}{arc}-{radius} {radius}"
        f"h-{across}{arc}-{radius} -{radius}v-{down}{arc}{radius} -{radius}Z"
    )


def _onward(edge: EdgeRow, places: Mapping[str, tuple[int, int]]) -> Arrow:
    """To the next column: a curve through the gap, its label beside a level line or upon a steep one."""
    left, right = places[edge.source][0] + BOX_WIDTH, places[edge.target][0]
    start, end = places[edge.source][1] + BOX_HEIGHT // 2, places[edge.target][1] + BOX_HEIGHT // 2
    middle, lines = (left + right) // 2, wrapped(edge.label, _GAP - 8, 11, 2)
    above = _LINE * len(lines) - 8 if abs(end - start) < _PITCH // 3 else _LINE * len(lines) / 2 - 10
    return Arrow(
        line=f"M{left} {start}C{middle} {start} {middle} {end} {right - 8} {end}",
        head=_head(right, end),
        x=middle - 5,
        y=(start + end) / 2 - above,
        lines=lines,
        full=edge.label,
    )


def _around(edge: EdgeRow, places: Mapping[str, tuple[int, int]], lane: int, number: int) -> Arrow:
    """Back, over several columns or within one: below everything, in a lane of its own."""
    left, top = places[edge.source][0] + BOX_WIDTH, places[edge.source][1] + BOX_HEIGHT - 14
    right, end = places[edge.target][0], places[edge.target][1] + BOX_HEIGHT - 14
    down, up = left + 10 + 5 * number, max(4, right - 16 - 5 * number)
    return Arrow(
        line=f"M{left} {top}H{down}V{lane}H{up}V{end}H{right - 8}",
        head=_head(right, end),
        x=(down + up) / 2,
        y=lane - 5,
        lines=wrapped(edge.label, BOX_WIDTH, 11, 1),
        full=edge.label,
    )


def _head(x: int, y: int) -> str:
    return f"M{x - 1} {y}l-8 -4.5v9Z"


def _spread(arrows: Iterable[Arrow]) -> list[Arrow]:
    """Labels that share a gap, moved down until none covers another."""
    free: dict[float, float] = {}
    placed = []
    for one in sorted(arrows, key=lambda arrow: (arrow.x, arrow.y)):
        y = max(one.y, free.get(one.x, one.y))
        free[one.x] = y + _LINE * len(one.lines) + 2
        placed.append(replace(one, y=y))
    return placed


def waterfall(reasons: Sequence[ReasonRow]) -> Waterfall:
    """How the points add up to the score."""
    sums = [0]
    for reason in reasons:
        sums.append(sums[-1] + reason.points)
    scale, left, across = max(100, *sums), 30, 300
    steps = tuple(
        Step(
            number=number,
            x=left + max(0, min(before, after)) / scale * across,
            y=8 + (number - 1) * 22,
            width=max(2.0, abs(after - before) / scale * across),
            points=after - before,
            text=reason.text,
        )
        for number, (reason, before, after) in enumerate(zip(reasons, sums, sums[1:], strict=False), 1)
    )
    ticks = tuple((round(left + mark / scale * across), mark) for mark in (0, 25, 50, 75, 100))
    return Waterfall(left + across + 46, 8 + 22 * len(steps) + 48, scale, sums[-1], steps, ticks)


def timeline(incidents: Sequence[IncidentRow], most: int = 30) -> Timeline | None:
    """The first `most` of these incidents that say when they were seen; None if none does."""
    seen = [(rank, one, span) for rank, one in enumerate(incidents, 1) if (span := _seen(one))][:most]
    if not seen:
        return None
    start, end = min(span[0] for *_, span in seen), max(span[1] for *_, span in seen)
    left, across, beside = 84, 640, 440
    width = max((end - start).total_seconds(), 1.0)
    scale = across / width
    spans = tuple(
        Span(
            y=34 + number * 24,
            x=left + (span[0] - start).total_seconds() * scale,
            width=max(8.0, (span[1] - span[0]).total_seconds() * scale),
            rank=rank,
            label=shortened(one.title, beside, 12),
            full=f"{rank} {one.title}: {one.first_seen or one.last_seen} to {one.last_seen or one.first_seen}",
            priority=one.priority,
        )
        for number, (rank, one, span) in enumerate(seen)
    )
    form = "%Y-%m-%d" if width > 4 * 86_400 else "%m-%d %H:%M"
    ticks = tuple((left + part * across / 4, (start + (end - start) * part / 4).strftime(form)) for part in range(5))
    return Timeline(left + across + 24 + beside, 34 + 24 * len(spans) + 4, spans, ticks if end > start else ticks[:1])


def _seen(incident: IncidentRow) -> tuple[datetime, datetime] | None:
    moments = [one for one in (_moment(incident.first_seen), _moment(incident.last_seen)) if one]
    return (min(moments), max(moments)) if moments else None


def _moment(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

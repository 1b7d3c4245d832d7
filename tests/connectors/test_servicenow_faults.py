"""ServiceNow when it is ill, when it says no, and when it silently does less than it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.connectors.servicenow_instance import CASE, TABLE, Instance, Stage, at_version

from isthmus.connectors.servicenow.simulated import BEGIN
from isthmus.connectors.servicenow.simulated_tables import DataPolicy
from isthmus.lab.servers import Town
from isthmus.model.errors import Refused, Unreachable


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Town(tmp_path_factory.mktemp("town")) as town:
        yield Stage(town)


@pytest.fixture
def snow(stage: Stage) -> Instance:
    return Instance(stage)


def _fails_at(snow: Instance, method: str, fault: int | str) -> None:
    """The next call of this method to the case table goes wrong; calls before it do not."""
    take = snow.faults.take

    def chosen(path: str) -> int | str | None:
        if snow.faults.calls[-1].startswith(method) and TABLE in path and snow.faults.always is None:
            snow.faults.take = take  # type: ignore[method-assign]
            return fault
        return None

    snow.faults.take = chosen  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", [429, 500, 502, 503, "hang", "html", "empty", "truncated", "reset", "reset-after"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_whatever_breaks_off_where_the_next_put_leaves_one_case_and_one_note_a_version(
    snow: Instance, method: str, fault: int | str
) -> None:
    snow.faults.hang = 1.5
    if method == "PATCH":
        snow.put()
    case = at_version("b2") if method == "PATCH" else CASE
    _fails_at(snow, method, fault)
    try:
        snow.put(case)
    except Unreachable:
        pass
    else:
        assert (method, fault) == ("POST", "reset-after"), "only a lost answer may be looked up"
    assert snow.put(case).version == case.version
    (active,) = snow.active
    told = snow.notes_on(active["sys_id"])
    assert len([note for note in told if note.startswith(f"Isthmus {case.version}\n")]) == 1


def test_what_is_opened_after_nobody_waits_any_more_is_merged_by_the_next_put(snow: Instance) -> None:
    tables = snow.platform.tables
    insert, late = tables.insert, []

    def slow(table: str, values: dict[str, str], by: str) -> dict[str, str]:
        if table != TABLE:
            return insert(table, values, by)
        late.append(values)
        raise DataPolicy("")

    tables.insert = slow  # type: ignore[method-assign, assignment]
    with pytest.raises(Refused):
        snow.put()
    tables.insert = insert  # type: ignore[method-assign]
    kept = snow.put()
    tables.clock = lambda: BEGIN + timedelta(hours=1)
    insert(TABLE, late[0], "isthmus.integration")
    assert [row["sys_id"] for row in snow.active] != [kept.id]
    assert snow.put().id == kept.id and [row["sys_id"] for row in snow.active] == [kept.id]


def test_a_lost_answer_to_create_is_looked_up_and_not_sent_again(snow: Instance) -> None:
    _fails_at(snow, "POST", "reset-after")
    record = snow.put(attempts=4)
    assert record.created and len(snow.cases) == 1 and snow.writes == 1


def test_a_crash_after_create_is_found_again(snow: Instance) -> None:
    async def crash() -> None:
        outward = snow.outward()
        putting = asyncio.ensure_future(snow.sink(outward).put(CASE))
        while not snow.cases:
            await asyncio.sleep(0.001)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        await outward.close()

    asyncio.run(crash())
    record = snow.put()
    assert not record.created and len(snow.cases) == 1 and len(snow.notes) == 1


def test_a_platform_that_is_only_busy_is_asked_again_for_reads(snow: Instance) -> None:
    snow.put()
    snow.faults.next.extend([429, 503])
    assert snow.put(attempts=4).version == "a1"
    snow.platform.per_hour = 0
    with pytest.raises(Unreachable, match="429"):
        snow.put(attempts=2)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"result"',
        b"{}",
        b'{"result": {}}',
        b'{"result": "x"}',
        b'{"result": [1]}',
        b'{"result": [{"sys_id": "../../x"}]}',
        b'{"result": [{"sys_id": {"value": "' + b"a" * 32 + b'"}, "number": [1]}]}',
        b"{" * 100_000,
        b"\xff",
    ],
)
def test_answers_that_are_not_servicenow_s_are_tried_later(stage: Stage, body: bytes) -> None:
    async def answer(request: Request) -> Response:
        return Response(body, media_type="application/json")

    snow = Instance(stage)
    stage.show(Starlette(routes=[Route("/{path:path}", answer)]))
    with pytest.raises(Unreachable):
        snow.put()
    with pytest.raises(Unreachable):
        snow.read()


@pytest.mark.parametrize(
    ("status", "text"), [(400, "table's name"), (401, "credentials"), (403, "roles"), (404, "may not see")], ids=str
)
def test_a_no_is_refused_with_what_to_check(snow: Instance, status: int, text: str) -> None:
    snow.faults.always = status
    for work in (snow.put, snow.read):
        with pytest.raises(Refused, match=text):
            work()


def test_the_refusals_the_platform_itself_makes(snow: Instance) -> None:
    with pytest.raises(Refused, match=r"table's name in the settings \(Invalid table u_cases\)"):
        snow.put(table="u_cases")
    snow.platform.roles["isthmus.integration"] = {"itil"}
    with pytest.raises(Refused, match=r"read sn_si_incident; check its roles .*ACL Exception"):
        snow.put()
    snow.platform.words["isthmus.integration"] = "changed"
    with pytest.raises(Refused, match="does not accept the credentials"):
        snow.put()


def test_a_key_that_does_not_stick_is_refused_and_leaves_no_open_record(snow: Instance) -> None:
    snow.platform.read_only |= {f"{TABLE}.correlation_id"}
    with pytest.raises(Refused, match=r"did not keep correlation_id .* SIR0010001 .*write and read both columns"):
        snow.put()
    assert [row["active"] for row in snow.cases] == ["false"]


def test_a_version_that_does_not_stick_is_refused(snow: Instance) -> None:
    snow.put()
    snow.platform.read_only |= {f"{TABLE}.correlation_display"}
    with pytest.raises(Refused, match=r"did not keep correlation_display of SIR0010001"):
        snow.put(at_version("b2"))


def test_a_search_that_finds_everybody_s_records_touches_none_of_them(snow: Instance) -> None:
    snow.platform.tables.insert(TABLE, {"short_description": "Somebody else's"}, "maria.lind")
    before = snow.cases
    snow.platform.hidden |= {f"{TABLE}.correlation_id"}
    for work in (snow.put, snow.read):
        with pytest.raises(Refused, match="finds other people's records"):
            work()
    assert snow.cases == before and snow.writes == 0


def test_a_reading_that_lags_behind_is_tried_later(snow: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    snow.put()
    tables = snow.platform.tables
    (stale,) = snow.cases

    def lagging(table: str, sys_id: str, values: dict[str, str], by: str) -> dict[str, str]:
        return {**stale, **values}

    with monkeypatch.context() as patched:
        patched.setattr(tables, "update", lagging)
        with pytest.raises(Unreachable, match="does not yet read as it was written"):
            snow.put(at_version("b2"))
    assert snow.put(at_version("b2")).version == "b2"

"""The simulated ServiceNow over TLS, with a case our sink has put there, and our look at what the client left.

Prints one line of JSON with where it is; after a line on standard input, one line for everything our sink then sees.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from isthmus import __version__
from isthmus.connectors.servicenow.cases import SnowCases
from isthmus.connectors.servicenow.config import SnowConfig
from isthmus.connectors.servicenow.simulated import ANALYST, CLIENT, SimulatedSnow
from isthmus.lab.servers import Town
from isthmus.model.cases import Case, CaseRecord
from isthmus.wire.http import WireOutward

KEY = "default/INC-0123456789abcdef"
OPENED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def case(version: str) -> Case:
    """A case as our sink gets it."""
    return Case(
        key=KEY,
        version=version,
        title="Leaked access key of a payments role",
        priority="act",
        score=91,
        severity="critical",
        verdict="true_positive",
        confidence="high",
        summary="A key was used from an address nobody here knows.",
        impact="Reads card data.",
        root_cause="Pushed to a public repository.",
        owner="payments",
        assets=("role payments",),
        steps=("aws.deactivate_key: under way",),
        remedies=("Use roles, not keys",),
        links=("https://isthmus.example.com/incidents/1",),
        note=f"What is new in {version}",
    )


class Ours:
    """Our sink in front of the same platform."""

    def __init__(self, town: Town, snow: SimulatedSnow, origin: str) -> None:
        settings = {**snow.config(origin, town.secret), "verdicts": {"Threat mitigated": "true_positive"}}
        self._config, self._authority = SnowConfig(**settings), town.authority

    def put(self, version: str) -> CaseRecord:
        async def go() -> CaseRecord:
            outward = WireOutward(lambda: OPENED, self._authority)
            try:
                return await SnowCases(self._config, outward).put(case(version))
            finally:
                await outward.close()

        return asyncio.run(go())

    def read(self) -> CaseRecord | None:
        async def go() -> CaseRecord | None:
            outward = WireOutward(lambda: OPENED, self._authority)
            try:
                return await SnowCases(self._config, outward).read(KEY)
            finally:
                await outward.close()

        return asyncio.run(go())


def seen(ours: Ours, first: CaseRecord) -> Iterator[tuple[str, bool, object]]:
    """What our sink sees of the client's changes, and that it does not undo them."""
    found = ours.read()
    yield "finds the case it put", found is not None and found.id == first.id, found and found.number
    if found is None:
        return
    yield "sees the client's state", found.state == "closed", found.state
    yield "sees the client's closure as a verdict", found.verdict == "true_positive", found.verdict
    yield "sees the client's note, not its own", "Called the owner" in found.note, found.note
    yield "sees whom the client assigned", found.assigned_to == "Maria Lind", found.assigned_to
    again = ours.put("b2")
    yield "brings it up to date", (again.id, again.version) == (first.id, "b2"), again.version
    yield "leaves the client's state alone", again.state == "closed", again.state


def main() -> None:
    """Serve until told to look."""
    snow = SimulatedSnow()
    with tempfile.TemporaryDirectory() as folder, Town(Path(folder)) as town:
        origin = town.serve(snow.app)
        ours = Ours(town, snow, origin)
        first = ours.put("a1")
        where = {"origin": origin, "authority": str(town.authority), "key": KEY, "sys_id": first.id, "number": first.number}
        people = {"user": ANALYST, "word": snow.words[ANALYST], "person": snow.people[ANALYST], "group": snow.group}
        client = {"client": CLIENT, "client_word": snow.client_word}
        sys.stdout.write(json.dumps({**where, **people, **client}) + "\n")
        sys.stdout.flush()
        if sys.stdin.readline():
            for call, right, saw in seen(ours, first):
                line = {"who": "our sink after it", "version": __version__, "call": call, "right": right, "saw": str(saw)}
                sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

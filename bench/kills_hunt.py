"""A hunt: a planted bug is looked for where it would show first, and everywhere else after that, until it is seen."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from bench.kills_choice import tried
from bench.kills_outside import Outside
from bench.kills_plant import Plant
from bench.kills_plants import PLANTS
from bench.kills_run import Result, run
from bench.kills_several import episode
from bench.kills_watch import STOP
from bench.kills_zygote import Zygote

_MOST_EPISODES = 12


def hunted(outside: Outside, zygote: Zygote, task: Mapping[str, Any]) -> Result:
    """Without any kill first, then one strike a run; what came of the last of them."""
    plant = PLANTS[task["plant"]]
    result, runs = Result(), 0
    for given in _attempts(plant, task):
        result = (episode if given["kind"] == "several" else run)(outside, zygote, given)
        runs += 1
        if result.problems:
            break
    result.runs, result.given = runs, dict(task)
    return result


def _attempts(plant: Plant, task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A bug of one process is looked for with kills, one of several with sleepers, one of an outage with outages."""
    rng = random.Random(task["seed"])
    given = {**task, "kind": plant.shows, "shared": plant.shows != "line", "fatals": []}
    names = tried(task["names"], plant.where, rng)
    if plant.shows == "several":
        for number, (name, count) in enumerate(names[:_MOST_EPISODES]):
            fatal = {"name": name, "count": count, "how": plant.how, "hours": 1}
            yield {**given, "workers": 2, "together": plant.together or number % 3 == 2, "sleep": 1.5, "fatals": [fatal]}
        return
    yield given
    how = STOP if plant.shows == "outage" else plant.how
    for name, count in names:
        yield {**given, "fatals": [[{"name": name, "count": count, "how": how}]]}

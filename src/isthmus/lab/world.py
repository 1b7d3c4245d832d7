"""The whole simulated company, running: its AWS on moto, its platforms as TLS servers, and the settings that join them.

with World(day, folder) as world:
    world.settings           # the file to give to `isthmus serve`
    world.replay(post)       # the day: held by the platforms, told by their webhooks
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from isthmus import assembly
from isthmus.lab.cloud import Cloud
from isthmus.lab.company import Home
from isthmus.lab.day import Alert, Day
from isthmus.lab.servers import Faults, Town
from isthmus.model.errors import Refused

CNAPPS = ("wiz", "prisma", "orca", "lacework")
PULLED = "wiz"
POLICY = Path(__file__).parent / "policy"


@dataclass(frozen=True, slots=True)
class Told:
    """A webhook of the day: which instance, the secret it shows, and the body."""

    instance: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class World:
    """Platforms that know the day and a cloud that has what it speaks of. Everything ends when it is closed."""

    def __init__(self, day: Day, folder: Path) -> None:
        self.day = day
        self._folder = folder
        self._running = ExitStack()
        self.simulated: dict[str, Any] = {}
        self.faults: dict[str, Faults] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self._secrets: dict[str, str] = {}
        self._renamed: Callable[[str], str] = str

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self._running.close)
            self._start()
            starting.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._running.close()

    def _start(self) -> None:
        self.town = self._running.enter_context(Town(self._folder / "town"))
        self.cloud = self._running.enter_context(Cloud())
        self._renamed = _renaming(self.cloud.furnish(self.day.company))
        for name in (*CNAPPS, "servicenow"):
            self._platform(name)
        for home in self.accounts:
            self.instances[f"aws-{home.name}"] = {"connector": "aws", "config": self.cloud.config(home.id, self.town.secret)}

    @property
    def accounts(self) -> tuple[Home, ...]:
        """The company's AWS accounts."""
        return tuple(one for one in self.day.company.homes if one.provider == "aws")

    def _platform(self, name: str) -> None:
        vendor = assembly.connector(name)
        if vendor.simulated is None:
            raise Refused(f"{vendor.title} has no simulated server")
        self.simulated[name] = vendor.simulated()
        self.faults[name] = Faults()
        origin = self.town.serve(self.simulated[name].app, self.faults[name])
        config = self.simulated[name].config(origin, self._kept)
        if name == PULLED:
            # The day is replayed in seconds with the times it had; a pull has to look back over all of it.
            config |= {"lookback_hours": 48, "overlap_minutes": 1_440}
        self.instances[f"{name}-main"] = {"connector": name, "config": config}

    def _kept(self, name: str, value: str) -> str:
        reference = self.town.secret(name, value)
        self._secrets[reference] = value
        return reference

    def settings(self, data: Path) -> Path:
        """Writes the settings of an installation beside the world; `data` is where it keeps what it knows."""
        own = yaml.safe_load(self._renamed(self.day.settings))
        whole = {
            **own,
            "instances": self.instances,
            "policy": str(POLICY),
            "data": str(data.resolve()),
            "authority": str(self.town.authority.resolve()),
            "server": {"port": 0, "url": ""},
            "clocks": {"pull_seconds": 5, "approve_minutes": 720, "execute_minutes": 60},
        }
        path = self._folder / "isthmus.yaml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        return path

    def replay(self) -> list[Callable[[], Told | None]]:
        """The day in order, one thing to do for each alert: its platform gets to know it, and returns the webhook it sends;
        None where it waits to be pulled.
        """
        step = timedelta(hours=24) / max(1, len(self.day.alerts))
        begin = self.day.end - timedelta(hours=24)
        ours = [(number, one) for number, one in enumerate(self.day.alerts) if one.vendor in CNAPPS]
        return [partial(self._happens, alert, begin + step * number) for number, alert in ours]

    def _happens(self, alert: Alert, at: datetime) -> Told | None:
        payload = json.loads(self._renamed(json.dumps(alert.payload, ensure_ascii=False)))
        held = not alert.file.startswith("webhooks/")
        if held:
            self._hold(alert, payload, at)
        return None if held and alert.vendor == PULLED else self._told(alert.vendor, payload)

    def _hold(self, alert: Alert, payload: dict[str, Any], at: datetime) -> None:
        try:
            self.simulated[alert.vendor].hold(payload, at)
        except Refused:
            # What a platform's API cannot be asked about is told by webhook alone, as in life.
            return

    def _told(self, vendor: str, payload: dict[str, Any]) -> Told:
        name = f"{vendor}-main"
        webhook = assembly.connector(vendor).webhook
        secret = self._secrets[self.instances[name]["config"]["webhook_secret"]]
        assert webhook is not None  # noqa: S101 - each of the four has one
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "backslashreplace")
        headers = {} if webhook.in_path else {webhook.header: webhook.prefix + secret}
        path = f"/in/{name}/{secret}" if webhook.in_path else f"/in/{name}"
        return Told(name, path, {**headers, "content-type": "application/json"}, body)


def _renaming(given: Mapping[str, str]) -> Callable[[str], str]:
    """Puts the ids AWS gave in place of the invented ones, wherever they stand in a text."""
    if not given:
        return str
    pattern = re.compile("|".join(re.escape(one) for one in sorted(given, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda found: given[found[0]], text)

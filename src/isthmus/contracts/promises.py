"""The promises of connected roles, by role: `await promise(rig, role)` raises `Broken`.

`checks.PROMISES` are those of reading, which need no platform; these need a `Rig`. Which a connector owes follows from the
roles it plays and from nothing else: there is no list of exemptions. `matrix` writes that down for people.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import datetime
from inspect import getdoc
from typing import Any, NamedTuple

from isthmus.contracts import acting, checks, hearing, queueing, trouble
from isthmus.contracts.connector import Connector
from isthmus.contracts.rig import Rig
from isthmus.contracts.roles import Roles, Simulated
from isthmus.contracts.wire import ConnectorConfig, Http, Secret
from isthmus.model.errors import Refused

Promise = Callable[[Rig, str], Coroutine[Any, Any, None]]

_SPOKEN: tuple[Promise, ...] = (
    trouble.a_platform_that_is_ill_is_unreachable,
    trouble.a_platform_that_says_no_is_refused,
    trouble.no_secret_is_told,
)
PROMISES: Mapping[str, tuple[Promise, ...]] = {
    "settings": (hearing.settings_are_believed_only_when_they_fit, hearing.connecting_opens_no_connection),
    "webhook": (hearing.only_the_secret_opens_the_webhook,),
    "pull": (*_SPOKEN, hearing.what_is_held_arrives_once, hearing.a_cursor_can_be_used_again),
    "refetch": (*_SPOKEN, hearing.an_alert_is_read_again_under_its_id, hearing.an_id_that_is_nobodys_is_refused),
    "inventory": (*_SPOKEN, acting.a_target_is_found_by_its_own_id_only),
    "actuator": (
        *_SPOKEN,
        acting.a_change_is_seen_first_and_made_once,
        acting.a_change_is_taken_back_whole,
        acting.somebody_elses_change_is_left_alone,
        acting.what_was_not_found_is_not_touched,
    ),
    "cases": (
        *_SPOKEN,
        acting.a_case_is_kept_once,
        acting.a_lost_answer_leaves_one_case,
        acting.what_people_wrote_stays,
        acting.a_key_that_is_no_key_is_refused,
    ),
    "queue": (
        *_SPOKEN,
        queueing.a_message_comes_until_it_is_acknowledged,
        queueing.a_message_is_with_one_consumer_at_a_time,
        queueing.acknowledging_again_is_no_error,
        queueing.a_handle_that_is_nobodys_takes_nothing_away,
    ),
}
FIELDS = {
    "pull": "pollable",
    "refetch": "refetcher",
    "inventory": "inventory",
    "actuator": "actuator",
    "cases": "sink",
    "queue": "queue",
}
"""What people call a role, and its field of `Roles`."""

_NOWHERE = "https://platform.example"


class Row(NamedTuple):
    """One promise one connector owes in one role; `text` is what it says, for people."""

    connector: str
    role: str
    promise: str
    text: str


def matrix(connectors: Iterable[Connector]) -> tuple[Row, ...]:
    """Connector by role by promise: every promise these connectors owe, those of reading under the role `source`."""
    return tuple(row for one in connectors for row in _rows(one))


def _rows(connector: Connector) -> Iterator[Row]:
    if connector.source.shapes:
        yield from (_row(connector, "source", one) for one in checks.PROMISES)
    yield from (_row(connector, role, one) for role, one in owed(connector))


def _row(connector: Connector, role: str, promise: Callable[..., object]) -> Row:
    text = " ".join((getdoc(promise) or "").split())
    return Row(connector.name, role, promise.__name__.replace("_", " "), text)


def owed(connector: Connector) -> tuple[tuple[str, Promise], ...]:
    """The promises this connector owes once it is connected, each with the role it is about."""
    return tuple((role, promise) for role in roles_of(connector) for promise in PROMISES[role])


def roles_of(connector: Connector) -> tuple[str, ...]:
    """What a connector plays once it is connected: `settings`, `webhook` and the names of `PROMISES`; nothing when it
    cannot be connected.
    """
    if connector.connect is None:
        return ()
    roles = played(connector)
    spoken = tuple(role for role, name in FIELDS.items() if getattr(roles, name) is not None)
    return ("settings", *(("webhook",) if connector.webhook is not None else ()), *spoken)


def played(connector: Connector) -> Roles:
    """Its roles, connected to nowhere: connectors do not declare them otherwise."""
    if connector.config is None or connector.connect is None:
        return Roles()
    return connector.connect(_settings(connector.config, connector.simulated), _Nowhere())


def _settings(config: type[ConnectorConfig], simulated: Callable[[], Simulated] | None) -> Any:
    """Settings that fit, or, where the platform is no simulated one, whatever stands there by default."""
    if simulated is None:
        return config.model_construct()
    made = simulated().config(_NOWHERE, lambda name, _: f"file:/nowhere/{name}")
    return config.model_validate(made)


class _Nowhere:
    """What `connect` is handed to see what it would play."""

    def http(self, origin: str, *, per_second: float = 5.0) -> Http:
        """A way on which nothing can be asked."""
        del origin, per_second
        return _NoWay()

    def secret(self, reference: str) -> Secret:
        """Never a real one."""
        del reference
        return Secret("no secret at all")

    def now(self) -> datetime:
        """Always the same moment."""
        return checks.NOW


class _NoWay:
    async def request(self, method: str, path: str, **more: Any) -> Any:
        """Always `Refused`."""
        del method, path, more
        raise Refused("nobody is connected")

"""Which roles a vendor plays, and which of them one connected instance does."""

from __future__ import annotations

from typing import Any

from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Http, Secret
from isthmus.desk.instances import Instance
from isthmus.doors.cli import clock
from isthmus.model.errors import Refused

_NAMES = {
    **{"pollable": "pull", "refetcher": "refetch", "queue": "queue"},
    **{"inventory": "inventory", "actuator": "actuator", "sink": "cases"},
}
_NOWHERE = "https://platform.example"


class _Nowhere:
    """What `connect` is handed to say what it would play: nothing can be asked through it."""

    now = staticmethod(clock.now)

    def http(self, origin: str, *, per_second: float = 5.0) -> Http:
        """A way that leads nowhere; `connect` opens no connection."""
        del origin, per_second
        return _NoWay()

    def secret(self, reference: str) -> Secret:
        """Never the real one."""
        del reference
        return Secret("not a secret")


class _NoWay:
    async def request(self, method: str, path: str, **more: Any) -> Any:
        """Always `Refused`."""
        del method, path, more
        raise Refused("nobody is connected")


def declared(vendor: Connector) -> tuple[str, ...]:
    """The roles a vendor plays once it is connected, in the order of the line."""
    told = ["source"] if vendor.source.shapes else []
    return (*told, *(["webhook"] if vendor.webhook else []), *_played(_connected(vendor)))


def played(instance: Instance) -> tuple[str, ...]:
    """The roles this instance plays; a webhook only where its secret is set."""
    taken = ["webhook"] if instance.connector.webhook is not None and instance.webhook_secret is not None else []
    return (*taken, *_played(instance.roles))


def _played(roles: Roles) -> tuple[str, ...]:
    return tuple(told for name, told in _NAMES.items() if getattr(roles, name) is not None)


def _connected(vendor: Connector) -> Roles:
    """The roles of an instance with made-up settings: a connector does not declare them by themselves."""
    if vendor.connect is None or vendor.config is None:
        return Roles()
    if vendor.simulated is None:
        return vendor.connect(vendor.config.model_construct(), _Nowhere())
    made = vendor.simulated().config(_NOWHERE, lambda name, _: f"env:{name.upper().replace('-', '_')}")
    return vendor.connect(vendor.config.model_validate(made), _Nowhere())

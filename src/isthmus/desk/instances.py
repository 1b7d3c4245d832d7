"""The connected instances of an installation: which platforms, whose, and what each can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from isthmus.act.carry_out import Hand
from isthmus.act.cases import CaseHand
from isthmus.contracts.connector import Connector
from isthmus.contracts.roles import Roles
from isthmus.contracts.wire import Secret
from isthmus.model.cases import Case
from isthmus.model.errors import Refused
from isthmus.model.incidents import Incident
from isthmus.model.plans import Action


@dataclass(frozen=True, slots=True)
class Instance:
    """One connected platform. `account` is which cloud account it is, where it is one; `webhook_secret` what its
    webhook must show.
    """

    name: str
    tenant: str
    connector: Connector
    roles: Roles
    account: str = ""
    webhook_secret: Secret | None = None


class Instances:
    """All of them, by name and by what they can do."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self.by_name: Mapping[str, Instance] = {one.name: one for one in instances}

    def hand(self, action: Action, incident: Incident, case: Callable[[Incident], Case]) -> Hand:
        """Who carries this action out. Raises `Refused` when nobody connected can, or it is unclear who should."""
        own = [one for one in self.by_name.values() if one.tenant == incident.tenant]
        if action.ability.startswith("case."):
            return _case_hand(own, lambda: case(incident))
        able = [one for one in own if one.roles.actuator is not None and action.ability in one.roles.actuator.abilities]
        if not able:
            raise Refused(f"nothing connected here can do {action.ability}")
        # The account comes from an alert: it only picks whom to ask, and whoever is asked must find the target there.
        account = action.parameters.get("account", "")
        there = [one for one in able if one.account == account] if account else able
        if len(there) != 1:
            raise Refused(f"no connected account {account}" if account else "which account it is in was not said")
        roles = there[0].roles
        if roles.inventory is None or roles.actuator is None:
            raise Refused(f"{there[0].name} has no inventory")
        return Hand(roles.inventory, roles.actuator)


def _case_hand(own: Iterable[Instance], case: Callable[[], Case]) -> Hand:
    sink = next((one for one in own if one.roles.sink is not None), None)
    if sink is None or sink.roles.sink is None:
        raise Refused("no case system is connected")
    hand = CaseHand(sink.name, sink.roles.sink, case())
    return Hand(hand, hand, patient=True)

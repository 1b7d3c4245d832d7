"""The guard, asked with what is on record: it stands before every effect and shares nothing with policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from isthmus.act.guard import guard, switch
from isthmus.act.guard.config import GuardConfig
from isthmus.act.guard.guard import Effect, History
from isthmus.desk.instances import Instances
from isthmus.model.errors import Refused, Unreachable
from isthmus.model.incidents import Incident
from isthmus.model.plans import Step, Target
from isthmus.record import effects
from isthmus.record.cosigning import Receipts
from isthmus.record.store import Store

_HOUR = timedelta(hours=1)
_FOR_EVER = ("guard: names", "guard: protected")


@dataclass(frozen=True, slots=True)
class Guarding:
    """Builds what the guard looks at. Its configuration and its switch are its own.

    Once the guard has nothing against it, a witness, where there is one, must have signed the intent (`receipts`).
    It is asked before an intent, and again once the intent is on record: several may have passed the first time at once,
    but the second time each counts those that were committed before it, so that no more are carried out than may be.
    """

    store: Store
    config: GuardConfig
    switch: Path
    instances: Instances
    receipts: Receipts | None = None

    def check(self, incident: Incident, step: Step, undo: bool, now: datetime) -> None:
        """Raises naming the rule that stands against this effect: `Refused`, or `Unreachable` where only now it does."""
        target = step.target
        if target is None:
            raise Refused("guard: names: there is no target")
        effect = Effect(
            tenant=incident.tenant,
            connector=self._connector(target),
            incident=incident.id,
            ability=step.action.ability,
            handle=target.handle,
            native_id=target.id,
            account=target.account,
            kind=target.kind.value,
            undo=undo,
        )
        token = step.intent.token if step.intent is not None else ""
        try:
            guard.check(self.config, switch.read(self.switch), effect, self._history(effect, target, token, now), now)
        except Refused as error:
            if str(error).startswith(_FOR_EVER):
                raise
            # A switch, a freeze, a breaker or a budget says: not now.
            raise Unreachable(str(error)) from None
        if self.receipts is not None:
            self.receipts.check(incident.tenant, incident.id, token, contains=not undo and not effect.writes_a_case)

    def _connector(self, target: Target) -> str:
        """The vendor the effect goes through: what its switch is called."""
        system = self.instances.by_name.get(target.account) if target.provider == "case" else None
        return system.connector.name if system is not None else target.provider

    def _history(self, effect: Effect, target: Target, token: str, now: datetime) -> History:
        tenant, cases = effect.tenant, effect.writes_a_case
        breaker = now - timedelta(minutes=self.config.breaker.minutes)
        with self.store.reading() as connection:
            return History(
                of_incident=effects.count(connection, tenant, token, cases, incident=effect.incident),
                last_hour=effects.count(connection, tenant, token, cases, now - _HOUR),
                last_hour_in_account=effects.count(connection, tenant, token, cases, now - _HOUR, account=target.account),
                in_place=effects.count(
                    connection, tenant, token, cases, account=target.account, kind=effect.kind, state=effects.IN_PLACE
                ),
                fleet=None,
                failures=effects.count(
                    connection, tenant, token, cases, breaker, connector=effect.connector, state=effects.FAILED
                ),
            )

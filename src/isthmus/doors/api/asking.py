"""Who asks for what, now: what every route is handed, after the key was checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from isthmus.answer.incident_view import IncidentView
from isthmus.desk.desk import Desk
from isthmus.doors.access import PERSON
from isthmus.doors.errors import Told
from isthmus.model.errors import Refused
from isthmus.model.people import Person, Right


@dataclass(frozen=True, slots=True)
class Asking:
    """A person of ours at the desk."""

    desk: Desk
    person: Person
    now: datetime

    def incident(self, name: str) -> IncidentView:
        """The incident. Raises `Told` 404 when this person's tenant has none of that name."""
        try:
            return self.desk.incident(self.person, name, self.now)
        except Refused:
            raise Told(404, "not_found", "there is no such incident") from None


@dataclass(frozen=True, slots=True)
class Speaking(Asking):
    """The same, about to say something of an incident that is there, and with the right to."""

    seen: IncidentView

    @property
    def name(self) -> str:
        return self.seen.id


async def _asking(request: Request) -> Asking:
    state = request.app.state
    return Asking(state.desk, request.scope[PERSON], state.clock())


Ask = Annotated[Asking, Depends(_asking)]


def _with(right: Right) -> Callable[[str, Asking], Speaking]:
    def speaking(name: str, ask: Ask) -> Speaking:
        # The desk asks again; here it only tells apart what may not be said from what does not fit.
        if not ask.person.may(right):
            who = f"{ask.person.role.value}{'' if ask.person.human else ', a program'}"
            raise Told(403, "may_not", f"{ask.person.id} ({who}) lacks the right to {right.value}")
        return Speaking(ask.desk, ask.person, ask.now, ask.incident(name))

    return speaking


Speak = Annotated[Speaking, Depends(_with(Right.SPEAK))]
Approve = Annotated[Speaking, Depends(_with(Right.APPROVE))]

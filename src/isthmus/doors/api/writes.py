"""What can be said. Each is one word of one person, checked by the desk; none of it waits for what follows from it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from isthmus.doors.api.answers import Said, answer
from isthmus.doors.api.asking import Approve, Speak, Speaking
from isthmus.doors.api.bodies import (
    Agreement,
    Assignment,
    Comment,
    Merging,
    Reason,
    Rejection,
    Renewal,
    Silence,
    Splitting,
    Undoing,
    VerdictBody,
)
from isthmus.doors.errors import Told
from isthmus.model.errors import Refused

routes = APIRouter(prefix="/incidents/{name}")


@routes.post("/approve")
def approve(one: Approve, body: Agreement) -> Response:
    """Agree to exactly one plan hash. For people who may approve; whoever asked for it may not."""
    return _spoken(one, body.plan_hash, True, body.reason)


@routes.post("/reject")
def reject(one: Approve, body: Rejection) -> Response:
    """Say no to exactly one plan hash. One no is enough."""
    return _spoken(one, body.plan_hash, False, body.reason)


@routes.post("/undo")
def undo(one: Speak, body: Undoing) -> Response:
    """Take a containment back: what was there before is restored."""
    one.desk.words.order_undo(one.person, one.name, body.ability, body.target, body.reason, one.now)
    return _said(one, "undo")


@routes.post("/renew")
def renew(one: Approve, body: Renewal) -> Response:
    """Let a containment stand until then."""
    one.desk.words.renew(one.person, one.name, body.ability, body.target, body.until, one.now)
    return _said(one, "renew")


@routes.post("/verdict")
def verdict(one: Speak, body: VerdictBody) -> Response:
    """Say what it really was."""
    one.desk.words.verdict(one.person, one.name, body.verdict.value, body.reason, one.now)
    return _said(one, "verdict")


@routes.post("/assign")
def assign(one: Speak, body: Assignment) -> Response:
    """Say whose it is."""
    one.desk.words.assign(one.person, one.name, body.to, one.now)
    return _said(one, "assign")


@routes.post("/comment")
def comment(one: Speak, body: Comment) -> Response:
    """Say something worth keeping."""
    one.desk.words.comment(one.person, one.name, body.text, one.now)
    return _said(one, "comment")


@routes.post("/suppress")
def suppress(one: Speak, body: Silence) -> Response:
    """Keep it quiet until then, as long as nothing joins it."""
    one.desk.words.suppress(one.person, one.name, body.reason, body.until, one.now)
    return _said(one, "suppress")


@routes.post("/accept-risk")
def accept_risk(one: Approve, body: Silence) -> Response:
    """Live with it until then. For people who may approve."""
    one.desk.words.accept_risk(one.person, one.name, body.reason, body.until, one.now)
    return _said(one, "accept-risk")


@routes.post("/reopen")
def reopen(one: Speak, body: Reason) -> Response:
    """Think again: ends a verdict, a suppression or an accepted risk."""
    one.desk.words.reopen(one.person, one.name, body.reason, one.now)
    return _said(one, "reopen")


@routes.post("/split")
def split(one: Speak, body: Splitting) -> Response:
    """Make another incident of some of its findings; the answer names it."""
    other = one.desk.words.split(one.person, one.name, body.findings, body.reason, one.now)
    return _said(one, "split", other)


@routes.post("/merge")
def merge(one: Speak, body: Merging) -> Response:
    """Make the other incident part of this one."""
    one.incident(body.other)
    one.desk.words.merge(one.person, one.name, body.other, body.reason, one.now)
    return _said(one, "merge", body.other)


def _spoken(one: Speaking, plan_hash: str, granted: bool, reason: str) -> Response:
    try:
        one.desk.words.approve(one.person, one.name, plan_hash, granted, reason, one.now)
    except Refused as error:
        # The desk has said no; this only tells who may never from what does not fit now.
        if any(step.plan_hash == plan_hash and step.requester == one.person.id for step in one.seen.steps):
            raise Told(403, "may_not", str(error)) from None
        raise
    return _said(one, "approve" if granted else "reject")


def _said(one: Speaking, said: str, other: str = "") -> Response:
    return answer(Said(one.name, said, one.now.isoformat(timespec="seconds").replace("+00:00", "Z"), other))

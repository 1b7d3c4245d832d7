"""Whose word counts, on what, and until when.

An approval is for one plan hash: the action, the target as it was seen, what would be called, what undo would restore, the
policy bundle, both deadlines and a nonce. Anything else later is another plan, and the word does not carry over. People
are counted, not keys; the one who asked, programs, and whoever has left do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from isthmus.model.errors import Refused
from isthmus.model.outside import LONGEST, printable
from isthmus.model.people import Person, Right
from isthmus.model.plans import Action, Approval, Decision, Preview, Request, Ruling, Step, Target, version_of

_PLAN, _APPROVAL = "isthmus/plan-hash/1", "isthmus/approval/1"


def plan_hash(
    action: Action, target: Target, preview: Preview, bundle: str, approve_by: datetime, execute_by: datetime, nonce: str
) -> str:
    """SHA-256, in hex, of `plan_bytes`: the name of everything a person agrees to."""
    return hashlib.sha256(plan_bytes(action, target, preview, bundle, approve_by, execute_by, nonce)).hexdigest()


def plan_bytes(
    action: Action, target: Target, preview: Preview, bundle: str, approve_by: datetime, execute_by: datetime, nonce: str
) -> bytes:
    """Everything a person agrees to, as RFC 8785 JSON: what the approver is shown is exactly what is hashed.

    Raises `Refused` when something in it cannot be written down exactly (a number too large, a time without a zone).
    """
    whole: Any = {
        "action": _action(action),
        "approve_by": _time(approve_by),
        "bundle": bundle,
        "execute_by": _time(execute_by),
        "format": _PLAN,
        "nonce": nonce,
        "preview": _seen(preview),
        "target": _target(target),
    }
    return _exactly(whole)


def plan_of(step: Step) -> bytes:
    """The plan people are asked about in this step; empty when nobody is."""
    request = step.request
    if request is None or step.target is None or step.preview is None:
        return b""
    clocks = request.approve_by, request.execute_by
    return plan_bytes(step.action, step.target, step.preview, request.bundle, *clocks, request.nonce)


def ask(
    step: Step,
    decision: Decision,
    requester: str,
    now: datetime,
    nonce: str,
    approve_within: timedelta,
    execute_within: timedelta,
) -> Request:
    """The question to people. They may agree until `now + approve_within`; what they agreed to may be carried out for
    `execute_within` more.

    Raises `Refused` when there is nothing to ask: no ASK, no target or preview, no nonce, or no time.
    """
    if decision.ruling is not Ruling.ASK or decision.people < 1:
        raise Refused("policy does not ask for people here")
    if step.target is None or step.preview is None or not nonce:
        raise Refused("people are asked about a target and a preview they can see, once")
    if approve_within <= timedelta(0) or execute_within <= timedelta(0):
        raise Refused("people need time to answer, and we to carry out")
    approve_by = now + approve_within
    execute_by = approve_by + execute_within
    hashed = plan_hash(step.action, step.target, step.preview, decision.bundle, approve_by, execute_by, nonce)
    return Request(hashed, decision.people, requester, now, approve_by, execute_by, nonce, decision.bundle)


def give(
    step: Step,
    person: Person,
    plan_hash: str,
    granted: bool,
    reason: str,
    now: datetime,
    sign: Callable[[bytes], str],
    *,
    tenant: str,
) -> Step:
    """The step with this person's word on it, yes or no, sealed by `sign`.

    `plan_hash` is the one on the page the person saw; `tenant` is the incident's. Raises `Refused` saying why the word
    does not count.
    """
    request = step.request
    if request is None:
        raise Refused("nobody was asked about this step")
    _still_open(step, request, plan_hash, now)
    _may_speak(step, request, person, tenant)
    word = Approval(plan_hash, person.id, granted, printable(reason[:LONGEST]), now)
    return replace(step, approvals=(*step.approvals, replace(word, signature=sign(approval_bytes(word)))))


def counted(
    step: Step,
    people: Mapping[str, Person],
    verify: Callable[[bytes, str], bool],
    now: datetime,
    *,
    bundle: str,
) -> tuple[Approval, ...]:
    """The approvals that count at this moment; none at all after a rejection, after `execute_by`, or when the step is no
    longer what people were asked about.

    `people` is the register of the incident's tenant, by exact id, as it is now: whoever was removed, set inactive or is
    no approver any more no longer counts. `bundle` is the digest of the policy in force; another than the one asked under
    voids them all.
    """
    request = step.request
    if request is None or not _stands(step, request) or bundle != request.bundle:
        return ()
    if not request.asked_at <= now <= request.execute_by or rejected(step) is not None:
        return ()
    return tuple(_each_once(one for one in step.approvals if _counts(one, request, people, verify, now)))


def rejected(step: Step) -> Approval | None:
    """The first no to what is asked now. One is enough, whatever the others say and even if its author has since left."""
    if step.request is None:
        return None
    asked = step.request.plan_hash
    return next((one for one in step.approvals if not one.granted and one.plan_hash == asked), None)


def approval_bytes(approval: Approval) -> bytes:
    """What is sealed: every field of the approval but the signature, as RFC 8785 JSON."""
    whole: Any = {
        "at": _time(approval.at),
        "format": _APPROVAL,
        "granted": approval.granted,
        "person": approval.person,
        "plan_hash": approval.plan_hash,
        "reason": approval.reason,
    }
    return _exactly(whole)


def _still_open(step: Step, request: Request, seen: str, now: datetime) -> None:
    if seen != request.plan_hash:
        raise Refused("this is another plan than the one that is asked about: open it again and read it")
    if step.intent is not None or step.outcome is not None:
        raise Refused("too late: it has already been carried out or ended")
    if not _stands(step, request):
        raise Refused("the plan was changed after people were asked: it has to be asked again")
    no = rejected(step)
    if no is not None:
        raise Refused(f"it was rejected by {no.person}: that ends it")
    if now > request.approve_by:
        raise Refused(f"too late: people were asked until {request.approve_by:%Y-%m-%d %H:%M:%S %Z}")
    if now < request.asked_at:
        raise Refused("this word is older than the question: a clock went back")


def _may_speak(step: Step, request: Request, person: Person, tenant: str) -> None:
    if person.tenant != tenant:
        raise Refused("this belongs to another tenant")
    if not person.active:
        raise Refused("this person is no longer active")
    if not person.human:
        raise Refused("programs do not approve: only people do")
    if not person.may(Right.APPROVE):
        raise Refused(f"the role {person.role} does not approve")
    if person.id == request.requester or person.id in request.requesters:
        raise Refused("whoever asked for it does not also approve it")
    if any(one.person == person.id and one.plan_hash == request.plan_hash for one in step.approvals):
        raise Refused("this person has already spoken: people are counted, not keys")


def _stands(step: Step, request: Request) -> bool:
    """Whether the step still is, to the byte, what people were asked about."""
    if step.target is None or step.preview is None or step.decision is None or step.decision.bundle != request.bundle:
        return False
    clocks = request.approve_by, request.execute_by
    try:
        now_it_is = plan_hash(step.action, step.target, step.preview, request.bundle, *clocks, request.nonce)
    except Refused:
        return False
    return now_it_is == request.plan_hash


def _counts(
    one: Approval, request: Request, people: Mapping[str, Person], verify: Callable[[bytes, str], bool], now: datetime
) -> bool:
    person = people.get(one.person)
    if person is None or person.id != one.person or not person.may(Right.APPROVE):
        return False
    if person.id == request.requester or person.id in request.requesters:
        return False
    in_time = request.asked_at <= one.at <= min(request.approve_by, now)
    to_this = one.granted and one.plan_hash == request.plan_hash
    return in_time and to_this and verify(approval_bytes(one), one.signature)


def _each_once(approvals: Iterator[Approval]) -> Iterator[Approval]:
    seen: set[str] = set()
    for one in approvals:
        if one.person not in seen:
            seen.add(one.person)
            yield one


def _action(action: Action) -> dict[str, Any]:
    return {
        "ability": action.ability,
        "parameters": dict(action.parameters),
        "rank": action.rank,
        "target": action.target,
    }


def _target(target: Target) -> dict[str, Any]:
    """Every attribute there is: one added later is bound too, without anybody remembering to."""
    return {one.name: getattr(target, one.name) for one in fields(target)}


def _seen(preview: Preview) -> dict[str, Any]:
    """The preview as what it would do and undo. When it was taken is left out: the same state seen again is the same."""
    return {
        "ability": preview.ability,
        "already": preview.already,
        "before": _version(preview.before),
        "calls": list(preview.calls),
        "parameters": dict(preview.parameters),
        "target": _target(preview.target),
        "version": preview.version,
    }


def _version(before: Mapping[str, Any]) -> str:
    try:
        return version_of(before)
    except ValueError as error:
        raise Refused(f"the state before cannot be written down exactly: {printable(str(error))}") from None


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Refused("a time without a zone is no deadline")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _exactly(whole: Any) -> bytes:
    try:
        return rfc8785.dumps(whole)
    except ValueError as error:
        raise Refused(f"cannot be written down exactly: {printable(str(error))}") from None

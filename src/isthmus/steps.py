"""How a plan becomes steps, and what each step must ask: the joint between deciding and acting.

`decide` and `act` know nothing of each other. Here their questions and answers are put together, for one incident at one
moment; nothing here reaches out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from isthmus.act.carry_out import Hand, Questions, troubled
from isthmus.assess.gather import gather
from isthmus.assess.triage import assess, judged
from isthmus.decide import approvals, policy
from isthmus.decide.bundle import Bundle
from isthmus.model.assessment import Assessment, Confidence, Priority
from isthmus.model.cases import Case
from isthmus.model.disposition import verdict_word
from isthmus.model.errors import Refused
from isthmus.model.estate import Environment, Estate
from isthmus.model.findings import short_hash
from isthmus.model.incidents import Incident, WordKind
from isthmus.model.intel import Intel
from isthmus.model.people import Person
from isthmus.model.plans import Action, Decision, Outcome, Request, Result, Ruling, Step, Target
from isthmus.plan.containment import ABILITIES, containment

_ABILITIES = {one.name: one for one in ABILITIES}
_ANSWERED = {Result.REFUSED, Result.EXPIRED}
ASKING = frozenset(WordKind) - {WordKind.COMMENT, WordKind.ASSIGN}


@dataclass(frozen=True, slots=True)
class Authority:
    """What must say yes, and what carries out. Without it nothing is decided and nothing is done.

    `hand` finds who can carry an action out, or raises `Refused`; `guard` raises `Refused`; `people` is the register of
    a tenant by id; `render` is the case of an incident as it reads now. The last three are how long people have to
    agree, how long an agreement holds, and how long a containment stands by itself.
    """

    bundle: Bundle
    hand: Callable[[Action, Incident], Hand]
    guard: Callable[[Incident, Step, bool, datetime], None]
    people: Callable[[str], Mapping[str, Person]]
    verify: Callable[[bytes, str], bool]
    render: Callable[[Incident], Case]
    nonce: Callable[[], str]
    approve_within: timedelta = timedelta(minutes=30)
    execute_within: timedelta = timedelta(minutes=15)
    lease: timedelta = timedelta(hours=8)


def steps_of(incident: Incident, authority: Authority, now: datetime) -> tuple[Step, ...]:
    """A step for each action; one that lives on from the round before is taken over as it is."""
    plan = incident.current.plan
    before = _living(incident)
    steps = []
    for action in _cases_first(plan.actions if plan else ()):
        name = action.ability, action.target
        steps.append(before.pop(name) if name in before else Step(action))
    # What is no longer planned is not asked for any longer; what stands, is under way or was answered is not forgotten.
    steps += [one for one in before.values() if not one.waiting]
    return tuple(_smallest_first(steps, authority, incident, now))


def _cases_first(actions: tuple[Action, ...]) -> Iterator[Action]:
    """People hear of it before anything is done."""
    yield from (one for one in actions if one.ability.startswith("case."))
    yield from (one for one in actions if not one.ability.startswith("case."))


def _living(incident: Incident) -> dict[tuple[str, str], Step]:
    """Steps of the round before that go on in this one: asked for, under way, in place, or answered no by people."""
    if len(incident.rounds) < 2:
        return {}
    asked_anew = incident.current.requester != "isthmus"
    living = {}
    for step in replace(incident, rounds=incident.rounds[:-1]).steps:
        answered = step.request is not None and step.outcome is not None and step.outcome.result in _ANSWERED
        answered = answered or (step.undone is not None and step.undo is not None and step.undo.by != "isthmus")
        if step.may_stand or step.waiting or (step.intent and not step.outcome) or (answered and not asked_anew):
            living[step.action.ability, step.action.target] = step
    return living


def _smallest_first(steps: list[Step], authority: Authority, incident: Incident, now: datetime) -> Iterator[Step]:
    """On each target the smallest step somebody can carry out is tried; larger ones are spared."""
    tried: set[str] = set()
    for step in steps:
        fresh = step == Step(step.action) and not step.action.ability.startswith("case.")
        if fresh and step.action.target in tried:
            reason = "a smaller step on the same target comes first"
            yield replace(step, decision=Decision(Ruling.SPARE, ("smallest-first",), reason, authority.bundle.digest))
            continue
        try:
            authority.hand(step.action, incident)
        except Refused as error:
            yield unable(step, str(error), now) if fresh else step
        else:
            tried.add(step.action.target)
            yield step


def unable(step: Step, why: str, now: datetime) -> Step:
    """The step ended, because nobody here can carry it out; one that is over stays as it is.

    What stands or was begun is never ended so: it waits until somebody can.
    """
    begun = step.intent is not None and (step.outcome is None or step.undo is not None)
    released = step.in_place and step.lease_until is not None and now >= step.lease_until
    if (begun and not step.settled) or released:
        return troubled(step, why, now, True)
    return step if step.settled else replace(step, outcome=Outcome(Result.REFUSED, why, now), trouble=None)


def with_larger(incident: Incident) -> Incident:
    """Where the smaller step found that nothing was left to change, and it goes on all the same: the next larger one."""
    steps = incident.current.steps or ()
    for position, step in enumerate(steps):
        spared = step.decision is not None and step.decision.ruling is Ruling.SPARE
        others = [one for one in steps[:position] if one.action.target == step.action.target]
        if spared and others and all(one.outcome is not None and one.outcome.result is Result.ALREADY for one in others):
            return incident.with_step(position, Step(step.action))
    return incident


def with_news(incident: Incident, authority: Authority) -> Incident:
    """When the case is open and reads differently now, one more step that brings it up to date."""
    steps = incident.current.steps or ()
    cases = [one for one in steps if one.action.ability.startswith("case.")]
    opened = [one.outcome for one in cases if one.outcome is not None and one.outcome.result is Result.DONE]
    if not opened or not all(one.settled for one in cases):
        return incident
    version = authority.render(incident).version
    if opened[-1].version == version or any(one.action.parameters.get("version") == version for one in cases):
        return incident
    action = Action("case.update", incident.id, {"version": version}, len(steps) + 1)
    return incident.with_round(replace(incident.current, steps=(*steps, Step(action))))


def questions(incident: Incident, intel: Intel, estate: Estate, authority: Authority, now: datetime) -> Questions:
    """What the steps of this incident must ask, bound to the incident as it is and to this moment."""
    bundle, tenant, sure = authority.bundle, incident.tenant, assured(incident, intel, estate, now)

    def decide(action: Action, target: Target) -> Decision:
        return policy.decide(
            bundle, action, target, circumstances(incident, action, target.account in estate.accounts, sure, now)
        )

    def permitted(step: Step, held: int) -> Decision:
        assert step.target is not None  # noqa: S101 - a step is permitted after it has been resolved
        known = step.target.account in estate.accounts
        return policy.permitted(bundle, step.action, step.target, circumstances(incident, step.action, known, sure, now), held)

    def request(step: Step) -> Request:
        assert step.decision is not None  # noqa: S101 - a step is asked for after it has been decided
        clocks = authority.approve_within, authority.execute_within
        asked = approvals.ask(step, step.decision, incident.current.requester, now, authority.nonce(), *clocks)
        return replace(asked, requesters=frozenset(one.person for one in incident.words if one.kind in ASKING))

    return Questions(
        placed=lambda target: placed(target, estate),
        decide=decide,
        request=request,
        counted=lambda step: approvals.counted(step, authority.people(tenant), authority.verify, now, bundle=bundle.digest),
        rejected=approvals.rejected,
        permitted=permitted,
        guard=lambda step, undo: authority.guard(incident, step, undo, now),
        token=lambda step: _token(incident, step),
        lease=authority.lease,
        life=authority.execute_within,
    )


def _token(incident: Incident, step: Step) -> str:
    """The same for the same step, whoever computes it; a new one when the step was decided anew."""
    seen = step.preview.at.isoformat() if step.preview is not None else ""
    names = incident.tenant, incident.id, step.action.ability, step.action.target, seen, str(len(incident.rounds))
    return short_hash(*names, length=32)


def placed(target: Target, estate: Estate) -> Target:
    """The target with what our own settings know of its account; what nobody told us counts as production."""
    account = estate.accounts.get(target.account)
    jewel = not estate.crown_jewels.isdisjoint((target.handle, target.id))
    if account is None:
        return replace(target, environment=Environment.PRODUCTION, crown_jewel=jewel)
    known = account.environment
    return replace(
        target,
        environment=Environment.PRODUCTION if known is Environment.UNKNOWN else known,
        criticality=account.criticality,
        owner=account.owner,
        crown_jewel=jewel,
        provenance=f"{target.provenance}; account by our settings" if target.provenance else "account by our settings",
    )


def circumstances(incident: Incident, action: Action, known_asset: bool, sure: Assured, now: datetime) -> policy.Circumstances:
    """What policy may know of the incident: our own conclusions, no outside text."""
    assessment = incident.current.assessment
    assert assessment is not None  # noqa: S101 - steps come after the assessment
    ability = _ABILITIES.get(action.ability)
    return policy.Circumstances(
        score=assessment.score,
        priority=assessment.priority.value,
        verdict=assessment.verdict.value,
        confidence=assessment.confidence.value,
        scope=incident.scope,
        confirmed=sure.of(action, assessment),
        known_asset=known_asset,
        reach=ability.reach if ability else 9,
        undoable=ability.undoable if ability else False,
        hour=now.hour,
        weekday=now.weekday(),
        verdict_by_person=verdict_word(incident) is not None,
    )


@dataclass(frozen=True, slots=True)
class Assured:
    """What the platforms themselves said when asked, and what follows from that alone. A webhook is a hint."""

    planned: frozenset[tuple[str, str]]
    assessment: Assessment | None

    def of(self, action: Action, whole: Assessment) -> bool:
        """Whether this action follows from what was confirmed, as gravely as it is held with the hints."""
        if self.assessment is None:
            return False
        if action.ability.startswith("case."):
            return True
        alone, levels = self.assessment, list(Priority)
        as_grave = alone.verdict is whole.verdict and levels.index(alone.priority) <= levels.index(whole.priority)
        surely = list(Confidence).index(alone.confidence) >= list(Confidence).index(whole.confidence)
        return (action.ability, action.target) in self.planned and as_grave and surely


def assured(incident: Incident, intel: Intel, estate: Estate, now: datetime) -> Assured:
    """The same thoughts over the confirmed findings only."""
    members = tuple(one for one in incident.members if not one.finding.hint)
    if not members:
        return Assured(frozenset(), None)
    alone = replace(incident, members=members)
    if len(members) == len(incident.members):
        planned = incident.current.plan.actions if incident.current.plan else ()
        return Assured(frozenset((one.ability, one.target) for one in planned), incident.current.assessment)
    facts = gather(alone, intel, estate, now)
    actions = containment(alone, facts)
    return Assured(
        frozenset((one.ability, one.target) for one in actions), judged(assess(alone, facts), verdict_word(incident))
    )

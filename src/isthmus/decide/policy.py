"""May this action be done? By itself, with one person's word, with two people's, or never: policy says.

The ladder: policy is asked as if nobody had agreed, then one person, then two. The first yes is the level needed; no yes
is a refusal. When the action is carried out the same policy is asked again with the approvals really recorded.
"""

from __future__ import annotations

from isthmus.decide.asking import LADDER, MOST_PEOPLE, Answer, Bundle, Circumstances, answers, unsound
from isthmus.decide.floor import CASES, Row, below
from isthmus.model.plans import Action, Decision, Ruling, Target

__all__ = ["Circumstances", "decide", "permitted"]

DEFAULT_DENY = "default-deny"
OURS = "isthmus:"
"""Begins what we say ourselves and no pack does: a policy's id cannot hold a colon."""

_PEOPLE = {1: "one person", MOST_PEOPLE: "two people"}


def decide(bundle: Bundle, action: Action, target: Target, circumstances: Circumstances) -> Decision:
    """AUTOMATIC, ASK with the number of people, or REFUSE. Whatever cannot be asked cleanly is refused; nothing is raised."""
    unfit = _unfit(bundle, action, target, circumstances)
    if unfit is not None:
        return unfit
    rungs = answers(bundle, action.ability, target, circumstances, LADDER)
    troubled = _troubled(bundle, rungs)
    if troubled is not None:
        return troubled
    rows = below(bundle.groups[action.ability], target, circumstances)
    allowed = [number for number, rung in zip(LADDER, rungs, strict=True) if rung.allowed and (number or not rows)]
    if not allowed:
        return _refused(bundle, rungs[-1])
    return _allowed(bundle, allowed[0], rungs, rows)


def permitted(bundle: Bundle, action: Action, target: Target, circumstances: Circumstances, approvals: int) -> Decision:
    """AUTOMATIC when it may be done now, on exactly this many people's word; REFUSE otherwise. Above two counts as two."""
    unfit = _unfit(bundle, action, target, circumstances)
    if unfit is not None:
        return unfit
    if type(approvals) is not int or approvals < 0:
        return _ours(bundle, "unsound-request", "the number of approvals is no number")
    (rung,) = answers(bundle, action.ability, target, circumstances, (min(approvals, MOST_PEOPLE),))
    troubled = _troubled(bundle, (rung,))
    if troubled is not None:
        return troubled
    rows = below(bundle.groups[action.ability], target, circumstances) if approvals == 0 else ()
    if rung.allowed and rows:
        return Decision(Ruling.REFUSE, _names(rows), f"needs one person: {rows[0].why}", bundle.digest)
    if not rung.allowed:
        return _refused(bundle, rung)
    people = f" on the word of {approvals}" if approvals else ""
    return Decision(Ruling.AUTOMATIC, rung.policies, f"allowed{people} by {_listed(rung.policies)}", bundle.digest)


def _unfit(bundle: Bundle, action: Action, target: Target, circumstances: Circumstances) -> Decision | None:
    """A refusal without asking, for what is not a request at all."""
    ability: object = action.ability
    group = bundle.groups.get(ability) if isinstance(ability, str) else None
    if group is None:
        return _ours(bundle, "unknown-ability", "not on the closed list of abilities")
    wrong = unsound(target, circumstances)
    if wrong:
        return _ours(bundle, "unsound-request", f"{wrong} is missing or not what it must be")
    if (group == CASES) != (target.provider == "case"):
        return _ours(bundle, "wrong-target", "cases are for case systems, containment is for the estate")
    return None


def _troubled(bundle: Bundle, rungs: tuple[Answer, ...]) -> Decision | None:
    """An error on any rung refuses the whole: Cedar may have skipped the policy that forbids."""
    errors = [error for rung in rungs for error in rung.errors]
    return _ours(bundle, "policy-error", f"policy could not be asked: {errors[0]}") if errors else None


def _ours(bundle: Bundle, name: str, why: str) -> Decision:
    return Decision(Ruling.REFUSE, (OURS + name,), f"refused: {why}", bundle.digest)


def _refused(bundle: Bundle, last: Answer) -> Decision:
    """Allowed with no number of people; what stands against it even then are the policies that forbid."""
    if not last.policies:
        return Decision(Ruling.REFUSE, (DEFAULT_DENY,), "refused: no policy allows it", bundle.digest)
    return Decision(Ruling.REFUSE, last.policies, f"refused by {_listed(last.policies)}", bundle.digest)


def _allowed(bundle: Bundle, level: int, rungs: tuple[Answer, ...], rows: tuple[Row, ...]) -> Decision:
    by = rungs[level].policies
    if level == 0:
        return Decision(Ruling.AUTOMATIC, by, f"allowed by {_listed(by)}", bundle.digest)
    fewer = rungs[level - 1]
    # A lower rung that policy would have allowed was held back by the floor alone.
    because = _names(rows) if fewer.allowed else fewer.policies
    held = f"with fewer it is held back by {_listed(because)}" if because else "no policy allows it with fewer"
    reason = f"needs {_PEOPLE[level]}: allowed then by {_listed(by)}; {held}"
    return Decision(Ruling.ASK, tuple(sorted({*by, *because})), reason, bundle.digest, level)


def _names(rows: tuple[Row, ...]) -> tuple[str, ...]:
    return tuple(f"{OURS}{row.name}" for row in rows)


def _listed(policies: tuple[str, ...]) -> str:
    return ", ".join(policies)

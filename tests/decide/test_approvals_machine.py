"""Any order of words, edits, replays, leavers, clocks and policies: what counts is what a plain bookkeeper says counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.decide.asked import ANN, AT, BEN, CAT, REQUESTER, Seal, asked, request_of
from tests.decide.making import TARGET, also

from isthmus.decide.approvals import counted, give, rejected
from isthmus.model.errors import Refused
from isthmus.model.people import Person, Role
from isthmus.model.plans import Approval, Intent, Step

LEAST = timedelta(microseconds=1)
ROBOT = Person("robot", "default", "Robot", Role.APPROVER, human=False)
ADMIN = Person("admin", "default", "Admin", Role.ADMIN)
STRANGER = Person("ANN", "default", "Ann in capitals", Role.APPROVER)
CONFUSABLE = Person("аnn", "default", "Ann with a Cyrillic letter", Role.APPROVER)
NEIGHBOUR = Person("dan", "elsewhere", "Dan", Role.APPROVER)
REGISTERED = (ANN, BEN, CAT, REQUESTER, ROBOT, ADMIN)
EVERYBODY = (*REGISTERED, STRANGER, CONFUSABLE, NEIGHBOUR)
EDITS: tuple[dict[str, Any], ...] = (
    {"calls": ("something else",)},
    {"before": {"groups": ["sg-2"]}},
    {"version": "other"},
    {"parameters": {"region": "us-east-1"}},
    {"target": also(TARGET, handle="aws:another")},
)


class Approving(RuleBasedStateMachine):
    """One step, two people wanted. `_yes` and `_no` are the bookkeeper's: who said what, and when, validly."""

    def __init__(self) -> None:
        super().__init__()
        self.seal = Seal()
        self.asked = asked(people=2)
        self.step = self.asked
        self.other = asked(nonce="other", people=2)
        self.now = AT
        self.people = {one.id: one for one in REGISTERED}
        self.in_force = request_of(self.asked).bundle
        self.edited = False
        self._on_record: set[str] = set()
        self._yes: dict[str, Any] = {}
        self._no: list[str] = []

    @property
    def request(self) -> Any:
        return request_of(self.asked)

    @rule(to=st.sampled_from(["approve_by", "execute_by"]), off=st.sampled_from([-LEAST, timedelta(0), LEAST]))
    def clock_jumps_to_a_deadline(self, to: str, off: timedelta) -> None:
        self.now = getattr(self.request, to) + off

    @rule(minutes=st.sampled_from([0, 0, 0, 1, 10, 20, 29, 31, 44, 46, -60]))
    def time_passes_or_goes_back(self, minutes: int) -> None:
        self.now = AT + timedelta(minutes=minutes)

    @rule(
        who=st.sampled_from((*REGISTERED[:3] * 4, *EVERYBODY)),
        granted=st.sampled_from([True] * 6 + [False]),
        name=st.sampled_from("KL"),
    )
    def somebody_speaks(self, who: Person, granted: bool, name: str) -> None:
        """By either of two keys: the key gives the person another name to show, never another id."""
        now_is = self.people.get(who.id, who)
        may = self._may(now_is) and who.id not in self._on_record
        fine = not self.edited and not self._no and self.step.intent is None and AT <= self.now <= self.request.approve_by
        try:
            self.step = give(
                self.step,
                replace(now_is, name=name),
                self.request.plan_hash,
                granted,
                "",
                self.now,
                self.seal,
                tenant="default",
            )
        except Refused:
            assert not (may and fine), "a good word was refused"
        else:
            assert may and fine, "a word was taken that must not be"
            self._on_record.add(who.id)
            if granted:
                self._yes[who.id] = self.now
            else:
                self._no.append(who.id)

    @rule(who=st.sampled_from(EVERYBODY), seen=st.sampled_from(["", "0" * 64, "other"]))
    def somebody_speaks_on_another_plan(self, who: Person, seen: str) -> None:
        shown = request_of(self.other).plan_hash if seen == "other" else seen
        try:
            give(self.step, who, shown, True, "", self.now, self.seal, tenant="default")
        except Refused:
            return
        raise AssertionError("a word on another plan was taken")

    @rule(who=st.sampled_from(REGISTERED[:3]))
    def a_word_is_replayed_from_another_step(self, who: Person) -> None:
        there = give(self.other, who, request_of(self.other).plan_hash, True, "", AT, self.seal, tenant="default")
        self.step = replace(self.step, approvals=(*self.step.approvals, *there.approvals))

    @rule(who=st.sampled_from([*EVERYBODY]), signature=st.sampled_from(["", "forged", "other key"]))
    def a_word_is_forged(self, who: Person, signature: str) -> None:
        """Put before the real ones, so that it would be the first seen of that person."""
        forged = Approval(self.request.plan_hash, who.id, True, "", self.now, signature)
        if signature == "other key":
            signed = self._signed(who, Seal(b"another key"))
            forged = signed.approvals[0] if signed is not None else forged
        # A word that does not count still stands in the way of a second one: nothing is gained by forging it.
        self._on_record.add(who.id)
        self.step = replace(self.step, approvals=(forged, *self.step.approvals))

    @precondition(lambda self: len(self.step.approvals) < 20)
    @rule()
    def every_word_is_there_twice(self) -> None:
        self.step = replace(self.step, approvals=self.step.approvals * 2)

    @rule(edit=st.sampled_from(EDITS))
    def the_preview_is_edited(self, edit: dict[str, Any]) -> None:
        assert self.asked.preview is not None
        self.step, self.edited = replace(self.step, preview=replace(self.asked.preview, **edit)), True

    @rule(other=st.booleans())
    def the_question_is_put_in_place_of_another(self, other: bool) -> None:
        request = request_of(self.other)
        # A hash substituted in the question; the words on record stay.
        changed = replace(self.request, plan_hash=request.plan_hash) if other else replace(self.request, nonce="other")
        assert counted(replace(self.step, request=changed), self.people, self.seal.holds, self.now, bundle="bundle") == ()

    @precondition(lambda self: self.edited)
    @rule()
    def the_edit_is_taken_back(self) -> None:
        self.step, self.edited = replace(self.step, preview=self.asked.preview), False

    @rule(digest=st.sampled_from(["bundle", "bundle", "the new one"]))
    def policy_is_swapped(self, digest: str) -> None:
        self.in_force = digest

    @rule(who=st.sampled_from(REGISTERED), how=st.sampled_from(["gone", "inactive", "analyst", "program", "back"]))
    def somebody_leaves_or_comes_back(self, who: Person, how: str) -> None:
        states = {
            "inactive": replace(who, active=False),
            "analyst": replace(who, role=Role.ANALYST),
            "program": replace(who, human=False),
            "back": who,
        }
        self.people.pop(who.id, None)
        if how in states:
            self.people[who.id] = states[how]

    @rule()
    def it_is_carried_out_if_enough_agreed(self) -> None:
        held = counted(self.step, self.people, self.seal.holds, self.now, bundle=self.in_force)
        if len(held) >= self.request.people:
            assert len({one.person for one in held}) == len(held) >= 2
            self.step = replace(self.step, intent=Intent("token", self.now, tuple(one.person for one in held)))

    @invariant()
    def what_counts_is_what_the_bookkeeper_says(self) -> None:
        held = counted(self.step, self.people, self.seal.holds, self.now, bundle=self.in_force)
        assert {one.person for one in held} == self._expected()
        assert len(held) == len(self._expected())
        assert (rejected(self.step) is not None) == bool(self._no)

    def _expected(self) -> set[str]:
        void = self.edited or self._no or self.in_force != "bundle" or not AT <= self.now <= self.request.execute_by
        if void:
            return set()
        return {who for who, at in self._yes.items() if at <= self.now and who in self.people and self._may(self.people[who])}

    @staticmethod
    def _may(person: Person) -> bool:
        fit = person.active and person.human and person.role is Role.APPROVER
        return fit and person.tenant == "default" and person.id != "requester"

    def _signed(self, who: Person, seal: Seal) -> Step | None:
        try:
            return give(self.asked, who, self.request.plan_hash, True, "", AT, seal, tenant="default")
        except Refused:
            return None


Approving.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None, derandomize=True)
TestApproving = Approving.TestCase

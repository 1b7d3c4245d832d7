"""The packs we ship say what they are meant to say: checked against the same rules written once more, in plain Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.making import CASE, LAB, SURE, TARGET, also, lab_pack

from isthmus.decide import bundle as loading
from isthmus.decide import golden
from isthmus.decide.bundle import READ_ONLY, load
from isthmus.decide.policy import Circumstances, decide, permitted
from isthmus.model.assessment import Confidence, Priority, Verdict
from isthmus.model.assets import AssetKind
from isthmus.model.estate import Criticality, Environment
from isthmus.model.plans import Action, Ruling, Target
from isthmus.plan.containment import ABILITIES

KNOWN = {one.name: one for one in ABILITIES}
CONTAINMENT = sorted(name for name in KNOWN if not name.startswith("case."))
ENVIRONMENTS = [one for one in Environment if one is not Environment.UNKNOWN]
SCOPES = ("story", "problem", "backlog")


def oracle(ability: str, target: Target, seen: Circumstances, people: int) -> bool:
    """The lab's rules without Cedar: may this be done on the word of so many people?"""
    urgent = seen.priority in ("act", "attend")
    if ability.startswith("case."):
        return urgent or (ability == "case.update" and seen.verdict_by_person)
    if not urgent or not seen.undoable or seen.verdict in ("false_positive", "benign_positive"):
        return False
    if target.crown_jewel or seen.reach >= 3:
        return people >= 2
    rehearsal = target.environment in ("development", "sandbox")
    sure = seen.confirmed and seen.verdict == "true_positive" and seen.confidence != "low"
    return people >= (0 if rehearsal and sure else 1)


def ladder(ability: str, target: Target, seen: Circumstances) -> tuple[Ruling, int]:
    for people in (0, 1, 2):
        if oracle(ability, target, seen, people):
            return (Ruling.ASK, people) if people else (Ruling.AUTOMATIC, 0)
    return Ruling.REFUSE, 0


def on(ability: str, **changes: Any) -> tuple[Action, Target, Circumstances]:
    """This ability with its own reach, in these circumstances and on such a target."""
    known = KNOWN.get(ability)
    reach, undoable = (known.reach, known.undoable) if known else (9, False)
    of_target = {name: changes.pop(name) for name in ("environment", "crown_jewel", "criticality") if name in changes}
    target = also(CASE if ability.startswith("case.") else TARGET, **of_target)
    return Action(ability, target.id, {}, 1), target, also(SURE, **({"reach": reach, "undoable": undoable} | changes))


DOMAIN: dict[str, Any] = {
    "environment": ENVIRONMENTS,
    "verdict": Verdict,
    "priority": Priority,
    "confidence": Confidence,
    "confirmed": (True, False),
    "crown_jewel": (True, False),
}
OF_CASES = {"priority": Priority, "verdict": Verdict, "confirmed": (True, False), "verdict_by_person": (True, False)}


@pytest.mark.parametrize(
    ("ability", "domain"),
    [
        *((name, DOMAIN) for name in ("aws.block_public_access", "aws.isolate_instance", "aws.stop_instance")),
        *((name, OF_CASES) for name in ("case.open", "case.update")),
    ],
)
def test_the_ladder_is_the_oracles_over_the_whole_domain(ability: str, domain: dict[str, Any]) -> None:
    """An ability of each reach, in every combination; and permitted is the oracle's word for 0, 1 and 2 people."""
    bundle = lab_pack()
    for values in product(*domain.values()):
        action, target, seen = on(ability, **dict(zip(domain, values, strict=True)))
        said = decide(bundle, action, target, seen)
        assert (said.ruling, said.people) == ladder(ability, target, seen), (target, seen)
        for people in (0, 1, 2):
            may = permitted(bundle, action, target, seen, people).ruling is Ruling.AUTOMATIC
            assert may == oracle(ability, target, seen, people), (target, seen, people)


@pytest.mark.parametrize("ability", [*CONTAINMENT, "case.open", "case.update"])
def test_every_ability_is_decided_like_the_others_of_its_kind(ability: str) -> None:
    for environment, confirmed, jewel, people in product(ENVIRONMENTS, (True, False), (True, False), (0, 1, 2, 3)):
        action, target, seen = on(ability, environment=environment, confirmed=confirmed, crown_jewel=jewel)
        said = decide(lab_pack(), action, target, seen)
        assert (said.ruling, said.people) == ladder(ability, target, seen)
        may = permitted(lab_pack(), action, target, seen, people).ruling is Ruling.AUTOMATIC
        assert may == oracle(ability, target, seen, people)


@settings(max_examples=300)
@given(st.data())
def test_what_the_rules_do_not_mention_changes_nothing(data: st.DataObject) -> None:
    truth, of = st.booleans(), st.sampled_from
    ability = data.draw(of([*CONTAINMENT, "case.open", "case.update"]))
    circumstances = st.builds(
        Circumstances,
        *(st.integers(0, 100), of([*Priority]), of([*Verdict]), of([*Confidence]), of(SCOPES), truth, truth),
        *(st.integers(0, 9), truth, st.integers(0, 23), st.integers(0, 6), truth),
    )
    things = {"environment": of(ENVIRONMENTS), "criticality": of([*Criticality]), "crown_jewel": truth, "owner": st.text()}
    changes = data.draw(st.fixed_dictionaries(things))
    target = also(CASE if ability.startswith("case.") else TARGET, **changes)
    seen, people = data.draw(circumstances), data.draw(st.integers(0, 5))
    action = Action(ability, target.id, {}, 1)
    said = decide(lab_pack(), action, target, seen)
    assert (said.ruling, said.people) == ladder(ability, target, seen)
    assert (permitted(lab_pack(), action, target, seen, people).ruling is Ruling.AUTOMATIC) == oracle(
        ability, target, seen, people
    )


def test_the_read_only_pack_refuses_everything_whoever_agrees() -> None:
    bundle = load(READ_ONLY)
    for ability in bundle.groups:
        action, target, seen = on(ability)
        assert decide(bundle, action, target, seen).ruling is Ruling.REFUSE
        for people in (0, 1, 2, 100):
            said = permitted(bundle, action, target, seen, people)
            assert (said.ruling, said.policies, said.bundle) == (Ruling.REFUSE, ("read-only",), bundle.digest)


@pytest.mark.parametrize("folder", [READ_ONLY, LAB], ids=lambda path: path.name)
def test_every_policy_we_ship_decides_a_golden_case_and_says_in_words_what_it_does(folder: Path) -> None:
    bundle = load(folder)
    cases = golden.read((folder / golden.FILE).read_text(encoding="utf-8"))
    reached = {name for one in cases for name in decide(bundle, one.action, one.target, one.circumstances).policies}
    assert {rule.id for rule in bundle.rules} <= reached
    assert all(rule.text.startswith("// ") for rule in bundle.rules)


def test_the_golden_cases_of_the_lab_are_about_abilities_as_they_are() -> None:
    for one in golden.read((LAB / golden.FILE).read_text(encoding="utf-8")):
        if one.action.ability in CONTAINMENT:
            assert one.circumstances.reach == KNOWN[one.action.ability].reach, one.name


def test_the_schema_lists_every_ability_and_every_word_we_have() -> None:
    assert set(lab_pack().groups) == {*KNOWN, "case.update"}
    text = loading._SCHEMA.read_text(encoding="utf-8")
    words: dict[str, Iterable[str]] = {
        "Environment": ENVIRONMENTS,
        "Criticality": Criticality,
        "Kind": AssetKind,
        "Priority": Priority,
        "Verdict": Verdict,
        "Confidence": Confidence,
        "Scope": SCOPES,
    }
    for name, there_are in words.items():
        found = re.search(rf"entity {name} enum \[([^\]]+)\]", text)
        assert found is not None
        assert set(re.findall(r'"([^"]+)"', found[1])) == set(there_are), name


def test_decisions_name_the_policies_and_the_bundle() -> None:
    bundle = lab_pack()
    asked = decide(bundle, *on("aws.stop_instance", environment=Environment.PRODUCTION))
    assert (asked.ruling, asked.people, asked.bundle) == (Ruling.ASK, 2, bundle.digest)
    assert "stopping-asks-two" in asked.policies
    assert "stopping-asks-two" in asked.reason
    refused = decide(bundle, *on("aws.isolate_instance", priority="track", verdict="false_positive"))
    assert refused.policies == ("can-wait", "harmless")
    assert refused.reason == "refused by can-wait, harmless"
    assert decide(bundle, *on("case.open", priority="track")).policies == ("default-deny",)

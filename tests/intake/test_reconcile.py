"""Incidents keep their names while stories grow, split and join; every finding is in exactly one."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from isthmus.intake.reconcile import Reconciled, reconcile
from isthmus.model.assets import Asset, AssetKind
from isthmus.model.findings import Finding, Kind
from isthmus.model.incidents import Held, Incident, Member, Pins
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

KEYS = [f"k{number}" for number in range(12)]


def finding(name: str) -> Finding:
    asset = Asset(AssetKind.INSTANCE, id=f"asset:{name}", aliases=(f"asset:{name}",))
    return Finding("wiz", name, Kind.THREAT, Outside(name), Severity.HIGH, asset)


def full(name: str) -> str:
    return finding(name).key


def group(name: str, *keys: str, scope: str = "story") -> Incident:
    return Incident(name, "default", scope, tuple(Member(finding(key), "because") for key in keys))


def held(name: str, *keys: str, since: str = "2026-01-01", into: str = "") -> Held:
    return Held(name, frozenset(full(key) for key in keys), since, into)


def names(found: Reconciled) -> dict[str, set[str]]:
    return {name: {one.finding.source_id for one in story.members} for name, story in found.stories.items()}


def test_what_nobody_knew_keeps_its_own_name() -> None:
    assert names(reconcile([group("A", "k1"), group("B", "k2")], [], Pins())) == {"A": {"k1"}, "B": {"k2"}}


def test_a_story_that_grew_keeps_the_name_people_know() -> None:
    found = reconcile([group("NEW", "k1", "k2", "k3")], [held("OLD", "k2", "k3")], Pins())
    assert names(found) == {"OLD": {"k1", "k2", "k3"}}


def test_of_two_that_became_one_the_larger_lives_and_the_other_says_where_it_went() -> None:
    found = reconcile([group("NEW", "k1", "k2", "k3")], [held("SMALL", "k1"), held("LARGE", "k2", "k3")], Pins())
    assert names(found) == {"LARGE": {"k1", "k2", "k3"}}
    assert found.folded == {"SMALL": "LARGE"}


def test_one_that_fell_apart_lives_on_in_its_larger_part() -> None:
    found = reconcile([group("X", "k1"), group("Y", "k2", "k3")], [held("OLD", "k1", "k2", "k3")], Pins())
    assert names(found) == {"OLD": {"k2", "k3"}, "X": {"k1"}}


def test_a_name_that_was_merged_away_is_not_given_again() -> None:
    found = reconcile([group("OLD", "k9")], [held("OLD", "k1", into="OTHER")], Pins())
    assert "OLD" not in names(found)


def test_a_split_outlives_every_new_finding() -> None:
    pins = Pins(apart={full("k1"): "SPLIT"})
    found = reconcile([group("G", "k1", "k2", "k3")], [held("G", "k2"), held("SPLIT", "k1")], pins)
    assert names(found) == {"G": {"k2", "k3"}, "SPLIT": {"k1"}}


def test_a_merge_takes_along_what_joins_either_side() -> None:
    pins = Pins(together=((full("k3"), full("k1")),))
    found = reconcile([group("A", "k1", "k2"), group("B", "k3", "k4")], [held("A", "k1")], pins)
    assert names(found) == {"A": {"k1", "k2", "k3", "k4"}}


def test_what_was_resolved_everywhere_is_not_said_to_be_part_of_another() -> None:
    assert reconcile([group("B", "k2")], [held("A", "k1"), held("B", "k2")], Pins()).folded == {}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Incident], list[Held], Pins]:
    def parted(name: str) -> list[list[str]]:
        keys = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1))
        marks = [draw(st.integers(0, 3)) for _ in keys]
        return [part for mark in range(4) if (part := [key for key, own in zip(keys, marks, strict=True) if own == mark])]

    scopes = st.sampled_from(["story", "problem", "backlog"])
    groups = [group(f"G{number}", *part, scope=draw(scopes)) for number, part in enumerate(parted("groups"))]
    ids = draw(st.permutations([f"G{number}" for number in range(4)]))
    known = [held(ids[number], *part, since=f"2026-01-0{number + 1}") for number, part in enumerate(parted("held"))]
    pairs = draw(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=2))
    apart = draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["S1", "S2"]), max_size=3))
    pins = Pins(tuple((full(a), full(b)) for a, b in pairs), {full(key): name for key, name in apart.items()})
    return groups, known, pins


@given(worlds())
def test_every_finding_is_in_exactly_one_story_whatever_is_known_and_said(
    world: tuple[list[Incident], list[Held], Pins],
) -> None:
    groups, known, pins = world
    found = reconcile(groups, known, pins)
    told = sorted(one.finding.key for story in found.stories.values() for one in story.members)
    assert told == sorted(one.finding.key for each in groups for one in each.members)
    assert all(name == story.id for name, story in found.stories.items())
    assert set(found.folded.values()) <= set(found.stories)
    assert not set(found.folded) & set(found.stories)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_told_does_not_matter(
    world: tuple[list[Incident], list[Held], Pins], random: Random
) -> None:
    groups, known, pins = world
    first = reconcile(groups, known, pins)
    random.shuffle(groups)
    random.shuffle(known)
    assert names(reconcile(groups, known, replace(pins, together=pins.together[::-1]))) == names(first)

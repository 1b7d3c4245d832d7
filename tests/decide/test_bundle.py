"""A bundle is whole and sane or it is not used; its author is told which file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.decide.making import GOLDEN, pack

from isthmus.decide import bundle as loading
from isthmus.decide.bundle import load
from isthmus.model.errors import Untrusted

CASES = """
@id("cases")
permit (principal, action in Action::"case", resource) when { context.priority == Priority::"act" };
"""
ALLOWED = """
@id("contain")
permit (principal, action in Action::"contain", resource)
when { %s };
"""
SAFE = (
    "context.confirmed && context.undoable && !resource.crown_jewel && context.reach < 2 && "
    'context.verdict == Verdict::"true_positive"'
)


def refusal(folder: Path) -> str:
    with pytest.raises(Untrusted) as caught:
        load(folder)
    return str(caught.value)


def test_a_sane_pack_is_taken(tmp_path: Path) -> None:
    taken = load(pack(tmp_path, a_cedar=CASES, b_cedar=ALLOWED % SAFE))
    assert [(rule.id, rule.place) for rule in taken.rules] == [("cases", "a.cedar line 2"), ("contain", "b.cedar line 2")]


MALFORMED = [
    ("does not end", CASES + '\n// about it\n@id("x") permit (principal, action, resource)', "a.cedar line 6"),
    ("does not parse", '\n\n@id("x") permit (principal, acting, resource);', "a.cedar line 3"),
    ("does not parse", CASES + '@id("x") permit (principal, action, resource) when { context.score = 5 };', "a.cedar line 4"),
    ("does not parse", CASES + ";", "a.cedar line 4"),
    ("does not parse", '@id("x") @id("y") permit (principal, action, resource);', "a.cedar line 1"),
    ("needs an @id", CASES + "\npermit (principal, action, resource);", "a.cedar line 5"),
    ("needs an @id", '@id("Has Spaces")\nforbid (principal, action, resource);', "a.cedar line 1"),
    ("needs an @id", '@id("isthmus:floor")\nforbid (principal, action, resource);', "a.cedar line 1"),
    ("needs an @id", "@id\nforbid (principal, action, resource);", "a.cedar line 1"),
    ("@id cases is taken by a.cedar line 2", CASES + CASES, "a.cedar line 5"),
    ("templates are not taken", '@id("x") forbid (principal == ?principal, action, resource);', "a.cedar line 1"),
    ("must say for which action", '@id("x") permit (principal, action, resource);', "a.cedar line 1"),
    ("must say for which action", '\n@id("x") permit (principal, action, resource) when { context.hour == 3 };', "line 2"),
    ("deeper than 32", '\n@id("x") forbid (principal, action, resource) when {\n' + "(" * 5_000 + "true", "a.cedar line 3"),
    ("nested too deep", '@id("x") forbid (principal, action, resource) when { true' + " || true" * 500 + " };", "line 1"),
    ("0 policies", "// nothing here\n", "*.cedar"),
]


@pytest.mark.parametrize(("why", "text", "place"), MALFORMED)
def test_what_cannot_be_read_is_named_with_file_and_line(tmp_path: Path, why: str, text: str, place: str) -> None:
    told = refusal(pack(tmp_path, a_cedar=text))
    assert why in told
    assert place in told


UNFIT = [
    ("rott", "context.rott"),
    ("prodction", 'resource.environment == Environment::"prodction"'),
    ("String", 'resource.environment == "production"'),
    ("emergency", 'context.priority == Priority::"emergency"'),
    ("Long", "context.reach == true"),
    ("Person", "principal is Person"),
]


@pytest.mark.parametrize(("word", "condition"), UNFIT)
def test_a_policy_that_does_not_fit_the_schema_is_named(tmp_path: Path, word: str, condition: str) -> None:
    told = refusal(
        pack(tmp_path, a_cedar=CASES, z_cedar=f'\n\n@id("typo") forbid (principal, action, resource) when {{ {condition} }};')
    )
    assert told.startswith("z.cedar line 3: typo: does not fit the schema: ")
    assert word in told


def test_an_action_that_does_not_exist_is_named(tmp_path: Path) -> None:
    told = refusal(pack(tmp_path, a_cedar='@id("x") forbid (principal, action == Action::"aws.delete", resource);'))
    assert told.startswith("a.cedar line 1: x: does not fit the schema: ")


def test_a_forbid_that_fails_to_evaluate_is_named(tmp_path: Path) -> None:
    failing = '\n@id("careful") forbid (principal, action, resource) when { context.score * 9223372036854775807 > 0 };'
    told = refusal(pack(tmp_path, a_cedar=CASES, b_cedar=failing))
    assert told.startswith("b.cedar line 2: careful: ")
    assert "overflow" in told


ABSURD = [
    ("unconfirmed", SAFE.replace("context.confirmed && ", "")),
    ("no-way-back", SAFE.replace("context.undoable && ", "")),
    ("crown-jewel", SAFE.replace("!resource.crown_jewel && ", "")),
    ("cut-off-in-production", SAFE.replace("reach < 2", "reach < 3")),
    ("believed-harmless", SAFE.replace('context.verdict == Verdict::"true_positive"', "true")),
    ("unconfirmed", "true"),
]


@pytest.mark.parametrize(("row", "condition"), ABSURD)
def test_what_allows_below_the_floor_is_named_with_the_reason(tmp_path: Path, row: str, condition: str) -> None:
    told = refusal(pack(tmp_path, a_cedar=CASES, b_cedar=ALLOWED % condition))
    assert f"b.cedar line 2: contain: allows it unasked, below the floor {row}: " in told


def test_the_floor_is_looked_at_for_a_single_ability_too(tmp_path: Path) -> None:
    narrow = (ALLOWED % "true").replace('in Action::"contain"', '== Action::"host.pause_container"')
    assert "below the floor" in refusal(pack(tmp_path, b_cedar=narrow))


def test_what_asks_people_may_be_as_wide_as_it_likes(tmp_path: Path) -> None:
    assert load(pack(tmp_path, a_cedar=ALLOWED % "context.approvals > 0")).rules


def test_a_pack_that_allows_less_when_more_agree_is_named(tmp_path: Path) -> None:
    told = refusal(pack(tmp_path, a_cedar=ALLOWED % "context.approvals == 1"))
    assert "a.cedar line 2: contain: allows less when more people agree" in told


def test_a_golden_decision_that_is_not_met_is_named_with_who_decided(tmp_path: Path) -> None:
    wrong = GOLDEN.replace("priority: track}", "priority: act}")
    told = refusal(pack(tmp_path, a_cedar=CASES, golden_yaml=wrong))
    assert told.startswith("golden.yaml line 8: nothing is known of this: expected refuse, got automatic")
    assert "a.cedar line 2: cases" in told


BROKEN_GOLDEN = [
    ("", "empty"),
    ("cases: []", "no golden decision"),
    ("cases: {}", "a list"),
    ("caes: []", "a list"),
    ("[1, 2]", "a list"),
    ("cases: [", "not YAML"),
    ("cases: [7]", "line 1: a case"),
    ("cases:\n  - name: x", "line 2: "),
    (GOLDEN + "    expect: automatic\n", "line 8: a key is written twice"),
    (GOLDEN.replace("expect: refuse", "expect: maybe"), "line 11: expect: "),
    (GOLDEN.replace("expect: refuse", "expects: refuse"), "line 11: expects: unknown key"),
    (GOLDEN.replace("priority: track", "priority: trak"), "line 10: circumstances.priority: "),
    (GOLDEN.replace("score: 95", "score: 950"), "line 5: circumstances.score: "),
    (GOLDEN.replace("hour: 12,", ""), "line 8: circumstances.hour: "),
    (GOLDEN.replace("environment: sandbox", "environment: unknown"), "line 3: target.environment: "),
    (GOLDEN.replace("crown_jewel: false", "crown_jewels: false"), "target.crown_jewel"),
    (GOLDEN + GOLDEN.split("cases:\n")[1], "two cases of this name"),
    (GOLDEN + "  - &a {name: x}\n  - *a\n", "aliases"),
]


@pytest.mark.parametrize(("text", "told"), BROKEN_GOLDEN)
def test_a_golden_file_is_read_strictly(tmp_path: Path, text: str, told: str) -> None:
    said = refusal(pack(tmp_path, a_cedar=CASES, golden_yaml=text))
    assert said.startswith("golden.yaml")
    assert told in said


def test_a_folder_holds_a_bundle_and_nothing_else(tmp_path: Path) -> None:
    assert "folder with *.cedar and golden.yaml" in refusal(tmp_path)
    assert str(tmp_path / "missing") in refusal(tmp_path / "missing")
    pack(tmp_path, a_cedar=CASES)
    load(tmp_path)
    (tmp_path / ".a.cedar.swp").write_bytes(b"\xff")
    (tmp_path / "README.md").write_text("about")
    load(tmp_path)
    for name in ("forbids.ceder", "more.cedar.bak", "schema.cedarschema"):
        (tmp_path / name).write_text("")
        assert name in refusal(tmp_path)
        (tmp_path / name).unlink()
    (tmp_path / "more").mkdir()
    assert "more: not part of a policy bundle" in refusal(tmp_path)


def test_files_are_text_of_a_sane_size(tmp_path: Path) -> None:
    assert "a.cedar line 3: not UTF-8" in refusal(pack(tmp_path, a_cedar=CASES.encode()[:1] + b"//\n\xff"))
    assert "a.cedar: larger than" in refusal(pack(tmp_path, a_cedar="/" * 300_000))
    many = "".join(f'@id("p{number}") forbid (principal, action, resource);\n' for number in range(201))
    assert "201 policies" in refusal(pack(tmp_path, a_cedar=many))


def test_strings_and_comments_do_not_end_a_policy(tmp_path: Path) -> None:
    text = (
        '// first; (((\n@id("a") forbid (principal, action, resource) when { resource.owner == "x;\\"([{" }; // done;\n' + CASES
    )
    assert [(rule.id, rule.place) for rule in load(pack(tmp_path, a_cedar=text)).rules] == [
        ("a", "a.cedar line 2"),
        ("cases", "a.cedar line 4"),
    ]


def test_the_digest_is_of_names_bytes_and_schema(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    loaded = load(pack(tmp_path / "one", a_cedar=CASES)).digest
    assert loaded == load(pack(tmp_path / "two", a_cedar=CASES)).digest
    assert len(loaded) == 64
    files = {"a.cedar": CASES, "golden.yaml": GOLDEN}
    schema = loading._SCHEMA.read_text(encoding="utf-8")
    assert loading._digest(files, schema) == loaded
    others = {
        loading._digest({"b.cedar": CASES, "golden.yaml": GOLDEN}, schema),
        loading._digest({"a.cedar": CASES + " ", "golden.yaml": GOLDEN}, schema),
        loading._digest({"a.cedar": CASES, "golden.yaml": GOLDEN + "\n"}, schema),
        loading._digest(files | {"b.cedar": ""}, schema),
        loading._digest(files, schema + "\n"),
    }
    assert len(others - {loaded}) == 5

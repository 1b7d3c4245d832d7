"""The page: whatever is written in a document, it stays text; it fetches nothing, and it can be read by everybody."""

from __future__ import annotations

import re
import types
import typing
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.answer.document import (
    CountsRow,
    EdgeRow,
    FactRow,
    FindingRow,
    IncidentRow,
    NodeRow,
    PathRow,
    ReasonRow,
    TriageDocument,
)
from isthmus.answer.page import MOST_OF_A_KIND, MOST_SECTIONS, page

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' style='position:fixed",
    "javascript:alert(1)",
    'https://evil.example/" onclick="x',
    "http://evil.example/pixel.png",
    "\x1b[2J\x1b]0;owned\x07\x00",
    "abc\u202egnp.exe\u2066\u200b",
    "{{7*7}}{% include 'x' %}${7*7}",
    "]]></title></svg><script>",
    "</style></head><style>*{display:none}</style>",
    "--><!-- </textarea><base href=https://evil.example>",
    "&lt;script&gt;&#60;script&#62;",
    "\ud800lone",
    "W" * 3_000,
    "a" * 50 + "\n" + "é漢字" * 40,
]
VOID = {"meta", "br"}
TAGS = set(
    re.findall(
        r"\S+",
        "html head meta title style body a header div h1 h2 h3 h4 h5 span p b ul li nav main section table thead tbody tr th td"
        " code sup br dl dt dd details summary pre footer svg g path rect text desc",
    )
)
LEVELS = {f"h{level}": level for level in range(1, 7)}


class Reader(HTMLParser):
    """What a browser would make of the page: tags with attributes, texts, whether every tag is closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.style = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        assert len(attrs) == len({name for name, _ in attrs})
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def all(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def filled(kind: Any, text: str) -> Any:
    """A value of this type with the text in every place that holds one, so that a new field is tried without being told."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return (filled(inner[0], text),) * 2
    if origin is dict:
        return {text: text}
    if origin in (typing.Union, types.UnionType):
        return filled(next(one for one in inner if one is not type(None)), text)
    if kind in (str, int, bool):
        return {str: text, int: 0, bool: True}[kind]
    return kind(**{name: filled(hint, text) for name, hint in typing.get_type_hints(kind).items()})


def document(**changes: Any) -> TriageDocument:
    empty = TriageDocument("1.1", "2026-03-01T12:00:00Z", CountsRow(0, 0, 0, 0), (), (), (), (), ())
    return msgspec.structs.replace(empty, **changes)


PLAIN: IncidentRow = msgspec.structs.replace(filled(IncidentRow, "plain"), attack_path=None, score=0, score_reasons=())


def incident(number: int = 1, **changes: Any) -> IncidentRow:
    changed: IncidentRow = msgspec.structs.replace(PLAIN, **{"id": f"INC-{number:010x}", **changes})
    return changed


MANY_WAYS = PathRow(
    tuple(NodeRow(f"arn:aws:s3:::{number}", "bucket", f"node number {number}", "step", number // 3) for number in range(12)),
    tuple(EdgeRow(f"arn:aws:s3:::{number}", f"arn:aws:s3:::{number + 3}", "acts as a role") for number in range(9)),
    None,
)


def finding(number: int) -> FindingRow:
    asset = f"arn:aws:ec2:eu-west-1:210987654321:instance/i-{number:017x}"
    return FindingRow("wiz", f"{number:032x}", "vulnerability", f"CVE-2021-{number} in log4j", "high", asset, "same asset")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    source = page(filled(TriageDocument, text))
    read = Reader(source)
    assert {tag for tag, _ in read.tags} <= TAGS
    names = {name for _, attributes in read.tags for name in attributes}
    assert not {"style", "src", "srcset", "xlink:href", "action", "formaction"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "<script" not in source.lower()
    assert all(one.startswith(("#", "https://")) for one in read.all("href"))
    assert all(character.isprintable() or character in "\n\t" for character in source)
    assert source.encode()


@pytest.mark.parametrize("text", [one for one in HOSTILE if one.isprintable() and len(one) < 100])
def test_hostile_text_is_shown_as_it_was_written(text: str) -> None:
    read = Reader(page(filled(TriageDocument, text)))
    assert len([one for one in read.texts if text in one]) > 40


def test_what_cannot_be_seen_is_spelt_out() -> None:
    source = page(filled(TriageDocument, "a\x1bb\u202ec"))
    assert "a⟨U+001B⟩b⟨U+202E⟩c" in source


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_no_text_changes_the_structure(text: str) -> None:
    if text in ("text", "new", "grown"):
        return
    expected, found = (Counter(tag for tag, _ in Reader(page(filled(TriageDocument, one))).tags) for one in ("x", text))
    # A long name takes two lines of its picture, a link that is no https address is shown as code.
    for tag in ("text", "code", "a"):
        del expected[tag], found[tag]
    assert found == expected


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("https://app.wiz.io/issues#~(issue~'5f1c')", True),
        ("http://app.wiz.io/", False),
        ("HTTPS://app.wiz.io/", False),
        ("javascript:alert(1)//https://x", False),
        ("https://app.wiz.io@evil.example/", False),
        ("https://[broken/", False),
        ("https://", False),
        ('https://x.example/"onclick="', False),
        ("https://х.example/", False),
        ("https://x.example/\n", False),
    ],
)
def test_only_plain_https_becomes_a_link(address: str, taken: bool) -> None:
    read = Reader(page(document(incidents=(incident(link=address),))))
    outward = [attributes for tag, attributes in read.tags if tag == "a" and not attributes["href"].startswith("#")]
    assert [one["href"] for one in outward] == ([address] if taken else [])
    assert all(one["rel"] == "noreferrer noopener" for one in outward)


def test_the_policy_names_the_style_and_nothing_else() -> None:
    source = page(document())
    read = Reader(source)
    policy = next(one["content"] for tag, one in read.tags if one.get("http-equiv") == "Content-Security-Policy")
    hashed = b64encode(sha256(read.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"
    assert source.count("<style") == 1
    assert not re.search(r"url\(|@import|http", read.style)
    assert "http" not in re.sub("http-equiv", "", source)


def test_a_document_without_incidents() -> None:
    read = Reader(page(document(counts=CountsRow(5, 2, 1, 2))))
    words = " ".join(" ".join(read.texts).split())
    assert "5 seen = 2 stored + 1 repeats + 2 rejected, in 0 incidents" in words
    assert "No incidents." in words
    assert "does not come out" not in words


def test_a_sum_that_does_not_come_out_is_said() -> None:
    assert "does not come out" in page(document(counts=CountsRow(5, 2, 1, 1)))


def test_every_citation_and_every_link_within_the_page_arrives() -> None:
    facts = tuple(FactRow(f"F-{number:012x}", "cvss", f"fact {number}", "wiz", None) for number in range(4))
    reasons = (ReasonRow("grave", 40, (facts[0].id, facts[3].id)), ReasonRow("stopped", -10, (facts[1].id, "F-none")))
    read = Reader(page(document(facts=facts, incidents=(incident(score=30, score_reasons=reasons), incident(2)))))
    places = read.all("id")
    assert len(places) == len(set(places))
    assert {one[1:] for one in read.all("href") if one.startswith("#")} <= set(places)
    assert set(read.all("aria-labelledby")) <= set(places)
    cited = [attributes["href"][1:] for tag, attributes in read.tags if attributes.get("aria-label", "").startswith("fact ")]
    assert cited == [facts[0].id, facts[3].id, facts[1].id]


def test_it_can_be_read_without_eyes() -> None:
    read = Reader(page(filled(TriageDocument, "plain")))
    levels = [LEVELS[tag] for tag, _ in read.tags if tag in LEVELS]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("scope" in attributes for tag, attributes in read.tags if tag == "th")
    assert all(("role" in one and "aria-label" in one) or "aria-hidden" in one for tag, one in read.tags if tag == "svg")
    assert [one["lang"] for tag, one in read.tags if tag == "html"] == ["en"]
    first = next(one for tag, one in read.tags if tag == "a")
    assert first["class"] == "skip"


def test_a_backlog_of_five_thousand_findings() -> None:
    whole = page(document(incidents=(incident(findings=tuple(map(finding, range(5_000)))),)))
    assert len(whole.encode()) < 5_000_000
    assert whole.count(finding(0).merged_because) == MOST_OF_A_KIND
    assert "The first 50 of 5,000 findings; 4,950 more are in the JSON document." in whole


def test_five_thousand_incidents_with_a_finding_each() -> None:
    facts = tuple(FactRow(f"F-{number:012x}", "severity", "wiz rates it high " * 8, "wiz", None) for number in range(20_000))
    rows = tuple(
        incident(
            number,
            findings=(finding(number),),
            score=40,
            score_reasons=tuple(
                ReasonRow("why", 10, tuple(one.id for one in facts[number * 4 : number * 4 + 4])) for _ in "1234"
            ),
            attack_path=MANY_WAYS,
        )
        for number in range(5_000)
    )
    whole = page(document(incidents=rows, facts=facts))
    assert len(whole.encode()) < 5_000_000
    assert whole.count('class="card" id="INC-') == MOST_SECTIONS

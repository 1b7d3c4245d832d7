"""Whatever an attacker writes into an alert, or a person into a form, is text on every page and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.doors.console_stage import Door, Stage, asked, in_place, others, sources, staged
from tests.telling import asset, finding, told

from isthmus.doors.console.templates import rendered
from isthmus.lab.hostile import AGENT, ORDERS, TAGS
from isthmus.model.findings import Kind
from isthmus.model.outside import Outside
from isthmus.model.severity import Severity

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "</q></a></pre></textarea></title><style>*{display:none}</style><base href=//evil.example>",
    "[click](javascript:alert(1)) ![x](https://evil.example/x.png) https://evil.example/",
    "gpj.\u202eexe\u2066\u200b\u2028\U000e0041 turned round",
    "{{ 7*7 }} {% raw %} '\" onfocus=alert(2) autofocus x='",
    *ORDERS,
    AGENT,
    *(value for _, value in TAGS),
)
ELEMENTS = {
    *("html", "head", "meta", "title", "link", "body", "a", "header", "main", "footer", "nav", "section", "article", "div"),
    *("p", "span", "b", "code", "pre", "sup", "time", "q", "br", "ul", "ol", "li", "dl", "dt", "dd", "details", "summary"),
    *("h1", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td"),
    *("form", "fieldset", "legend", "label", "input", "select", "option", "textarea", "button"),
    *("svg", "g", "path", "rect", "text", "desc"),
}
LEADS = re.compile(r"/[a-z]*(?:[/?#].*)?|#[a-z0-9-]+|https://(?!evil)[^\s]+|data:image/svg\+xml,[^<]+")


class Skeleton(HTMLParser):
    """A page without its text: elements and attributes, and separately what can be read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.leads: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.leads += [value or "" for name, value in attrs if name in {"href", "src", "action", "formaction", "xlink:href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = staged(tmp_path)
    yield made
    made.store.close()


def hostile_payloads(text: str) -> list[tuple[str, Any]]:
    """A detection and an issue of Wiz with this text in every field that takes text."""
    named = replace(asset(), name=Outside(text), tags=((text[:60], Outside(text)), ("Name", Outside(text))))
    one = finding(Kind.THREAT, named, text, Severity.CRITICAL, "1", description=Outside(text))
    two = finding(Kind.TOXIC_COMBINATION, named, text, Severity.HIGH, "2", description=Outside(text), internet=True)
    sent = [told("wiz", each) for each in (one, two)]
    for payload in sent:
        _fill(payload, text)
    return [("wiz", payload) for payload in sent]


def _fill(payload: dict[str, Any], text: str) -> None:
    """The text also where a simulator would write something sober: types, projects, urls, notes, statuses' reasons."""
    payload["url"] = f"javascript:alert(1)//{text}"
    payload["resolutionReason"] = text
    payload["projects"] = [{"id": text, "name": text}]
    payload["notes"] = [{"text": text}]
    for place in ("entitySnapshot", "primaryResource"):
        if isinstance(payload.get(place), dict):
            payload[place] |= {"region": text, "subscriptionName": text, "cloudProviderURL": f"javascript:{text}"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_everywhere(stage: Stage, text: str) -> None:
    name = stage.take(hostile_payloads(text), sources())[0]
    step = asked(owner=text, provenance=text)
    assert step.preview
    stage.steps(name, step, replace(in_place(), action=replace(in_place().action, target=text)), *others())
    door = Door(stage)
    door.enter("paul")
    door.post(f"/incidents/{name}/comment", text=text)
    flash = door.post(f"/incidents/{name}/undo", ability="aws.block_public_access", target=text, reason=text)
    assert flash.status_code in {303, 409}
    pages = [door.get(page) for page in (f"/incidents/{name}", "/", "/approvals", "/status")]
    pages.append(door.post(f"/incidents/{name}/verdict", verdict=text, reason=text))
    assert [one.status_code for one in pages] == [200, 200, 200, 200, 400]
    for one in pages:
        _sober(one.text)
    assert str(Outside(text)).rstrip(".") in Skeleton(pages[0].text).text


def _sober(page: str) -> None:
    """Nothing on the page but what our templates put there."""
    skeleton = Skeleton(page)
    assert {tag for tag, _ in skeleton.elements} <= ELEMENTS
    attributes = {name for _, names in skeleton.elements for name in names}
    assert not {one for one in attributes if one.startswith("on") or one in {"style", "srcdoc", "src", "target", "formaction"}}
    assert [one for one in skeleton.leads if not LEADS.fullmatch(one)] == []
    hidden = [one for one in skeleton.text if not one.isprintable() and one not in "\n\t"]
    assert hidden == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(text=st.text(min_size=1, max_size=60))
def test_no_comment_changes_the_shape_of_a_page(text: str) -> None:
    sober = _said("plain words")
    assert Skeleton(_said(text)).elements == Skeleton(sober).elements
    assert not [one for one in Skeleton(_said(text)).text if not one.isprintable() and one not in "\n\t"]


def _said(text: str) -> str:
    """The page that shows an error, with this text in every place that takes one."""
    values = {"status": 400, "sentence": text, "number": "1", "typed": text + ".", "back": "/"}
    frame = {"person": None, "here": text, "csrf": text, "said": text + ".", "sheet": "/static/console.css"}
    return rendered("wrong.html", **values, **frame)


def test_what_others_wrote_is_quoted(stage: Stage) -> None:
    name = stage.take(hostile_payloads("Shell seen"), sources())[0]
    door = Door(stage)
    door.enter("vera")
    for page in ("/", f"/incidents/{name}"):
        assert '<q class="outside">Shell seen' in door.get(page).text
    facts = door.get(f"/incidents/{name}").text.split('id="facts"')[1].split("</section>")[0]
    cells = re.findall(r'<tr id="fact-\d+"><th[^>]*>\d+</th><td>(.*?)</td>', facts)
    assert cells and all(one.startswith('<q class="outside">') for one in cells)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "http://case.example/1", "https://us@evil.example/", "data:text/html,x"]
)
def test_only_plain_https_becomes_a_link(stage: Stage, link: str) -> None:
    name = stage.take(hostile_payloads("Shell seen"), sources())[0]
    case = others()[0]
    assert case.outcome
    stage.steps(name, replace(case, outcome=replace(case.outcome, link=link)))
    door = Door(stage)
    door.enter("vera")
    shown = door.get(f"/incidents/{name}").text
    assert f"<code>{link}</code>" in shown
    assert f'"{link}' not in shown


def test_a_plan_with_hidden_characters_says_so(stage: Stage) -> None:
    name = stage.take(hostile_payloads("Shell seen"), sources())[0]
    stage.steps(name, asked(owner="team\u202etxt"))
    door = Door(stage)
    door.enter("paul")
    shown = door.get(f"/incidents/{name}").text
    assert "team⟨U+202E⟩txt" in shown
    assert "characters that cannot be seen" in shown


def test_long_texts_fold_and_many_findings_are_bounded(stage: Stage) -> None:
    found = [finding(Kind.THREAT, asset(), f"Seen {number}", Severity.HIGH, str(number)) for number in range(1, 60)]
    name = stage.take([("wiz", told("wiz", one)) for one in found], sources())[0]
    door = Door(stage)
    door.enter("anna")
    door.post(f"/incidents/{name}/comment", text="word " * 300)
    shown = door.get(f"/incidents/{name}").text
    assert '<details class="long"><summary>word word' in shown
    assert "The first 50 of 59 findings" in shown

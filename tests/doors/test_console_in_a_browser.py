"""The console in a real browser: it breaks no rule of its own policy, runs nothing, and works by keyboard at any width."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import uvicorn
from tests.doors.chromium import CHROMIUM, Tab, chromium
from tests.doors.console_stage import NOW, Stage, asked, in_place, others, sources, staged, story
from tests.doors.test_console_hostile import HOSTILE, hostile_payloads

from isthmus.model.plans import Approval

if CHROMIUM is None:
    pytest.skip("no chromium on this machine: the console was not looked at by a browser", allow_module_level=True)

LABELLED = """[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button')]
  .filter(one => !(one.labels && one.labels.length) && !one.textContent.trim() && !one.ariaLabel).map(one => one.outerHTML)"""
HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(one => Number(one.tagName[1]))"
TWICE = """[...document.querySelectorAll('[id]')].map(one => one.id).filter((one, at, all) => all.indexOf(one) !== at)"""
NOWHERE = """[...document.querySelectorAll('[for],[aria-labelledby],[aria-describedby],a[href^="#"]')].flatMap(one =>
  [one.getAttribute('for'), one.getAttribute('aria-labelledby'), one.getAttribute('aria-describedby'),
   one.matches('a') && one.getAttribute('href').slice(1)]).filter(one => one && !document.getElementById(one))"""
FAINT = """(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => rgb.slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = node => { for (; node; node = node.parentElement) {
    const rgb = parse(getComputedStyle(node).backgroundColor);
    if (rgb.length === 3 || rgb[3] > 0) return rgb; } return [255, 255, 255]; };
  return [...document.querySelectorAll('body *')].filter(one => !one.closest('svg, :disabled, .skip') && one.checkVisibility()
      && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())).map(one => {
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), one.tagName, one.className, one.textContent.trim().slice(0, 30)]; })
    .filter(one => one[0] < 4.5);
})()"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str, dict[str, str]]]:
    """A console that can be reached, its address, and the pages worth looking at."""
    stage = staged(tmp_path_factory.mktemp("console"))
    grave, hostile = story(stage), stage.take(hostile_payloads(HOSTILE[0]), sources())
    stage.desk.words.comment(stage.person("anna"), grave, HOSTILE[1], NOW)
    stage.settle()
    step = asked(owner=HOSTILE[3])
    assert step.request
    word = Approval(step.request.plan_hash, "petra", True, HOSTILE[1], NOW)
    for name in {grave, *hostile}:
        stage.steps(name, replace(step, approvals=(word,)), in_place(), *others())
    stage.signed()
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(stage.app, log_level="critical", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    pages = {"queue": "/", "approvals": "/approvals", "status": "/status", "incident": f"/incidents/{grave}"}
    pages |= {f"hostile-{number}": f"/incidents/{one}" for number, one in enumerate(hostile)}
    yield stage, f"http://127.0.0.1:{bound.getsockname()[1]}", pages
    server.should_exit = True
    thread.join()
    bound.close()
    stage.store.close()


@pytest.fixture(scope="module")
def tab(scene: tuple[Stage, str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser in which Paul signed in with the keyboard alone."""
    stage, origin, _ = scene
    with chromium(tmp_path_factory.mktemp("profile")) as made:
        made.go(f"{origin}/signin?next=/approvals")
        assert made.asks("document.activeElement.name") == "key"
        made.send("Input.insertText", text=stage.keys["paul"])
        made.press_through()
        assert made.asks("location.pathname") == "/approvals"
        yield made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_pages_keep_their_policy_and_fit(
    scene: tuple[Stage, str, dict[str, str]], tab: Tab, tmp_path: Path, scheme: str, width: int
) -> None:
    _, origin, pages = scene
    tab.looks(scheme, width)
    for name, page in pages.items():
        tab.go(origin + page)
        assert tab.asks("document.documentElement.scrollWidth") <= width, name
        assert tab.asks(FAINT) == [], name
        tab.picture(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 8_000
        assert tab.asks("document.title").endswith("· Isthmus")
    assert tab.complaints == []


def test_the_browser_would_complain_of_anything_inline(scene: tuple[Stage, str, dict[str, str]], tab: Tab) -> None:
    """The other tests would see it: a script, a style or a picture from elsewhere is blocked, and is a complaint."""
    tab.go(scene[1] + "/status")
    for sneaked in (
        "<style>body{display:none}</style>",
        "<p style='display:none'>",
        "<img src=https://127.0.0.1:1/x onerror=alert(1)>",
    ):
        tab.asks(f"document.body.insertAdjacentHTML('beforeend', {sneaked!r})")
    tab.asks(
        "document.body.appendChild(Object.assign(document.createElement('script'), {textContent: 'document.title = 1'})).id"
    )
    tab.go(scene[1] + "/status")
    blocked = [one for one in tab.complaints if "Content Security Policy" in one]
    tab.complaints.clear()
    assert len(blocked) >= 4


def test_pages_can_be_read_by_those_who_do_not_see_them(scene: tuple[Stage, str, dict[str, str]], tab: Tab) -> None:
    _, origin, pages = scene
    for name, page in pages.items():
        tab.go(origin + page)
        for wrong in (LABELLED, TWICE, NOWHERE):
            assert tab.asks(wrong) == [], name
        levels = tab.asks(HEADINGS)
        assert levels.count(1) == 1 and levels[0] == 1, name
        assert all(after <= before + 1 for before, after in pairwise(levels)), (name, levels)
        assert tab.asks("document.documentElement.lang") == "en"


def test_everything_is_reached_and_seen_by_keyboard(scene: tuple[Stage, str, dict[str, str]], tab: Tab) -> None:
    _, origin, pages = scene
    tab.looks("light", 1280)
    tab.go(origin + pages["incident"])
    tab.key("Tab", 9)
    assert tab.asks("document.activeElement.className") == "skip"
    assert tab.asks("document.activeElement.getBoundingClientRect().left >= 0")
    reached = []
    for _ in range(200):
        tab.key("Tab", 9)
        reached.append(tab.asks("document.activeElement.className || document.activeElement.textContent.trim()"))
        if tab.asks("document.activeElement === document.body"):
            break
        style = tab.asks("(one => one.outlineStyle + one.outlineWidth)(getComputedStyle(document.activeElement))")
        assert style == "solid3px", reached[-1]
    assert {"approve", "reject", "plan", "Sign out", "Comment", "Set a verdict", "Merge"} <= set(reached)


def test_an_approval_is_given_with_the_keyboard(scene: tuple[Stage, str, dict[str, str]], tab: Tab) -> None:
    stage, origin, pages = scene
    tab.go(origin + pages["incident"])
    tab.asks("document.querySelector('button.approve').focus()")
    tab.press_through()
    assert tab.asks("document.querySelector('[role=status]').textContent").startswith("You agreed to aws.isolate_instance")
    assert "You have already spoken" in tab.asks("document.body.innerText")
    name = pages["incident"].rpartition("/")[2]
    assert [one.person for one in stage.loaded(name).steps[0].approvals] == ["petra", "paul"]
    assert tab.complaints == []


def test_it_prints(scene: tuple[Stage, str, dict[str, str]], tab: Tab) -> None:
    _, origin, pages = scene
    tab.go(origin + pages["incident"])
    assert tab.printed().startswith(b"%PDF")
    tab.send("Emulation.setEmulatedMedia", media="print")
    hidden = tab.asks("['form', 'nav'].map(one => getComputedStyle(document.querySelector(one)).display)")
    tab.send("Emulation.setEmulatedMedia", media="")
    assert hidden == ["none", "none"]

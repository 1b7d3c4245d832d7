"""The page in a real browser: it renders in both schemes and widths, breaks no rule of its own policy, runs nothing."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.telling import asset, documented, finding, told, triaged

from isthmus.answer.page import page
from isthmus.lab.day import Day
from isthmus.model.findings import Kind
from isthmus.model.severity import Severity

CHROMIUM = shutil.which("chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0"),
]
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> javascript:alert(1)"


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the page was not looked at by a browser")
    return [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]


def shown(browser: list[str], tmp_path: Path, body: str, *options: str) -> tuple[str, str]:
    """(the page as the browser understood it, what it complained of)."""
    file = tmp_path / "page.html"
    file.write_text(body, encoding="utf-8")
    ran = subprocess.run([*browser, *options, file.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return ran.stdout, ran.stderr


def test_a_hostile_page_runs_nothing(browser: list[str], tmp_path: Path) -> None:
    one = finding(Kind.THREAT, replace(asset(), name=finding(Kind.THREAT, asset(), HOSTILE).title), HOSTILE, Severity.CRITICAL)
    understood, complaints = shown(browser, tmp_path, page(documented(triaged([told("wiz", one)]))), "--dump-dom")
    assert "owned'" in understood
    assert "<title>owned" not in understood
    assert "<img" not in understood
    assert "Content Security Policy" not in complaints


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_day_is_drawn_in_both_schemes_and_widths(browser: list[str], tmp_path: Path, width: int, scheme: str) -> None:
    day = Day(1)
    body = page(documented(triaged([alert.payload for alert in day.alerts], day.settings)))
    picture = tmp_path / "page.png"
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    _, complaints = shown(browser, tmp_path, body, *dark, f"--window-size={width},1600", f"--screenshot={picture}")
    assert "Content Security Policy" not in complaints
    assert picture.stat().st_size > 30_000

"""The product works without the simulated company's own dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_WITHOUT = "import sys; sys.modules['trustme'] = None; sys.modules['moto'] = None; from isthmus.__main__ import main; main()"


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _WITHOUT, *arguments], capture_output=True, text=True, check=False)


def test_every_command_can_be_asked_without_it() -> None:
    answered = ran("--version")
    assert (answered.returncode, answered.stderr) == (0, "")


def test_whoever_asks_for_the_demo_is_told_what_it_needs(tmp_path: Path) -> None:
    answered = ran("demo", "--once", "--out", str(tmp_path / "demo"))
    assert answered.returncode == 2
    assert "install isthmus[lab]" in answered.stderr
    assert "Traceback" not in answered.stderr

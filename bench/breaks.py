"""Break the code on purpose and see what catches it: each break in a copy of the checkout, with the check that must fail.

python bench/breaks.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
FLOORS = [str(BIN / "lint-imports"), "--no-cache"]
LINT = [str(BIN / "ruff"), "check", "src"]
TYPES = [str(BIN / "mypy"), "src/isthmus/intake", "src/isthmus/assess"]


def tests(*names: str) -> list[str]:
    """A pytest run of these files, alone."""
    return [sys.executable, "-m", "pytest", "-x", "-p", "no:xdist", "-o", "addopts=--import-mode=importlib", *names]


@dataclass(frozen=True)
class Break:
    """What is broken: text replaced (or, with an empty `old`, put at the end) in a file, and the check that must fail."""

    what: str
    file: str
    old: str
    new: str
    caught_by: list[str]


HOUSE, LINE, DAY = tests("tests/test_the_house.py"), tests("tests/test_the_line.py"), tests("tests/test_a_whole_day.py")
DEDUPLICATE, WORDS = tests("tests/intake/test_deduplicate.py"), tests("tests/assess/test_words_steer_nothing.py")
CONFORMANCE, TARGETS = tests("tests/connectors/test_conformance.py", "-k", "wiz"), tests("tests/plan/test_targets.py")
PAGE, INTAKE = tests("tests/answer"), tests("tests/intake")
INTEL = tests("tests/doors/test_intel_command.py")
CORRELATE, SCORE = "src/isthmus/intake/correlate.py", "src/isthmus/assess/score.py"
BREAKS = (
    Break(
        "a connector imports a connector",
        "src/isthmus/connectors/wiz/source.py",
        "",
        "import isthmus.connectors.orca\n",
        FLOORS,
    ),
    Break("assess imports plan", SCORE, "", "import isthmus.plan.targets\n", FLOORS),
    Break("the model imports intake", "src/isthmus/model/facts.py", "", "import isthmus.intake.parse\n", FLOORS),
    Break("a thinking room reaches the network", "src/isthmus/assess/triage.py", "", "import socket\n", FLOORS),
    Break("the pipeline opens the catalogue", "src/isthmus/pipeline.py", "", "import isthmus.connectors.wiz\n", FLOORS),
    Break("a circle inside a room", "src/isthmus/model/severity.py", "", "import isthmus.model.findings\n", FLOORS),
    Break("an undeclared room", "src/isthmus/utils/__init__.py", "", '"""Odds and ends."""\n', FLOORS),
    Break("a thinking room reads the clock", SCORE, "", "import datetime\nNOW = datetime.datetime.now()\n", LINT),
    Break("a swallowed error", "src/isthmus/answer/report.py", "", "try:\n    x = 1\nexcept Exception:\n    pass\n", HOUSE),
    Break("a function of 50 lines", "src/isthmus/plan/targets.py", "", "def long() -> None:\n" + "    print()\n" * 50, HOUSE),
    Break("a file of 400 lines", "src/isthmus/model/intel.py", "", "# more\n" * 400, HOUSE),
    Break("a name that says nothing", "src/isthmus/graph/paths.py", "", "class PathManager:\n    pass\n", HOUSE),
    Break("an effect outside act", "src/isthmus/plan/containment.py", "", "def go(a, p):\n    a.apply(p)\n", HOUSE),
    Break("outside text as a key", "src/isthmus/intake/suppress.py", "source=finding.source,", "source=finding.title,", TYPES),
    Break(
        "the later telling loses",
        "src/isthmus/intake/deduplicate.py",
        "return one if first > second else other",
        "return one if first < second else other",
        DEDUPLICATE,
    ),
    Break(
        "ties are broken by order of arrival",
        "src/isthmus/intake/deduplicate.py",
        "return one if _content_order(one, other) else other",
        "return one",
        DEDUPLICATE,
    ),
    Break("repeats are not counted", "src/isthmus/intake/deduplicate.py", "self.repeats += 1", "pass", LINE),
    Break(
        "a rejection is dropped",
        "src/isthmus/pipeline.py",
        "self._refuse(name, claim.place, claim.reason)",
        "pass",
        INTAKE,
    ),
    Break(
        "links depend on order",
        "src/isthmus/intake/deduplicate.py",
        "for key in sorted(self._tellings)",
        "for key in self._tellings",
        DAY,
    ),
    Break(
        "two platforms' names do not meet",
        "src/isthmus/graph/identity.py",
        'yield f"aws:{tail[1]}"',
        "pass",
        [*INTAKE, "tests/graph"],
    ),
    Break("a duplicate key passes", "src/isthmus/intake/parse.py", "if len(made) == len(pairs):", "if True:", INTAKE),
    Break("points that do not add up", SCORE, "raised.append(Reason(text, ceiling - total, cites))", "pass", DAY),
    Break(
        "a title lowers the score",
        SCORE,
        "total = sum(reason.points for reason in raised)",
        (
            'raised = [r for r in raised if "benign" not in str(incident.findings[0].title)]\n'
            "    total = sum(reason.points for reason in raised)"
        ),
        WORDS,
    ),
    Break(
        "a tag names the environment",
        "src/isthmus/assess/enrich.py",
        "account.environment if account else Environment.UNKNOWN",
        'account.environment if account else Environment(dict((k, str(v)) for k, v in finding.asset.tags).get("env", "unknown")'
        '.replace("dev", "development").replace("elopmentelopment", "elopment"))',
        LINE,
    ),
    Break("an order never ends", "src/isthmus/model/estate.py", "at <= self.until and ", "", LINE),
    Break(
        "any name reaches a command",
        "src/isthmus/plan/targets.py",
        "pattern.fullmatch(name)",
        "re.match(r'.*?([^/]*)$', name)",
        TARGETS,
    ),
    Break("the page does not escape", "src/isthmus/answer/templates/__init__.py", "autoescape=True", "autoescape=False", PAGE),
    Break(
        "a wrong type is read as empty",
        "src/isthmus/contracts/reading.py",
        'raise _wrong(path, "text", value)',
        'return ""',
        [*WORDS, "tests/doors"],
    ),
    Break(
        "a wiz issue is known by its title",
        "src/isthmus/connectors/wiz/issues.py",
        'source_id=needed(text(record, "id"), "id")',
        'source_id=text(rule, "name")',
        CONFORMANCE,
    ),
    Break(
        "half a KEV catalogue is taken",
        "src/isthmus/record/intel.py",
        "if len(rows) != given.get(",
        "if 0 and len(rows) != given.get(",
        INTEL,
    ),
)


def caught(one: Break) -> bool:
    """Whether the check fails on the broken copy."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "copy"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "out", ".*_cache", "__pycache__", ".hypothesis")
        )
        file = copy / one.file
        file.parent.mkdir(exist_ok=True)
        text = file.read_text("utf-8") if file.exists() else ""
        if one.old and one.old not in text:
            raise SystemExit(f"{one.what}: the text to break is not in {one.file}")
        file.write_text(text.replace(one.old, one.new) if one.old else text + one.new, encoding="utf-8")
        path = {"PYTHONPATH": f"{copy / 'src'}:{copy}", "PATH": f"{BIN}:/usr/bin:/bin", "HOME": name}
        ran = subprocess.run(one.caught_by, cwd=copy, capture_output=True, env=path, check=False)
        return ran.returncode != 0


def main() -> int:
    """One line a break; exit code 1 when one went unseen."""
    missed = 0
    for check in {tuple(one.caught_by): one.caught_by for one in BREAKS}.values():
        control = Break("nothing", "src/isthmus/__init__.py", "", "", check)
        if caught(control):
            raise SystemExit(f"{' '.join(check)} fails on an unbroken copy: it can prove nothing")
    for one in BREAKS:
        seen = caught(one)
        missed += not seen
        print(
            f"{'caught' if seen else 'MISSED'}  {one.what} ({Path(one.caught_by[0]).name} {' '.join(one.caught_by[-1:])})",
            flush=True,
        )
    print(f"{len(BREAKS) - missed} of {len(BREAKS)} breaks caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The house keeps its own rules: size, names, where effects may be called, one file per role."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.assembly import catalogue
from isthmus.contracts.promises import FIELDS, played

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
EVERYTHING = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]
BANNED = {
    *("manager", "handler", "service", "util", "utils", "helper", "helpers"),
    *("common", "core", "base", "misc", "impl", "processor", "engine"),
}
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 300, 40, 10
MAY_SURVIVE_ANYTHING = {
    "src/isthmus/contracts/checks.py",
    # A web door and a worker: one request's trouble is not the next one's.
    "src/isthmus/doors/app.py",
    "src/isthmus/doors/worker.py",
    # Who watches goes on watching.
    "src/isthmus/doors/watching.py",
    # The work itself: one incident that cannot be carried on holds up no other.
    "src/isthmus/desk/carrying.py",
}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{named(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_no_file_is_long(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= LONGEST_FILE


def test_no_function_is_long_and_most_are_short() -> None:
    lengths = [length for path in SOURCES for _, length in functions(path)]
    assert [name for path in EVERYTHING for name, length in functions(path) if length > LONGEST_FUNCTION] == []
    assert sorted(lengths)[len(lengths) // 2] <= MEDIAN_FUNCTION


def test_nothing_has_a_name_that_says_nothing() -> None:
    found = []
    for path in SOURCES:
        names = [path.stem, *path.relative_to(ROOT / "src").parent.parts]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names += [
            node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for name in names:
            words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
            # A service account is what clouds call it.
            if BANNED & set(words) and "service_account" not in name:
                found.append(f"{named(path)}: {name}")
    assert found == []


def test_imports_stand_at_the_top() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [named(path) for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)]
    assert found == []


def test_nothing_survives_every_error_but_where_it_must() -> None:
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
            ):
                found.add(named(path))
    assert found <= MAY_SURVIVE_ANYTHING


def test_only_act_calls_what_changes_an_estate() -> None:
    calls = re.compile(r"\.(?:apply|undo)\(")
    found = [named(path) for path in SOURCES if calls.search(path.read_text(encoding="utf-8"))]
    assert [name for name in found if not name.startswith("src/isthmus/act/")] == []


def test_every_connector_folder_has_its_parts() -> None:
    folders = [path for path in (ROOT / "src/isthmus/connectors").iterdir() if path.is_dir() and not path.name.startswith("__")]
    assert {folder.name for folder in folders} == {one.name for one in catalogue()}
    for one in catalogue():
        folder = ROOT / "src/isthmus/connectors" / one.name
        assert (folder / "__init__.py").read_text(encoding="utf-8").count("\n") <= 30, folder
        if one.source.shapes:
            assert (folder / "source.py").is_file() and (folder / "simulator.py").is_file(), folder
            assert any((folder / "samples").glob("*.json")), folder
        if one.connect is not None:
            assert (folder / "config.py").is_file(), folder


def test_every_role_of_a_connector_has_a_file_of_its_own() -> None:
    for one in catalogue():
        roles = [role for name in FIELDS.values() if (role := getattr(played(one), name)) is not None]
        files = [Path(inspect.getfile(type(role))).resolve() for role in roles]
        assert all(file.parent == ROOT / "src/isthmus/connectors" / one.name for file in files), one.name
        assert len(set(files)) == len(files), one.name


def test_every_module_says_what_it_is() -> None:
    assert [named(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_every_type_that_is_ignored_says_which() -> None:
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)")
    assert [named(path) for path in EVERYTHING if bare.search(path.read_text(encoding="utf-8"))] == []

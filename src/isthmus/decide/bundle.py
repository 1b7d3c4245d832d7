"""A policy bundle is a folder: policies, and what their author expects of them. It is checked whole before it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cedarpy
import rfc8785

from isthmus.decide import golden, rules
from isthmus.decide.asking import Bundle
from isthmus.decide.policy import decide
from isthmus.decide.sweep import placed, sweep
from isthmus.model.errors import Untrusted
from isthmus.model.plans import Decision, Ruling

__all__ = ["READ_ONLY", "Bundle", "load"]

READ_ONLY = Path(__file__).parent / "packs" / "read-only"
"""The pack of a fresh installation: it permits nothing."""

_SCHEMA = Path(__file__).parent / "schema.cedarschema"
_FORMAT = "isthmus/policy-bundle/1"
_LARGEST, _MOST_FILES = 256 * 1024, 64


def load(folder: Path) -> Bundle:
    """The bundle in this folder, whole and checked.

    It holds `*.cedar` and `golden.yaml`, and may hold a `README.md`; names that begin with a dot are left alone. Raises
    `Untrusted` naming file and line when a policy does not parse, does not fit the schema, has no `@id` of its own, fails
    to evaluate, allows below the floor, or when a golden decision is not met.
    """
    files = _files(folder)
    schema_text = _SCHEMA.read_text(encoding="utf-8")
    schema = cedarpy.Schema.from_str(schema_text)
    cases = golden.read(files[golden.FILE])
    found, policies = rules.read({name: text for name, text in files.items() if name.endswith(".cedar")}, schema)
    groups = rules.closed_list(schema_text)
    bundle = Bundle(folder.name, _digest(files, schema_text), found, groups, policies, schema)
    sweep(bundle)
    _as_expected(bundle, cases)
    return bundle


def _files(folder: Path) -> dict[str, str]:
    """Every file of the bundle by name. What does not belong is refused: a forbid in a misnamed file would be missing."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        names = {path.name for path in paths}
        for path in paths:
            _belongs(path)
        if golden.FILE not in names or not any(name.endswith(".cedar") for name in names):
            raise Untrusted(f"a policy bundle is a folder with *.cedar and {golden.FILE}", str(folder))
        if len(names) > _MOST_FILES:
            raise Untrusted(f"more than {_MOST_FILES} files", str(folder))
        return {path.name: _text(path) for path in paths if path.name != "README.md"}
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be read", str(folder)) from None


def _belongs(path: Path) -> None:
    if path.name.endswith(".cedarschema"):
        raise Untrusted("a pack brings no schema; the schema is part of the product", path.name)
    if not path.is_file() or not (path.name.endswith(".cedar") or path.name in {golden.FILE, "README.md"}):
        raise Untrusted(f"not part of a policy bundle, which is *.cedar, {golden.FILE} and README.md", path.name)


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise Untrusted(f"larger than {_LARGEST} bytes", path.name)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Untrusted("not UTF-8", f"{path.name} line {content.count(bytes([10]), 0, error.start) + 1}") from None


def _digest(files: Mapping[str, str], schema: str) -> str:
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    whole: Any = {"files": sums, "format": _FORMAT, "schema": hashlib.sha256(schema.encode()).hexdigest()}
    return hashlib.sha256(rfc8785.dumps(whole)).hexdigest()


def _as_expected(bundle: Bundle, cases: tuple[golden.Golden, ...]) -> None:
    wrong = []
    for case in cases:
        said = decide(bundle, case.action, case.target, case.circumstances)
        if _word(said) != case.expect:
            by = placed(bundle, said.policies)
            wrong.append(f"{case.place}: {case.name}: expected {case.expect}, got {_word(said)} ({said.reason}; {by})")
    if wrong:
        raise Untrusted("\n".join(wrong))


def _word(said: Decision) -> str:
    return f"{said.ruling} {said.people}" if said.ruling is Ruling.ASK else said.ruling.value

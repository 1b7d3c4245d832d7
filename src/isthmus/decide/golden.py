"""A pack's golden decisions: what its author expects it to say, checked before it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isthmus.decide.asking import Circumstances
from isthmus.model.assessment import Confidence, Priority, Verdict
from isthmus.model.assets import AssetKind
from isthmus.model.errors import Untrusted
from isthmus.model.estate import Criticality, Environment
from isthmus.model.plans import Action, Target

FILE = "golden.yaml"
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """One expectation: `expect` is `automatic`, `ask 1`, `ask 2` or `refuse`; `place` the file and line it begins at."""

    name: str
    place: str
    action: Action
    target: Target
    circumstances: Circumstances
    expect: str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Target(_Strict):
    environment: Literal[Environment.PRODUCTION, Environment.STAGING, Environment.DEVELOPMENT, Environment.SANDBOX]
    criticality: Criticality
    kind: AssetKind
    provider: str
    account: str
    region: str
    owner: str
    crown_jewel: bool


class _Circumstances(_Strict):
    score: Annotated[int, Field(ge=0, le=100)]
    priority: Priority
    verdict: Verdict
    confidence: Confidence
    scope: Literal["story", "problem", "backlog"]
    confirmed: bool
    known_asset: bool
    reach: Annotated[int, Field(ge=0, le=9)]
    undoable: bool
    hour: Annotated[int, Field(ge=0, le=23)]
    weekday: Annotated[int, Field(ge=0, le=6)]
    verdict_by_person: bool


class _Expectation(_Strict):
    name: Annotated[str, Field(min_length=1)]
    action: Annotated[str, Field(min_length=1)]
    target: _Target
    circumstances: _Circumstances
    expect: Literal["automatic", "ask 1", "ask 2", "refuse"]


def read(text: str) -> tuple[Golden, ...]:
    """The cases of a golden file. `usual` in the file holds the values a case need not repeat; none is ours.

    Raises `Untrusted` naming the line of what is wrong with it.
    """
    values, lines = _composed(text)
    if not isinstance(values, dict) or set(values) - {"usual", "cases"} or not isinstance(values.get("cases"), list):
        raise Untrusted("must have `cases`, a list with at least one case, and may have `usual`", FILE)
    cases = [_golden(values.get("usual", {}), number, one, lines) for number, one in enumerate(values["cases"])]
    if not cases:
        raise Untrusted("no golden decision: a bundle says what it is expected to do at least once", FILE)
    names = [one.name for one in cases]
    for number, one in enumerate(cases):
        if one.name in names[:number]:
            raise Untrusted(f"{one.name}: two cases of this name", one.place)
    return tuple(cases)


def _golden(usual: Any, number: int, one: Any, lines: Mapping[Path, int]) -> Golden:
    place = f"{FILE} line {lines['cases', str(number)]}"
    if not isinstance(one, dict) or not isinstance(usual, dict) or set(usual) - {"target", "circumstances"}:
        raise Untrusted("a case and `usual` are mappings; `usual` holds target and circumstances", place)
    whole = one | {part: _over(usual.get(part, {}), one.get(part, {}), place) for part in ("target", "circumstances")}
    try:
        case = _Expectation.model_validate(whole)
    except ValidationError as error:
        raise Untrusted("\n".join(_told(each, number, lines) for each in error.errors())) from None
    given = asdict(Target("golden", "golden", AssetKind.OTHER, "", "")) | case.target.model_dump()
    if case.action.startswith("case."):
        given |= {"provider": "case", "kind": AssetKind.OTHER}
    target = Target(**given)
    action = Action(case.action, target.id, {}, 1)
    return Golden(case.name, place, action, target, Circumstances(**case.circumstances.model_dump()), case.expect)


def _over(usual: Any, given: Any, place: str) -> dict[str, Any]:
    if not isinstance(usual, dict) or not isinstance(given, dict):
        raise Untrusted("target and circumstances are mappings", place)
    return {**usual, **given}


def _told(error: Any, number: int, lines: Mapping[Path, int]) -> str:
    path = tuple(str(step) for step in error["loc"])
    case = "cases", str(number)
    line = lines.get((*case, *path)) or lines.get(("usual", *path)) or lines[case]
    message = "unknown key" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{FILE} line {line}: {'.'.join(path)}: {message}"


def _composed(text: str) -> tuple[Any, dict[Path, int]]:
    """The file as plain values, and the line of every key and item."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise Untrusted("empty", FILE)
        lines = dict(_lines(node, (), set()))
        return yaml.load(text, Loader=yaml.BaseLoader), lines  # noqa: S506 - BaseLoader makes nothing but text
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{FILE} line {mark.line + 1}" if mark else FILE
        raise Untrusted(f"not YAML: {getattr(error, 'problem', None) or 'unreadable'}", place) from None
    except RecursionError:
        raise Untrusted("nested too deep", FILE) from None


def _lines(node: yaml.Node, path: Path, seen: set[int]) -> Iterator[tuple[Path, int]]:
    place = f"{FILE} line {node.start_mark.line + 1}"
    if id(node) in seen:
        raise Untrusted("aliases are not taken: a few lines could stand for millions", place)
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise Untrusted("a key is written twice", place)
        for key, value in node.value:
            yield (*path, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*path, str(key.value)), seen)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*path, str(position)), item.start_mark.line + 1
            yield from _lines(item, (*path, str(position)), seen)

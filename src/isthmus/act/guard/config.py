"""What the guard is told: a YAML file of its own, read by code of its own. What is not said has the shipped value.

Values are read as the text they are written in; unknown keys, keys written twice, empty values, anchors and an empty
file are refused. No limit can be switched off: each has a ceiling.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from isthmus.act.guard.names import LONGEST_ID, LONGEST_WORD, wrong, wrong_id
from isthmus.model.errors import Untrusted

_DEEPEST = 8
Lines = dict[tuple[str, ...], int]


def _id(value: str) -> str:
    return _as_said(value, wrong_id(value))


def _word(value: str) -> str:
    return _as_said(value, wrong(value, LONGEST_WORD))


def _prefix(value: str) -> str:
    return _as_said(value, wrong(value, LONGEST_ID))


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _as_said(value: str, said: str) -> str:
    if said:
        raise ValueError(said)
    return value


Id = Annotated[str, AfterValidator(_id)]
Word = Annotated[str, AfterValidator(_word)]
Moment = Annotated[datetime, AfterValidator(_utc)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Protected(_Frozen):
    """What is never touched, by exactly one of these."""

    id: Id | None = Field(
        default=None,
        description="One thing by its native id; the last part is compared, unless the id names another account.",
    )
    handle: Id | None = Field(default=None, description="One thing by our inventory's handle.")
    account: Word | None = Field(default=None, description="Everything in an account, subscription or project.")
    handle_prefix: Annotated[str, AfterValidator(_prefix)] | None = Field(
        default=None, description="Everything whose handle begins so."
    )
    why: str = Field(default="", description="Shown to whoever is refused.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Protected:
        if sum(one is not None for one in (self.id, self.handle, self.account, self.handle_prefix)) != 1:
            raise ValueError("must have exactly one of id, handle, account, handle_prefix")
        return self


class Freeze(_Frozen):
    """A time in which nothing is changed but by the abilities in `except`. Both ends belong to it."""

    start: Moment = Field(description="A time, or a date, which counts from its beginning (UTC unless it says otherwise).")
    end: Moment = Field(description="A time, or a date, which counts to its end.")
    reason: str = Field(min_length=1, description="Shown to whoever is refused.")
    excepted: frozenset[Word] = Field(default=frozenset(), alias="except", description="Abilities still allowed.")

    @field_validator("end", mode="before")
    @classmethod
    def _to_the_end(cls, value: object) -> object:
        return f"{value}T23:59:59.999999" if isinstance(value, str) and len(value.strip()) == len("2026-12-31") else value

    @model_validator(mode="after")
    def _forwards(self) -> Freeze:
        if self.end <= self.start:
            raise ValueError("ends before it starts")
        return self


class Breaker(_Frozen):
    """After so many failed effects of one connector within so many minutes it is left alone, until they are past."""

    failures: int = Field(default=3, ge=1, le=20)
    minutes: int = Field(default=30, ge=1, le=1_440)


class GuardConfig(_Frozen):
    """The file as a whole."""

    protected: tuple[Protected, ...] = Field(default=(), description="What is never touched, not even to undo.")
    protected_abilities: frozenset[Word] = Field(default=frozenset(), description="What is never done, nor undone.")
    max_effects_per_incident: int = Field(default=5, ge=0, le=100, description="Things changed for one incident.")
    per_hour: int = Field(default=20, ge=0, le=1_000, description="Things changed in any hour.")
    per_account_per_hour: int = Field(default=10, ge=0, le=1_000, description="The same, in one account.")
    cases_per_hour: int = Field(default=600, ge=0, le=100_000, description="Cases opened or updated in any hour.")
    share_of_fleet: Decimal = Field(
        default=Decimal("0.05"),
        ge=0,
        le=Decimal("0.5"),
        description="The part of the assets of one kind in one account that may be under containment at once.",
    )
    least_in_place: int = Field(
        default=2, ge=0, le=10, description="So many may be, however small the fleet is or when nobody knows its size."
    )
    freezes: tuple[Freeze, ...] = Field(default=(), description="Times in which nothing is changed.")
    breaker: Breaker = Field(default_factory=Breaker, description="When a failing connector is left alone.")


DEFAULT = GuardConfig()
"""The shipped values: an installation that says nothing is held to these."""


def load(path: Path) -> GuardConfig:
    """The configuration in a file. Raises `Untrusted` naming file, key and line of everything that is wrong with it.

    A missing or empty file is wrong too: nobody loses a protected set by losing a file. `{}` asks for the shipped values.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Untrusted(f"guard: {reason or 'cannot be read'}", str(path)) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> GuardConfig:
    """As `load`, from text; `name` is used in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name} line {mark.line + 1}" if mark else name
        raise Untrusted(f"guard: not YAML: {getattr(error, 'problem', None) or 'unreadable'}", place) from None
    except RecursionError:
        raise Untrusted("guard: nested too deep", name) from None
    if node is None:
        raise Untrusted("guard: empty; write {} for the shipped values", name)
    lines: Lines = {}
    values = _value(node, (), lines, name, set())
    try:
        return GuardConfig.model_validate(values)
    except ValidationError as error:
        raise Untrusted("\n".join(_told(one, lines, name) for one in error.errors())) from None


def _value(node: yaml.Node, path: tuple[str, ...], lines: Lines, name: str, seen: set[int]) -> Any:
    """The node as plain texts, lists and dicts; where each key and item stands goes into `lines`."""
    line = node.start_mark.line + 1
    if id(node) in seen or len(path) > _DEEPEST:
        raise Untrusted(f"guard: {'.'.join(path)}: anchors and deep nesting are not taken", f"{name} line {line}")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return {key: _value(value, (*path, key), lines, name, seen) for key, value in _keys(node, path, lines, name)}
    if isinstance(node, yaml.SequenceNode):
        lines |= {(*path, str(position)): item.start_mark.line + 1 for position, item in enumerate(node.value)}
        return [_value(item, (*path, str(position)), lines, name, seen) for position, item in enumerate(node.value)]
    return node.value


def _keys(node: yaml.MappingNode, path: tuple[str, ...], lines: Lines, name: str) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value:
        line = key.start_mark.line + 1
        here = (*path, str(key.value))
        if not isinstance(key, yaml.ScalarNode) or here in lines:
            said = "key written twice" if isinstance(key, yaml.ScalarNode) else "a key must be a word"
            raise Untrusted(f"guard: {'.'.join(here)}: {said}", f"{name} line {line}")
        lines[here] = line
        yield key.value, value


def _told(error: Any, lines: Lines, name: str) -> str:
    path = tuple(str(step) for step in error["loc"])
    known = next((path[:length] for length in range(len(path), 0, -1) if path[:length] in lines), ())
    line = f" line {lines[known]}" if known else ""
    message = "unknown key" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{name}{line}: guard: {'.'.join(path) or 'the file'}: {message}"

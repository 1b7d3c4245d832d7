"""From the text of a pack's files to policies that each parse, validate, have a name of their own and say what they are for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import cedarpy

from isthmus.decide.asking import Rule
from isthmus.model.errors import Untrusted
from isthmus.model.outside import printable

MOST_RULES, _DEEPEST = 200, 32
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n\r]*|[;()\[\]{}]|[^\s]', re.DOTALL)
_ACTION = re.compile(r'^action\s+((?:"[^"]+",?\s*)+)in \["([a-z]+)"\] appliesTo', re.MULTILINE)


def read(files: Mapping[str, str], schema: cedarpy.Schema) -> tuple[tuple[Rule, ...], cedarpy.PolicySet]:
    """The policies of these files (name to text), under the ids their authors gave them.

    Raises `Untrusted` naming file and line of the first policy that cannot be taken.
    """
    rules: dict[str, Rule] = {}
    parsed: dict[str, Any] = {}
    for name, text in sorted(files.items()):
        for line, source in _policies(name, text):
            place = f"{name} line {line}"
            one = _parsed(source, place)
            rule = Rule(_id_of(one, rules, place), place, source)
            _scoped(one, rule)
            _valid(rule, schema)
            rules[rule.id], parsed[rule.id] = rule, one
    if not rules or len(rules) > MOST_RULES:
        # Cedar looks at every policy for every request; two hundred are half a millisecond.
        raise Untrusted(f"{len(rules)} policies; a bundle has 1 to {MOST_RULES}", "*.cedar")
    whole = {"templates": {}, "staticPolicies": parsed, "templateLinks": []}
    return tuple(rules.values()), cedarpy.PolicySet.from_json_str(json.dumps(whole))


def closed_list(schema: str) -> dict[str, str]:
    """Every ability of the schema, with the group it stands in."""
    found: dict[str, str] = {}
    for names, group in _ACTION.findall(schema):
        found |= dict.fromkeys(re.findall(r'"([^"]+)"', names), group)
    return found


def _policies(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Each policy of a file with the line it begins at. Each is parsed alone, so a wrong cut cannot pass for a policy."""
    begin, start, depth = 0, None, 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word.startswith("//"):
            continue
        if start is None:
            start = token.start()
        depth += (word in "([{") - (word in ")]}")
        if depth > _DEEPEST:
            # Cedar's parser recurses: a few hundred brackets would end the process, not the parse.
            raise Untrusted(f"brackets nested deeper than {_DEEPEST}", _place(name, text, token.start()))
        if word == ";":
            yield text.count("\n", 0, start) + 1, text[begin : token.end()].strip()
            begin, start = token.end(), None
    if start is not None:
        raise Untrusted("does not end: a policy ends with a semicolon", _place(name, text, start))


def _place(name: str, text: str, position: int) -> str:
    return f"{name} line {text.count(chr(10), 0, position) + 1}"


def _parsed(source: str, place: str) -> dict[str, Any]:
    """One policy in Cedar's own JSON form."""
    try:
        whole = json.loads(cedarpy.policies_to_json_str(source))
        cedarpy.PolicySet.from_json_str(json.dumps(whole))
    except (ValueError, RecursionError) as error:
        wrong = printable(str(error))
        if isinstance(error, RecursionError) or "serializing" in wrong:
            wrong = "nested too deep: split it, or ask whether a set contains the value"
        raise Untrusted(f"does not parse: {wrong}", place) from None
    policies = list(whole["staticPolicies"].values())
    if len(policies) != 1:
        raise Untrusted("not one plain policy; templates are not taken", place)
    one: dict[str, Any] = policies[0]
    return one


def _id_of(one: Mapping[str, Any], rules: Mapping[str, Rule], place: str) -> str:
    name = one.get("annotations", {}).get("id") or ""
    if not _ID.fullmatch(name):
        raise Untrusted('needs an @id("…") of lower-case letters, digits and hyphens', place)
    if name in rules:
        raise Untrusted(f"@id {name} is taken by {rules[name].place}", place)
    return str(name)


def _scoped(one: Mapping[str, Any], rule: Rule) -> None:
    # Otherwise an ability added next year is permitted by whoever wrote this.
    if one["effect"] == "permit" and one["action"]["op"] == "All":
        raise Untrusted(f"{rule.id}: a permit must say for which action or group of actions", rule.place)


def _valid(rule: Rule, schema: cedarpy.Schema) -> None:
    checked = cedarpy.validate_policies(rule.text, schema)
    if not checked.validation_passed:
        wrong = checked.errors[0].error if checked.errors else "says nothing about why"
        raise Untrusted(f"{rule.id}: does not fit the schema: {_told(wrong)}", rule.place)


def _told(error: str) -> str:
    return printable(re.sub(r"^for policy `[^`]*`[,:]? ?", "", error))

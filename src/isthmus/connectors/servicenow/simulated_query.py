"""ServiceNow's encoded queries over rows in memory, with the vendor's habit of dropping what it cannot use."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable

Row = dict[str, str]

_CONDITION = re.compile(
    r"(?P<field>[a-z0-9_]+)"
    r"(?P<operator>!=|>=|<=|=|>|<|NOT IN|IN|STARTSWITH|ENDSWITH|NOT LIKE|LIKE|ISNOTEMPTY|ISEMPTY)(?P<value>.*)",
    re.DOTALL,
)
_ORDER = re.compile(r"ORDERBY(?P<down>DESC)?(?P<field>[a-z0-9_]+)")
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda held, given: held.casefold() == ("" if given == "NULL" else given.casefold()),
    "!=": lambda held, given: held.casefold() != given.casefold(),
    ">": lambda held, given: held > given,
    ">=": lambda held, given: held >= given,
    "<": lambda held, given: held < given,
    "<=": lambda held, given: held <= given,
    "IN": lambda held, given: held in given.split(","),
    "NOT IN": lambda held, given: held not in given.split(","),
    "STARTSWITH": lambda held, given: held.casefold().startswith(given.casefold()),
    "ENDSWITH": lambda held, given: held.casefold().endswith(given.casefold()),
    "LIKE": lambda held, given: given.casefold() in held.casefold(),
    "NOT LIKE": lambda held, given: given.casefold() not in held.casefold(),
    "ISEMPTY": lambda held, _: not held,
    "ISNOTEMPTY": lambda held, _: bool(held),
}


def matching(rows: Iterable[Row], query: str, usable: Container[str]) -> list[Row]:
    """The rows an encoded query finds, in its order.

    Conditions on columns that are not `usable` (unknown, or hidden from the caller) are dropped, as ServiceNow does
    unless glide.invalid_query.returns_no_rows is set: a query of nothing but such conditions finds every row.
    """
    alternatives: list[list[re.Match[str]]] = []
    orders: list[tuple[str, bool]] = []
    for part in query.split("^"):
        if order := _ORDER.fullmatch(part):
            orders.append((order["field"], bool(order["down"])))
            continue
        either, text = (True, part[2:]) if part.startswith("OR") else (False, part)
        condition = _CONDITION.fullmatch(text)
        if condition is None or condition["field"] not in usable:
            continue
        if either and alternatives:
            alternatives[-1].append(condition)
        else:
            alternatives.append([condition])
    found = [row for row in rows if all(any(_holds(row, one) for one in group) for group in alternatives)]
    for field, down in reversed(orders):
        found.sort(key=lambda row: row.get(field, ""), reverse=down)
    return found


def _holds(row: Row, condition: re.Match[str]) -> bool:
    return _TESTS[condition["operator"]](row.get(condition["field"], ""), condition["value"])

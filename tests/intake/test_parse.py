"""Bytes become records, or rejections that say where."""

from __future__ import annotations

import io

import pytest

from isthmus.contracts.roles import CsvExport
from isthmus.intake import parse
from isthmus.intake.parse import Parsed, records
from isthmus.model.errors import Untrusted

CSV = CsvExport("test", frozenset({"a", "b", "c"}))


def read(body: bytes) -> tuple[list[object], list[str]]:
    found = list(records(io.BytesIO(body), [CSV]))
    return [one.value for one in found if isinstance(one, Parsed)], [str(one) for one in found if isinstance(one, Untrusted)]


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b'{"a": 1}', [{"a": 1}]),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}\n{"a": 2}\n\n{"a": 3}\n', [{"a": 1}, {"a": 2}, {"a": 3}]),
        (b'{\n "a": 1\n}\n{\n "a": 2\n}', [{"a": 1}, {"a": 2}]),
        (b'[{"a": 1}]\n[{"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b"\xef\xbb\xbf" + b'{"a": 1}', [{"a": 1}]),
        ('[{"a": "é"}]'.encode("utf-16"), [{"a": "é"}]),
        (b"[]", []),
        (b"a,b,c\n1,2,3\n", [{"a": "1", "b": "2", "c": "3"}]),
        (b"a;b;c\n1;2;3\n", [{"a": "1", "b": "2", "c": "3"}]),
    ],
    ids=["object", "array", "ndjson", "concatenated", "arrays", "bom", "utf-16", "empty array", "csv", "semicolons"],
)
def test_every_form_of_json_and_known_csv(body: bytes, values: list[object]) -> None:
    assert read(body) == (values, [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"  \n\t ", "empty"),
        (b'{"a": ', "cut off"),
        (b'[{"a": 1}, {"a": ', "cut off"),
        (b'[{"a": 1}', "cut off in the middle of a list"),
        (b'[{"a": 1} {"a": 2}]', "line 1 column 11: expected , or ]"),
        (b'[{"a": 1}]}', "not JSON"),
        (b"[" * 20_000, "nested too deep"),
        (b'{"a":' * 20_000, "nested too deep"),
        (b'{"a": "\xff\xfe"}', "offset 7: not UTF-8: byte 0xff"),
        (b"\x00\x01\x02\xff binary", "binary"),
        (b"PK\x03\x04....", "zip archive"),
        (b"<html>login</html>", "an HTML or XML page"),
        (b"x,y,z\n1,2,3\n", "a CSV with a header we do not know (x, y, z, ...). CSVs that are read: test."),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b"just words", "neither JSON"),
    ],
)
def test_what_is_no_export_is_said_with_its_place(body: bytes, said: str) -> None:
    _, errors = read(body)
    assert len(errors) == 1
    assert said in errors[0]


def test_a_bad_line_costs_one_line() -> None:
    values, errors = read(b'{"a": 1}\n{"a": \n{"a": 3}\nnonsense\n{"a": "\xff"}\n{"a": 6}\n')
    assert values == [{"a": 1}, {"a": 3}, {"a": 6}]
    assert [error.split(":")[0] for error in errors] == ["line 2 column 6", "line 4 column 1", "line 5 column 8"]


def test_a_bad_first_line_costs_one_line() -> None:
    values, errors = read(b'{"a": \n{"a": 2}\n')
    assert values == [{"a": 2}]
    assert len(errors) == 1


def test_a_row_with_too_many_columns_costs_one_row() -> None:
    values, errors = read(b"a,b,c\n1,2,3\n1,2,3,4\n5,6,7\n")
    assert [value["a"] for value in values if isinstance(value, dict)] == ["1", "5"]
    assert errors == ["line 3: 4 columns where the header has 3"]


def test_a_line_longer_than_the_limit_is_refused_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "LINE_LIMIT", 1 << 20)
    body = b'{"a": 1}\n{"a": "' + b"x" * (5 << 20) + b'"}\n{"a": 3}\n'
    values, errors = read(body)
    assert values == [{"a": 1}, {"a": 3}]
    assert errors == ["line 2: a record over 1 MiB"]

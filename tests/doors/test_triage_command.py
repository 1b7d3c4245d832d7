"""`isthmus triage` as a person runs it: bad input, formats, state, exit codes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.telling import asset, finding, told

from isthmus.lab.day import Day
from isthmus.model.assets import AssetKind
from isthmus.model.findings import Kind
from isthmus.model.severity import Severity

GOOD = told("wiz", finding(Kind.THREAT, asset(), "Reverse shell", Severity.HIGH))
OTHER = told("wiz", finding(Kind.MISCONFIGURATION, asset(AssetKind.BUCKET), "Public bucket", Severity.HIGH, "2"))


def isthmus(*arguments: object, stdin: bytes = b"", home: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "isthmus", *(str(one) for one in arguments)]
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home)} if home else None  # noqa: TID251 - a new home
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False, env=environment)


def triaged(*arguments: object, stdin: bytes = b"") -> tuple[int, dict[str, Any]]:
    ran = isthmus("triage", *arguments, "--format", "json", stdin=stdin)
    assert b"Traceback" not in ran.stderr, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, document


def test_a_folder_of_anything_is_triaged_and_what_is_bad_is_named(tmp_path: Path) -> None:
    bad = {
        "truncated.json": b'[{"id": "1", "sev',
        "deep.json": b"[" * 20_000 + b"]" * 20_000,
        "twice.json": json.dumps(GOOD).encode()[:-1] + b', "severity": "LOW"}',
        "nan.json": json.dumps(GOOD).encode()[:-1] + b', "score": NaN}',
        "latin.json": b'{"a": "\xe9"}',
        "wrong-type.json": json.dumps({**GOOD, "severity": ["HIGH"]}).encode(),
        "empty.json": b"",
        "binary.bin": bytes(range(256)),
        "unknown.json": b'{"vendor": "nobody"}',
        "unknown.csv": b"one,two,three\n1,2,3\n",
        "broken.json.gz": gzip.compress(b"{}")[:-6],
        "page.html": b"<!doctype html><title>Sign in</title>",
    }
    for name, body in bad.items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "good.ndjson.gz").write_bytes(gzip.compress(f"{json.dumps(OTHER)}\n{json.dumps(GOOD)}\n".encode()))
    code, document = triaged(tmp_path)
    assert code == 3
    assert document["counts"] == {"seen": 15, "stored": 2, "duplicate": 1, "rejected": 12}
    assert {Path(one["file"]).name for one in document["rejected"]} == set(bad)
    assert all(one["reason"] for one in document["rejected"])
    reasons = {Path(one["file"]).name: f"{one['position']}: {one['reason']}" for one in document["rejected"]}
    assert "severity" in reasons["wrong-type.json"]
    assert "expected text, got a list" in reasons["wrong-type.json"]
    assert "duplicate key 'severity'" in reasons["twice.json"]
    assert reasons["latin.json"].startswith("offset 7")
    assert "cannot be read" in reasons["broken.json.gz"]
    assert len(document["incidents"]) == 2


def test_a_huge_file_is_no_hang_and_its_neighbour_is_triaged(tmp_path: Path) -> None:
    (tmp_path / "huge.json").write_bytes(b'{"id": "' + b"x" * (60 << 20) + b'"}')
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    code, document = triaged(tmp_path)
    assert code == 3
    assert document["counts"] == {"seen": 2, "stored": 1, "duplicate": 0, "rejected": 1}


def test_a_path_that_is_not_there_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    code, document = triaged(tmp_path / "none.json", tmp_path / "good.json")
    assert code == 3
    assert document["rejected"][0]["file"].endswith("none.json")
    assert "No such file" in document["rejected"][0]["reason"]
    assert document["counts"]["stored"] == 1


def test_standard_input_and_exit_code_zero() -> None:
    code, document = triaged("-", stdin=json.dumps([GOOD, OTHER]).encode())
    assert (code, document["counts"]["stored"]) == (0, 2)


def test_every_format_tells_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([GOOD, OTHER]))
    _, document = triaged(tmp_path, "--now", "2026-03-02")
    lines = isthmus("triage", tmp_path, "--format", "ndjson", "--now", "2026-03-02").stdout.splitlines()
    head, *rows = (json.loads(line) for line in lines)
    assert (head["type"], head["counts"]) == ("triage", document["counts"])
    assert [{key: row[key] for key in row if key != "type"} for row in rows] == document["incidents"]
    page = isthmus("triage", tmp_path, "--format", "html").stdout.decode()
    table = isthmus("triage", tmp_path).stdout.decode()
    for one in document["incidents"]:
        assert one["id"] in page
        assert one["id"] in table
    assert "\x1b" not in table


def test_output_goes_to_a_file_or_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    assert isthmus("triage", tmp_path / "a.json", "--format", "json", "--output", tmp_path / "out.json").stdout == b""
    assert json.loads((tmp_path / "out.json").read_text())["counts"]["stored"] == 1
    refused = isthmus("triage", tmp_path / "a.json", "--format", "json", "--output", tmp_path / "none" / "out.json")
    assert (refused.returncode, b"No such file" in refused.stderr) == (2, True)


def test_since_shows_what_is_new(tmp_path: Path) -> None:
    state, export = tmp_path / "state.json", tmp_path / "a.json"
    export.write_text(json.dumps([GOOD]))
    assert [one["since"] for one in triaged(export, "--since", state)[1]["incidents"]] == ["new"]
    assert [one["since"] for one in triaged(export, "--since", state)[1]["incidents"]] == ["unchanged"]
    more = told("guardduty", finding(Kind.THREAT, asset(), "Mining", Severity.HIGH, "3"))
    export.write_text(json.dumps([GOOD, OTHER, more]))
    assert {one["since"] for one in triaged(export, "--since", state)[1]["incidents"]} == {"grown", "new"}


def test_news_that_could_not_be_written_stays_news(tmp_path: Path) -> None:
    state, export = tmp_path / "state.json", tmp_path / "a.json"
    export.write_text(json.dumps([GOOD]))
    for form in ("table", "json", "html"):
        lost = isthmus("triage", export, "--since", state, "--format", form, "--output", tmp_path / "none" / "x")
        assert (lost.returncode, b"Traceback" in lost.stderr, state.exists()) == (2, False, False)
    assert [one["since"] for one in triaged(export, "--since", state)[1]["incidents"]] == ["new"]


def test_the_answer_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    Day(1).write(tmp_path)
    command = [sys.executable, "-m", "isthmus", "triage", str(tmp_path / "exports"), "--format", "json", "--now", "2026-03-03"]
    answers = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}  # noqa: TID251 - another order of every set
        answers.add(subprocess.run(command, capture_output=True, timeout=120, check=True, env=environment).stdout)
    assert len(answers) == 1


def test_a_path_that_is_all_wrong_is_no_triage(tmp_path: Path) -> None:
    ran = isthmus("triage", tmp_path / "none")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"no such file or folder" in ran.stderr


def test_hidden_files_are_read_and_links_to_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "in" / ".orca").mkdir(parents=True)
    (tmp_path / "in" / ".orca" / "a.json").write_text(json.dumps(GOOD))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    code, document = triaged(tmp_path / "in")
    assert (code, document["counts"]["stored"], document["counts"]["rejected"]) == (3, 1, 1)
    assert document["rejected"][0]["file"].endswith("link")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"schema_version": 9, "at": "", "findings": []}', b"\xff", b"[" * 20_000])
def test_a_state_file_that_is_none_is_refused_and_left_alone(tmp_path: Path, body: bytes) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(body)
    ran = isthmus("triage", "-", "--since", state, stdin=json.dumps(GOOD).encode())
    assert (ran.returncode, b"state.json" in ran.stderr, b"Traceback" in ran.stderr) == (2, True, False)
    assert state.read_bytes() == body


def test_a_bad_settings_file_stops_before_anything_is_read(tmp_path: Path) -> None:
    config = tmp_path / "isthmus.yaml"
    config.write_text("accounts: {}\nacounts: {}\n")
    ran = isthmus("triage", "-", "--config", config, stdin=b"{}")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"isthmus.yaml line 2: acounts: unknown key" in ran.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([GOOD] * 400))
    command = f"{sys.executable} -m isthmus triage {tmp_path} --format json --all | head -c 10"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)  # the pipe is the test
    assert b"Traceback" not in ran.stderr


def test_every_sample_is_read_or_said_to_be_no_alert(shared: Path) -> None:
    _, document = triaged(shared / "samples")
    unknown = [one for one in document["rejected"] if "not recognised" in one["reason"]]
    assert {Path(one["file"]).name for one in unknown} <= {"P", "PROVENANCE.tsv"}
    assert document["counts"]["stored"] >= 100

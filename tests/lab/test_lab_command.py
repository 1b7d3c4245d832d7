"""`isthmus lab` and `isthmus demo` do what they say and say what they did."""

from pathlib import Path

from typer.testing import CliRunner

from isthmus.doors.cli.main import app

RUN = CliRunner()


def test_write_triage_and_score(tmp_path: Path) -> None:
    day = str(tmp_path / "day")
    assert RUN.invoke(app, ["lab", "write", day, "--seed", "16"]).exit_code == 0
    answer = str(tmp_path / "triage.json")
    asked = ["triage", f"{day}/exports", "--config", f"{day}/isthmus.yaml", "--format", "json", "--output", answer]
    assert RUN.invoke(app, [*asked, "--now", "2026-03-03T01:00:00"]).exit_code == 0
    result = RUN.invoke(app, ["lab", "score", day, answer])
    assert result.exit_code == 0
    assert "Attacks in the first 10:" in result.output


def test_the_demo_runs_twice_into_the_same_place(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    for _ in range(2):
        result = RUN.invoke(app, ["demo", "--once", "--seed", "17", "--out", str(out)])
        assert result.exit_code == 0, result.output
    assert {"exports", "isthmus.yaml", "truth.json", "triage.json", "triage.html"} == {path.name for path in out.iterdir()}
    assert "Compared with what really happened" in result.output


def test_a_score_of_something_else_is_refused(tmp_path: Path) -> None:
    RUN.invoke(app, ["lab", "write", str(tmp_path), "--seed", "18"])
    result = RUN.invoke(app, ["lab", "score", str(tmp_path), str(tmp_path / "truth.json")])
    assert result.exit_code != 0
    assert "not a triage document" in str(result.exception)

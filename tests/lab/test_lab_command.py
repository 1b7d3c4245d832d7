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


def test_the_demo_tells_the_whole_story_and_exits_by_itself(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["demo", "--once", "--out", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    for said in ("Put into force on record by rosa", "Done automatically:", "Waiting for people:", "Cases in ServiceNow:"):
        assert said in told
    assert "is equal to what it was before" in told
    assert "The record holds:" in told


def test_the_demo_empties_no_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    result = RUN.invoke(app, ["demo", "--once", "--out", str(tmp_path)])
    assert result.exit_code != 0
    assert (tmp_path / "thesis.txt").exists()


def test_a_score_of_something_else_is_refused(tmp_path: Path) -> None:
    RUN.invoke(app, ["lab", "write", str(tmp_path), "--seed", "18"])
    result = RUN.invoke(app, ["lab", "score", str(tmp_path), str(tmp_path / "truth.json")])
    assert result.exit_code != 0
    assert "not a triage document" in str(result.exception)

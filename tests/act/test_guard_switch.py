"""The kill switch: a file that is there is on, and so is everything that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from isthmus.act.guard.switch import Switch, read

WHO = {"tenant": "default", "connector": "aws", "ability": "aws.stop_instance"}


def stopped(switch: Switch, undo: bool = False) -> str:
    return switch.stopping(**WHO, undo=undo)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "kill"
    made.mkdir()
    return made


def test_an_empty_folder_stops_nothing(folder: Path) -> None:
    assert read(folder) == Switch({})
    (folder / ".gitkeep").touch()
    (folder / "..data").mkdir()
    assert stopped(read(folder)) == ""


@pytest.mark.parametrize(
    "name", ["all", "effects", "tenant-default", "connector-aws", "ability-aws.stop_instance", "ALL", "Tenant-Default"]
)
def test_a_file_is_on_with_its_reason(folder: Path, name: str) -> None:
    (folder / name).write_text("pager 17: stop\nand more\n", encoding="utf-8")
    assert stopped(read(folder)) == f"{name.casefold()} (pager 17: stop and more)"
    assert (stopped(read(folder), undo=True) == "") == (name == "effects")


@pytest.mark.parametrize("name", ["tenant-other", "connector-azure", "ability-aws.stop"])
def test_a_file_for_somebody_else_is_not_for_us(folder: Path, name: str) -> None:
    (folder / name).touch()
    assert stopped(read(folder)) == ""


@pytest.mark.parametrize("name", ["al", "all.txt", "effect", "tenant", "tenant-", "tenat-default", "readme", "all~", "\udcff"])
def test_a_misspelled_switch_stops_everything(folder: Path, name: str) -> None:
    (folder / name).touch()
    assert "is no switch we know" in stopped(read(folder), undo=True)
    stopped(read(folder)).encode()


def test_what_cannot_be_read_is_on(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "none", tmp_path / "file", tmp_path / "loop", tmp_path / ("x" * 300), Path("a\0b")):
        assert "cannot be read" in stopped(read(path), undo=True), path

    def denied(_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    assert stopped(read(folder), undo=True) == "all (the folder of the kill switch cannot be read: Permission denied)"


def test_a_listing_that_breaks_off_is_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> Any:
        yield path / "tenant-other"
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "iterdir", broken)
    assert "Input/output error" in stopped(read(folder))


def test_a_reason_that_cannot_be_read_changes_nothing(folder: Path) -> None:
    (folder / "all").mkdir()
    assert stopped(read(folder)) == "all (no reason given)"
    (folder / "all").rmdir()
    (folder / "all").symlink_to(folder / "nowhere")
    assert stopped(read(folder)) == "all (no reason given)"
    (folder / "all").unlink()
    os.mkfifo(folder / "all")
    assert stopped(read(folder)) == "all (no reason given)"
    (folder / "all").unlink()
    (folder / "all").write_bytes(b"\xff\x1b[31m" + "\u202e".encode() + b"x" * 10_000)
    said = stopped(read(folder))
    assert said.isprintable() and len(said) < 400


def test_a_file_that_goes_away_meanwhile_still_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda path: iter([path / "all"]))
    assert stopped(read(folder)) == "all (no reason given)"


def test_switching_off_is_removing_the_file(folder: Path) -> None:
    (folder / "all").touch()
    assert stopped(read(folder))
    (folder / "all").unlink()
    assert not stopped(read(folder))

"""The log as files: named, cut and checked as the specification says, and there whole whatever dies meanwhile."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from tests.record.logs import SIGNER, WITNESS, WITNESS_NAME, files, grown_to, log

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record.checkpoints import Signer, read
from isthmus.record.cosignatures import WitnessKey, cosigned
from isthmus.record.fsck import fsck
from isthmus.record.ledger import ENTRIES
from isthmus.record.publishing import publish, published
from isthmus.record.tiles import CHECKPOINT, Tiles, bundled, path_of, tiles_of, unbundled

SIZES = [1, 2, 255, 256, 257, 511, 512, 700]
KEY = SIGNER.key


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (0, 1, "tile/0/000.p/1"),
        (999, 256, "tile/0/999"),
        (1_000, 256, "tile/0/x001/000"),
        (1_234_067, 256, "tile/0/x001/x234/067"),
        (1_234_067, 112, "tile/0/x001/x234/067.p/112"),
        (123_456_789, 256, "tile/0/x123/x456/789"),
        (10**12 + 7, 255, "tile/0/x001/x000/x000/x000/007.p/255"),
    ],
)
def test_a_tile_lies_where_the_specification_says(number: int, width: int, path: str) -> None:
    assert path_of(0, number, width) == path
    assert path_of("entries", number, width) == path.replace("/0/", "/entries/", 1)


def test_a_log_of_70000_has_the_tiles_the_specification_counts() -> None:
    found = list(tiles_of(70_000))
    assert [one for one in found if one[2] < 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert len([one for one in found if one[0] == 0]) == 274
    assert len(found) == 274 + 2 + 1
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.lists(st.binary(max_size=300), max_size=20), st.binary(max_size=3))
def test_bundles_are_read_back_and_nothing_else_is(entries: list[bytes], more: bytes) -> None:
    whole = bundled(entries)
    assert unbundled(whole) == entries
    for cut in {1, len(whole) // 2, len(whole) - 1} & set(range(1, len(whole))):
        with suppress(Untrusted):
            assert bundled(unbundled(whole[:cut])) == whole[:cut]
    if more == b"\x01":
        with pytest.raises(Untrusted):
            unbundled(whole + more)


def test_an_entry_that_no_bundle_can_hold_is_refused() -> None:
    assert unbundled(bundled([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(Untrusted):
        bundled([b"x" * 65_536])


def test_what_was_published_bit_by_bit_is_what_is_published_at_once(tmp_path: Path) -> None:
    with log() as connection:
        last = 0
        for size in SIZES:
            note = grown_to(connection, size, last)
            last = size
            done = publish(connection, tmp_path / "grown", note, KEY)
            assert (done.size, fsck(done.tiles, KEY).problems) == (size, ())
            for level, number, width in tiles_of(size):
                assert len(done.tiles.tile(level, number, width)) == width
        publish(connection, tmp_path / "once", note, KEY)
    grown, once = files(tmp_path / "grown"), files(tmp_path / "once")
    assert {name: data for name, data in grown.items() if name in once} == once
    assert {name.rpartition("/")[0] for name in grown if name not in once} <= {
        "tile/0/002.p",
        "tile/entries/002.p",
        "tile/1/000.p",
    }


def test_a_third_level_is_built_and_old_widths_are_read_from_wider_tiles(tmp_path: Path) -> None:
    with log() as connection:
        first = grown_to(connection, 300)
        publish(connection, tmp_path, first, KEY)
        note = grown_to(connection, 65_540, 300)
        done = publish(connection, tmp_path, note, KEY)
    assert (tmp_path / "tile/2/000.p/1").stat().st_size == 32
    assert not (tmp_path / "tile/0/001.p").exists(), "a full tile needs no narrower ones"
    assert done.tiles.root(0, 300, 65_540) == read(first, KEY).root
    assert len(done.tiles.tile(0, 1, 44)) == 44
    assert fsck(done.tiles, KEY).problems == ()


def test_an_older_note_does_not_set_the_log_back(tmp_path: Path) -> None:
    with log() as connection:
        old = grown_to(connection, 10)
        new = grown_to(connection, 20, 10)
        publish(connection, tmp_path, new, KEY)
        assert publish(connection, tmp_path, old, KEY).size == 20
    assert (tmp_path / CHECKPOINT).read_text() == new


def test_files_somebody_changed_are_written_again(tmp_path: Path) -> None:
    with log() as connection:
        publish(connection, tmp_path, grown_to(connection, 600), KEY)
        (tmp_path / "tile/1/000.p/2").write_bytes(bytes(64))
        (tmp_path / "tile/0/001").unlink()
        done = publish(connection, tmp_path, grown_to(connection, 601, 600), KEY)
    assert fsck(done.tiles, KEY).problems == ()


def test_a_database_that_does_not_lead_to_the_note_is_not_published(tmp_path: Path) -> None:
    with log() as connection:
        note = grown_to(connection, 300)
        connection.execute(update(ENTRIES).where(ENTRIES.c.idx == 7).values(leaf=b"{}"))
        with pytest.raises(Untrusted, match="not published"):
            publish(connection, tmp_path, note, KEY)
    assert not (tmp_path / CHECKPOINT).exists()
    assert published(tmp_path, KEY).size == 0


class Died(BaseException):
    """The process is gone."""


def test_whatever_write_it_dies_at_the_files_hold_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that changes the disk, one after the other, is the last one."""
    real, calls, last = {name: getattr(os, name) for name in ("fsync", "open")}, [0], [0]

    def dying(name: str) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            calls[0] += 1
            if calls[0] == last[0]:
                raise Died
            return real[name](*given, **more)

        return call

    with log() as connection:
        old = grown_to(connection, 250)
        publish(connection, tmp_path / "before", old, KEY)
        new = grown_to(connection, 520, 250)
        survived = False
        while not survived:
            last[0] += 1
            calls[0] = 0
            folder = tmp_path / "tried"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(tmp_path / "before", folder)
            with monkeypatch.context() as patched:
                for name in real:
                    patched.setattr(os, name, dying(name))
                try:
                    publish(connection, folder, new, KEY)
                    survived = True
                except Died:
                    pass
            found = fsck(Tiles(folder), KEY)
            assert found.problems == () and found.told.size in {250, 520}, last[0]
            assert fsck(publish(connection, folder, new, KEY).tiles, KEY).problems == ()
    assert last[0] > 30


def changed(path: Path, rng: random.Random) -> str:
    """One file other than it was."""
    data = path.read_bytes()
    how = rng.choice(["flip", "cut", "longer", "gone", "empty"])
    if how == "gone":
        path.unlink()
    elif how == "flip":
        at = rng.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
    else:
        path.write_bytes({"cut": data[:-1], "longer": data + b"\x00", "empty": b""}[how])
    return how


def test_every_change_of_every_file_is_found(tmp_path: Path) -> None:
    with log() as connection:
        publish(connection, tmp_path / "log", grown_to(connection, 600), KEY)
    rng, tried = random.Random(7), 0
    for name in files(tmp_path / "log"):
        for _ in range(8):
            shutil.rmtree(tmp_path / "bent", ignore_errors=True)
            shutil.copytree(tmp_path / "log", tmp_path / "bent")
            how = changed(tmp_path / "bent" / name, rng)
            tried += 1
            try:
                assert fsck(Tiles(tmp_path / "bent"), KEY).problems, (name, how)
            except (Untrusted, Unreachable):
                assert name == CHECKPOINT
    assert tried == 8 * 8


def test_files_of_another_history_or_another_log_are_found(tmp_path: Path) -> None:
    with log() as connection:
        publish(connection, tmp_path / "one", grown_to(connection, 300), KEY)
    with log() as connection:
        grown_to(connection, 299, 0)
        publish(connection, tmp_path / "other", grown_to(connection, 300, 299), KEY)
    (tmp_path / "other" / CHECKPOINT).write_bytes((tmp_path / "one" / CHECKPOINT).read_bytes())
    assert fsck(Tiles(tmp_path / "other"), KEY).problems, "salts differ, so leaves do"
    with pytest.raises(Untrusted):
        fsck(Tiles(tmp_path / "one"), Signer("other", SIGNER.private).key)


def test_a_witness_named_must_have_signed(tmp_path: Path) -> None:
    witness = WitnessKey(WITNESS_NAME, WITNESS.public_key().public_bytes_raw())
    with log() as connection:
        note = grown_to(connection, 3)
        done = publish(connection, tmp_path, note, KEY)
    with pytest.raises(Untrusted, match="not signed by the witness"):
        fsck(done.tiles, KEY, [witness])
    text = note.partition("\n\n")[0] + "\n"
    (tmp_path / CHECKPOINT).write_text(note + cosigned(text, WITNESS_NAME, WITNESS, 1_700_000_000))
    assert fsck(done.tiles, KEY, [witness]).cosigned == ((WITNESS_NAME, 1_700_000_000),)

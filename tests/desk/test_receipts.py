"""The line with a witness: nothing is contained before the witness signed the intent, nothing after a restored backup."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.desk.site import HOST, NOW, Site, attack
from tests.witness.asked import Line

from isthmus.desk.guarding import Guarding
from isthmus.desk.recording import Recording
from isthmus.record.checkpoints import Signer
from isthmus.record.cosigning import Receipts
from isthmus.witness.memory import opened
from isthmus.witness.witnessing import Witness


class Watched(Site):
    """An installation whose record a witness signs."""

    line: Line
    recording: Recording
    receipts: Receipts

    def watched_by(self, line: Line, required: bool = True) -> None:
        """As at a start with this witness in the settings."""
        self.line = line
        signer = Signer("isthmus", self.store.keys.private)
        folder = self.folder / "log"
        self.receipts = Receipts(self.store, signer.key, folder, line.witness.memory.key, line, required)
        self.recording = Recording(self.store, signer, folder, self.receipts)
        guard = Guarding(self.store, self.guard, self.kill, self.instances, self.receipts).check
        authority = self.work.parts.authority
        assert authority is not None
        self.work = replace(self.work, parts=replace(self.work.parts, authority=replace(authority, guard=guard)))

    def keep(self) -> None:
        """The record's turn, a little later."""
        self.later(seconds=2)
        self.line.now = self.now
        asyncio.run(self.recording.keep(self.now))


@contextmanager
def watched(folder: Path, required: bool = True) -> Iterator[Watched]:
    site = Watched(folder / "data")
    with opened(folder / "witness", "witness.example") as memory:
        site.watched_by(Line(Witness(memory, [Signer("isthmus", site.store.keys.private).key]), NOW), required)
        site.keep()
        yield site
    site.store.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as found:
        yield found


def test_containment_waits_for_the_receipt_and_the_case_does_not(site: Watched) -> None:
    site.deliver(attack())
    site.settle()
    _, step = site.only()
    assert site.dev.writes == [] and "receipt" in str(step), step
    assert len(site.book.cases) == 1, "people hear of it at once"
    for _ in range(3):
        site.later(seconds=10)
        site.settle()
    assert site.dev.writes == [], "nothing was signed meanwhile"
    site.keep()
    site.later(minutes=1)
    site.settle()
    assert site.dev.writes == [f"isolate {HOST}"]


def test_with_the_record_kept_up_it_is_a_matter_of_seconds(site: Watched) -> None:
    site.deliver(attack())
    for _ in range(5):
        site.settle()
        site.keep()
        site.later(seconds=2)
    assert site.dev.writes == [f"isolate {HOST}"]


def test_while_the_witness_is_away_containment_waits_where_it_is_required(tmp_path: Path) -> None:
    for required, writes in ((True, []), (False, [f"isolate {HOST}"])):
        with watched(tmp_path / str(required), required) as site:
            site.line.away = True
            site.deliver(attack())
            for _ in range(5):
                site.settle()
                site.keep()
                site.later(seconds=10)
            assert site.dev.writes == writes
            assert len(site.book.cases) == 1


def test_an_old_backup_does_nothing_again(site: Watched, tmp_path: Path) -> None:
    """The backup holds an intent with its receipt, and not that it was carried out and taken back since."""
    site.deliver(attack())
    site.settle()
    site.keep()
    site.store.close()
    shutil.copytree(site.folder, tmp_path / "backup")
    again = Watched(site.folder)
    again.dev, again.book = site.dev, site.book
    again.assemble()
    again.watched_by(site.line)
    again.now = site.now
    for _ in range(5):
        again.later(seconds=10)
        again.keep()
        again.settle()
    assert again.dev.writes == [f"isolate {HOST}"]
    again.dev.groups[HOST] = "web"
    puts = len(again.book.puts)
    again.keep()
    again.store.close()
    shutil.rmtree(site.folder)
    shutil.copytree(tmp_path / "backup", site.folder)
    restored = Watched(site.folder)
    restored.dev, restored.book = again.dev, again.book
    restored.assemble()
    restored.watched_by(site.line)
    restored.now = site.now
    for _ in range(5):
        restored.later(seconds=5)
        restored.settle()
        restored.keep()
    assert (restored.dev.writes, len(restored.book.puts)) == ([f"isolate {HOST}"], puts)
    assert restored.receipts.safe().startswith("the record is shorter than the witnessed one")
    restored.store.close()

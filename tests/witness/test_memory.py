"""What a witness keeps: one history, whatever comes at once, fails or dies meanwhile."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.witness.asking import FORK, LOG, NOW, STRANGER, asked, post

from isthmus.model.errors import Refused, Untrusted
from isthmus.witness.memory import Memory, opened, origin_hash, read_key
from isthmus.witness.witnessing import Witness


def test_of_two_requests_at_once_the_smaller_never_undoes_the_larger(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The race of the specification: checked for N, checked for N+K, kept N+K, kept N."""
    witness, inside, proceed = Witness(memory, [LOG.key]), threading.Event(), threading.Event()
    assert witness.add(asked(0, 4), NOW).status == 200
    real = memory.keep

    def slow(origin: str, kept: str) -> None:
        inside.set()
        assert proceed.wait(10)
        real(origin, kept)

    monkeypatch.setattr(memory, "keep", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(witness.add, asked(4, 9), NOW)
        assert inside.wait(10)
        second = pool.submit(witness.add, asked(4, 20), NOW)
        proceed.set()
        assert (first.result().status, second.result().status) == (200, 409)
        assert second.result().text == "9\n"
    last = memory.last(LOG.name)
    assert last is not None and last.size == 9


def test_many_at_once_leave_one_history(client: httpx.Client, memory: Memory) -> None:
    def climb(start: int) -> list[int]:
        got, known = [], 0
        for size in range(start, 64, 3):
            for _ in range(20):
                if known > size:
                    break
                status, text, _ = post(client, asked(known, size))
                if status == 200:
                    got.append(size)
                    known = size
                    break
                assert status == 409
                known = int(text)
        return got

    with ThreadPoolExecutor(6) as pool:
        sizes = [size for some in pool.map(climb, (1, 2, 3, 1, 2, 3)) for size in some]
    last = memory.last(LOG.name)
    assert last is not None and last.size == max(sizes) == 63


def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, name, fails)


@pytest.mark.parametrize("name", ["open", "fsync"])
def test_what_cannot_be_kept_is_not_signed(
    client: httpx.Client, memory: Memory, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(client, asked(0, 4))[0] == 200
    with monkeypatch.context() as patched:
        failing(patched, name)
        status, text, _ = post(client, asked(4, 9))
        assert status == 500 and "—" not in text
    # The new name may be there though it was not known to last: then it is what is known, and nothing was given away.
    last = memory.last(LOG.name)
    assert last is not None and last.size in {4, 9}
    assert post(client, asked(last.size, 20))[0] == 200


def test_a_memory_that_is_not_readable_signs_nothing(client: httpx.Client, tmp_path: Path) -> None:
    assert post(client, asked(0, 4))[0] == 200
    (tmp_path / "witness/logs" / origin_hash(LOG.name)).write_text("nonsense")
    assert post(client, asked(4, 9))[0] == 500
    assert post(client, asked(0, 9))[0] == 500


def test_what_was_signed_is_known_to_the_next_process(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    with opened(folder, "witness.example") as memory:
        assert Witness(memory, [LOG.key]).add(asked(0, 9), NOW).status == 200
        with pytest.raises(Refused, match="already running"), opened(folder):
            pass
        key = memory.key
    assert read_key(folder) == key
    with opened(folder) as memory:
        again = Witness(memory, [LOG.key])
        assert (memory.key, again.add(asked(0, 20), NOW).status, again.add(asked(9, 20), NOW).status) == (key, 409, 200)
    with pytest.raises(Refused, match="is called"), opened(folder, "other.example"):
        pass


def test_forgetting_sets_aside_and_begins_anew(tmp_path: Path) -> None:
    with opened(tmp_path, "witness.example") as memory:
        witness = Witness(memory, [LOG.key])
        assert witness.add(asked(0, 20), NOW).status == 200
        before = memory.note(LOG.name)
        aside = memory.forget(LOG.name, "20260301")
        assert aside.read_text() == before
        assert witness.add(asked(0, 9, FORK), NOW).status == 200
        with pytest.raises(Refused, match="never signed"):
            memory.forget("other.example", "now")


def test_a_folder_without_a_name_or_with_an_open_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Untrusted), opened(tmp_path / "one"):
        pass
    with pytest.raises(Refused, match="no witness here"):
        read_key(tmp_path / "two")
    with opened(tmp_path / "three", "witness.example"):
        pass
    (tmp_path / "three/witness.key").chmod(0o644)
    with pytest.raises(Refused, match="nobody else"):
        read_key(tmp_path / "three")
    with pytest.raises(Untrusted, match="two keys"), opened(tmp_path / "four", "witness.example") as memory:
        Witness(memory, [LOG.key, STRANGER.key])

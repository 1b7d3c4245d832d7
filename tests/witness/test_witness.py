"""The witness, asked over HTTP as the specification has it: what it signs, what it refuses, and how it says so."""

from __future__ import annotations

import base64

import httpx
import pytest
from tests.witness.asking import ELSEWHERE, EMPTY, FORK, LEAVES, LOG, NOW, STRANGER, asked, note, post

from isthmus.record.checkpoints import Checkpoint, Signer, signed
from isthmus.record.cosignatures import cosignature_time, joined, witness_key_of
from isthmus.record.merkle import consistency_proof, grown
from isthmus.witness.memory import Memory, origin_hash


def test_it_signs_a_log_that_grows(client: httpx.Client, memory: Memory) -> None:
    known = 0
    for size in (1, 2, 7, 7, 8, 33, 64):
        status, text, _ = post(client, asked(known, size))
        assert status == 200
        whole = joined(note(size), text, memory.key)
        assert cosignature_time(whole, memory.key) == int(NOW.timestamp())
        last = memory.last(LOG.name)
        assert last is not None and last.size == size
        known = size


def test_a_cosignature_is_spelled_as_the_specification_says(client: httpx.Client, memory: Memory) -> None:
    line = post(client, asked(0, 3))[1]
    mark, name, spelled = line.removesuffix("\n").split(" ")
    raw = base64.b64decode(spelled)
    assert (mark, name, raw[:4], len(raw)) == ("—", "witness.example", memory.key.id, 4 + 8 + 64)
    at = int.from_bytes(raw[4:12], "big")
    said = f"cosignature/v1\ntime {at}\n" + note(3).partition("\n\n")[0] + "\n"
    memory.private.public_key().verify(raw[12:], said.encode())
    assert str(memory.key).endswith(base64.b64encode(b"\x04" + memory.key.public).decode())
    assert witness_key_of(str(memory.key)) == memory.key


def test_the_wrong_old_size_is_answered_with_the_right_one(client: httpx.Client) -> None:
    assert post(client, asked(5, 9)) == (409, "0\n", "text/x.tlog.size")
    assert post(client, asked(0, 9))[0] == 200
    for old in (0, 1, 8):
        assert post(client, asked(old, 9)) == (409, "9\n", "text/x.tlog.size")
    assert post(client, asked(8, 33)) == (409, "9\n", "text/x.tlog.size")
    assert post(client, asked(10, 33)) == (409, "9\n", "text/x.tlog.size")
    assert post(client, asked(9, 33))[0] == 200
    assert post(client, asked(3, 3)) == (409, "33\n", "text/x.tlog.size")


def test_a_fork_and_a_rollback_are_not_signed(client: httpx.Client, memory: Memory) -> None:
    assert post(client, asked(0, 10))[0] == 200
    assert post(client, asked(10, 20, FORK))[0] == 422
    assert post(client, asked(10, 10, note=note(10, FORK), proof=()))[0] == 422
    assert post(client, asked(9, 9))[0] == 409
    assert post(client, asked(10, 9))[0] == 400
    last = memory.last(LOG.name)
    assert last is not None and (last.size, last.root) == (10, grown(LEAVES[:10]).root())
    assert post(client, asked(10, 20))[0] == 200


def test_an_empty_log_may_be_signed_and_grown_from(client: httpx.Client) -> None:
    assert post(client, asked(0, 0, note=note(0, root=EMPTY)))[0] == 200
    assert post(client, asked(0, 0, note=note(0, root=bytes(32))))[0] == 422
    assert post(client, asked(0, 4, proof=[LEAVES[0]]))[0] == 422
    assert post(client, asked(0, 4))[0] == 200


def test_lines_of_others_and_extension_lines_are_passed_over(client: httpx.Client, memory: Memory) -> None:
    text = Checkpoint(LOG.name, 3, grown(LEAVES[:3]).root()).text + "an extension\n"
    strange = signed(text, Signer("other.example", STRANGER.private)).rpartition("\n\n")[2]
    status, line, _ = post(client, asked(0, 3, note=signed(text, LOG) + strange))
    assert status == 200
    kept = memory.note(LOG.name)
    assert kept == signed(text, LOG) + line, "only signatures that were checked are handed on"


def test_the_last_checkpoint_can_be_looked_at(client: httpx.Client, memory: Memory) -> None:
    there = f"/{origin_hash(LOG.name)}/checkpoint"
    assert client.get(there).status_code == 404
    line = post(client, asked(0, 3))[1]
    assert client.get(there).text == note(3) + line
    assert client.get(f"/{origin_hash('other')}/checkpoint").status_code == 404
    assert client.get("/../../witness.key/checkpoint").status_code == 404


GOOD = asked(4, 9).decode()
HASH = base64.b64encode(bytes(32)).decode()
OTHER_KEY = Signer("other.example", STRANGER.private)


def with_line(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


MALFORMED: list[bytes] = [
    *(b"", b"\n", b"\n\n", b"old 4", b"old 4\n", b"old 4\n\n", b"old 4\n\n\n", b"\xff\xfe", b"\x00" * 40),
    *(with_line("old 4", other) for other in ("old 04", "old +4", "old -4", "old  4", "old 4 ", " old 4", "Old 4", "old\t4")),
    *(
        with_line("old 4", other)
        for other in ("old ٤", "old 4.0", "old 0x4", "old 1e1", "old", "size 4", "", "old " + "9" * 19)
    ),
    *(with_line("old 4\n", other) for other in ("old 4\r\n", "old 4\nold 4\n", "old 4\n \n", "old 4\nnonsense\n")),
    *(
        with_line("old 4\n", f"old 4\n{other}\n")
        for other in (HASH[:-1], HASH + "=", HASH[:-4], f" {HASH}", f"{HASH} ", HASH[:-2] + "B=")
    ),
    with_line("old 4\n", "old 4\n" + f"{HASH}\n" * 64),
    *(
        GOOD.replace("\n9\n", f"\n{size}\n", 1).encode()
        for size in ("09", "+9", "9_0", " 9", "9 ", "٩", "-9", "9.0", "", "9" * 19)
    ),
    GOOD.replace("\n— ", "\n- ", 1).encode(),
    GOOD.replace("— ", "—", 1).encode(),
    GOOD[:-1].encode(),
    (GOOD + "\n").encode(),
    (GOOD + "more\n").encode(),
    (GOOD + "— name\n").encode(),
    (GOOD + "— other.example QUE=\n").encode(),
    (GOOD + "— two+parts QUFBQUFBQUFB\n").encode(),
    GOOD.replace("\n", "\r\n").encode(),
    GOOD.encode("utf-16"),
    b"\xef\xbb\xbf" + GOOD.encode(),
    GOOD.encode() + b"\x00",
    (GOOD + GOOD.rpartition("\n\n")[2] * 64).encode(),
    asked(4, 3, note=note(3), proof=()),
    asked(10, 9, proof=()),
]
FORBIDDEN: list[bytes] = [
    asked(0, 9, note=note(9, signer=STRANGER)),
    asked(0, 9, note=signed(Checkpoint(LOG.name, 9, bytes(32)).text, OTHER_KEY)),
    asked(0, 9, note=note(9).replace("\n9\n", "\n8\n", 1)),
    asked(0, 9, note=note(9).replace(base64.b64encode(grown(LEAVES[:9]).root()).decode(), HASH, 1)),
    asked(0, 9, note=note(9) + f"— {LOG.name} {base64.b64encode(LOG.key.id + bytes(64)).decode()}\n"),
    asked(0, 9, note=note(9).replace("\n\n", "\nan extension\n\n", 1)),
]
UNKNOWN: list[bytes] = [
    asked(0, 9, note=note(9, signer=ELSEWHERE)),
    asked(0, 9, note=note(9).replace(LOG.name, LOG.name + "/", 1)),
    asked(0, 9, note=note(9).replace(LOG.name, LOG.name.upper(), 1)),
]


def test_what_is_not_spelled_right_is_400(client: httpx.Client, memory: Memory) -> None:
    assert post(client, asked(0, 4))[0] == 200
    before = memory.note(LOG.name)
    assert [(number, body) for number, body in enumerate(MALFORMED) if post(client, body)[0] != 400] == []
    assert memory.note(LOG.name) == before


@pytest.mark.parametrize(("bodies", "status"), [(FORBIDDEN, 403), (UNKNOWN, 404)])
def test_unknown_keys_are_403_and_unknown_logs_404(
    client: httpx.Client, memory: Memory, bodies: list[bytes], status: int
) -> None:
    for body in bodies:
        assert post(client, body)[0] == status
    assert memory.last(LOG.name) is None


def test_there_are_enough_of_these() -> None:
    assert len(MALFORMED) + len(FORBIDDEN) + len(UNKNOWN) >= 60


def test_every_wrong_proof_is_422(client: httpx.Client) -> None:
    assert post(client, asked(0, 11))[0] == 200
    right = consistency_proof(LEAVES[:33], 11)
    for at in range(len(right)):
        flipped = bytes([right[at][0] ^ 1, *right[at][1:]])
        assert post(client, asked(11, 33, proof=[*right[:at], flipped, *right[at + 1 :]]))[0] == 422
        assert post(client, asked(11, 33, proof=[*right[:at], *right[at + 1 :]]))[0] == 422
        assert post(client, asked(11, 33, proof=[*right[:at], right[at], *right[at:]]))[0] == 422
    for proof in ((), right[::-1], consistency_proof(LEAVES[:33], 12), consistency_proof(LEAVES[:32], 11)):
        assert post(client, asked(11, 33, proof=proof))[0] == 422
    assert post(client, asked(11, 33))[0] == 200


def test_other_methods_paths_and_sizes(client: httpx.Client) -> None:
    assert client.get("/add-checkpoint").status_code == 405
    assert client.put("/add-checkpoint", content=asked(0, 4)).status_code == 405
    assert client.post("/", content=asked(0, 4)).status_code == 404
    assert client.post("/add-checkpoint", content=b"x" * 200_000).status_code == 413

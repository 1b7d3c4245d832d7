"""A proof package: what it shows holds without a database, and nothing near it does."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete
from tests.record.logs import SIGNER, WITNESS, WITNESS_NAME, grown_to, log

from isthmus.model.errors import Refused, Untrusted
from isthmus.record.checkpoints import Signer
from isthmus.record.cosignatures import WitnessKey, cosigned, parts
from isthmus.record.ledger import BODIES
from isthmus.record.package import Package, encoded, package_of, verify
from isthmus.record.packing import About, packed
from isthmus.record.publishing import publish

KEY = WitnessKey(WITNESS_NAME, WITNESS.public_key().public_bytes_raw())
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """Six entries about one subject, one without its body, two more younger than the checkpoint."""
    with log() as connection:
        note = grown_to(connection, 30)
        note += cosigned(parts(note)[0], WITNESS_NAME, WITNESS, 1_700_000_000)
        newest = grown_to(connection, 40, 30)
        done = publish(connection, tmp_path, newest, SIGNER.key)
        connection.execute(delete(BODIES).where(BODIES.c.idx == 12))
        found, younger = packed(connection, done, About("default", "INC-2"), note, SIGNER.key, (KEY,))
        with pytest.raises(Refused):
            packed(connection, done, About("other", "INC-2"), note, SIGNER.key, (KEY,))
    assert younger == 2
    return found


def test_it_holds_for_whoever_has_only_the_keys(package: Package) -> None:
    proved = verify(package_of(encoded(package)), SIGNER.key, [KEY])
    assert [one.index for one in proved.entries] == [2, 7, 12, 17, 22, 27]
    assert [one.body for one in proved.entries] == [
        '{"number":2}',
        '{"number":7}',
        "",
        *(f'{{"number":{n}}}' for n in (17, 22, 27)),
    ]
    assert (proved.told.size, proved.told.origin) == (30, SIGNER.name)
    assert proved.cosigned == ((WITNESS_NAME, 1_700_000_000),)
    assert {(one.leaf.subject, one.leaf.event) for one in proved.entries} == {("INC-2", "case.updated")}


def test_other_keys_are_not_satisfied(package: Package) -> None:
    for log_key in (Signer(SIGNER.name, STRANGER).key, Signer("other.example", SIGNER.private).key):
        with pytest.raises(Untrusted):
            verify(package, log_key, [])
    stranger = WitnessKey(WITNESS_NAME, STRANGER.public_key().public_bytes_raw())
    for witnesses in ([stranger], [KEY, stranger]):
        with pytest.raises(Untrusted, match="not signed by the witness"):
            verify(package, SIGNER.key, witnesses)
    assert verify(package, SIGNER.key, []).cosigned == ()


def test_no_bit_of_what_is_shown_can_be_other(package: Package) -> None:
    """Random characters of the file; keys in it are only a suggestion, so they are left out."""
    plain = encoded(msgspec.structs.replace(package, log="", witnesses=())).decode()
    rng, refused = random.Random(5), 0
    shown = verify(package_of(plain.encode()), SIGNER.key, [KEY])
    for _ in range(1_500):
        at = rng.randrange(len(plain))
        near = plain[:at] + rng.choice('0Aaz=\n" {,') + plain[at + 1 :]
        try:
            assert verify(package_of(near.encode()), SIGNER.key, [KEY]) == shown
        except Untrusted:
            refused += 1
    assert refused > 1_300


def entries_of(package: Package, **change: object) -> Package:
    return msgspec.structs.replace(package, **change)


def test_entries_cannot_be_exchanged_repeated_or_renamed(package: Package) -> None:
    first, second, *rest = package.entries
    crossed = (msgspec.structs.replace(first, leaf=second.leaf), second, *rest)
    bodies = (msgspec.structs.replace(first, body=second.body), second, *rest)
    salted = (msgspec.structs.replace(first, salt="00" * 32), second, *rest)
    longer = (msgspec.structs.replace(first, salt=first.salt + "7b", body=first.body[1:]), second, *rest)
    for entries in (crossed, bodies, salted, longer, (second, first, *rest), (first, first, second), ()):
        with pytest.raises(Untrusted):
            verify(package_of(encoded(entries_of(package, entries=entries))), SIGNER.key, [KEY])
    for change in ({"subject": "INC-3"}, {"tenant": "other"}):
        with pytest.raises(Untrusted, match="about something else"):
            verify(entries_of(package, **change), SIGNER.key, [KEY])
    gone = tuple(msgspec.structs.replace(one, salt="", body="") for one in package.entries)
    assert [one.body for one in verify(entries_of(package, entries=gone), SIGNER.key, [KEY]).entries] == [""] * 6


def test_entries_under_different_checkpoints_are_refused(package: Package) -> None:
    first, *rest = package.entries
    without = first.proof[: first.proof.rindex("— witness")]
    with pytest.raises(Untrusted, match="different checkpoints"):
        verify(entries_of(package, entries=(msgspec.structs.replace(first, proof=without), *rest)), SIGNER.key, [KEY])


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"format":"isthmus/proof/1"}', b"[" * 100_000, b'{"format":1}', b"null"]
)
def test_what_is_no_package_is_refused(data: bytes) -> None:
    with pytest.raises(Untrusted):
        package_of(data)


def test_another_format_and_unknown_parts_are_refused(package: Package) -> None:
    whole = encoded(package)
    for near in (whole.replace(b"isthmus/proof/1", b"isthmus/proof/2"), whole.replace(b'"tenant"', b'"more": 1, "tenant"', 1)):
        with pytest.raises(Untrusted):
            package_of(near)

"""Proof that certain entries are in the record, as one file that is checked with nothing but public keys.

A package is JSON: `format`, `tenant`, `subject`, `log` and `witnesses` (public keys in one line each), and `entries`: the
leaf as it was hashed, salt and body where they are still there, and a C2SP `tlog-proof` with the checkpoint.
It shows that each of these entries was in the log when it was signed, and that the bodies are those that were committed
to. It does not show that there are no others about the subject, and not that what was written down is true.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import rfc8785

from isthmus.model.errors import Untrusted
from isthmus.record import proofs
from isthmus.record.checkpoints import Checkpoint, Key
from isthmus.record.cosignatures import WitnessKey, cosignature_time
from isthmus.record.merkle import leaf_hash
from isthmus.record.proofs import Proof, proof_of

FORMAT = "isthmus/proof/1"
_ENTRY = "isthmus/entry/1"
LARGEST = 256 * 1024 * 1024
_SALT_BYTES = 32


class Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of a package. `salt` is hex; both it and `body` (JSON as text) are empty once they were deleted."""

    leaf: str
    proof: str
    salt: str = ""
    body: str = ""


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as a whole."""

    format: str
    tenant: str
    subject: str
    log: str
    witnesses: tuple[str, ...]
    entries: tuple[Packed, ...]


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry says for ever."""

    actor: str
    at: str
    commitment: str
    event: str
    format: str
    subject: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry that is in the log at `index`; `body` is what was committed to, empty when it was deleted."""

    index: int
    leaf: Leaf
    body: str


@dataclass(frozen=True, slots=True)
class Proved:
    """What a package proves: these entries stood in this log at this checkpoint, which these witnesses signed at these
    times (seconds since 1970).
    """

    told: Checkpoint
    cosigned: tuple[tuple[str, int], ...]
    entries: tuple[Shown, ...]


def package_of(data: bytes) -> Package:
    """The package in a file. Raises `Untrusted` when it is none."""
    if len(data) > LARGEST:
        raise Untrusted(f"more than {LARGEST} bytes", "package")
    try:
        found = msgspec.json.decode(data, type=Package)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Untrusted("is no proof package", "package") from None
    if found.format != FORMAT:
        raise Untrusted(f"is of another format than {FORMAT}", "package")
    if not found.entries:
        raise Untrusted("has no entries; it proves nothing", "package")
    return found


def encoded(package: Package) -> bytes:
    """The file, in lines a person can look at."""
    return msgspec.json.format(msgspec.json.encode(package), indent=1) + b"\n"


def verify(package: Package, key: Key, witnesses: Sequence[WitnessKey]) -> Proved:
    """What the package proves to somebody who trusts this log key and these witnesses.

    Raises `Untrusted` naming the entry when anything in it does not hold, or when one of the witnesses did not sign.
    """
    read = [proof_of(one.proof) for one in package.entries]
    if len({one.note for one in read}) != 1:
        raise Untrusted("its entries are proved against different checkpoints", "package")
    if any(later.index <= one.index for one, later in pairwise(read)):
        raise Untrusted("its entries are not in order", "package")
    pairs = list(zip(package.entries, read, strict=True))
    shown = tuple(_shown(package, one, proof, key) for one, proof in pairs)
    cosigned = tuple((one.name, cosignature_time(read[0].note, one)) for one in witnesses)
    return Proved(proofs.check(read[0], leaf_hash(package.entries[0].leaf.encode()), key), cosigned, shown)


def _shown(package: Package, packed: Packed, proof: Proof, key: Key) -> Shown:
    place = f"entry {proof.index}"
    raw = packed.leaf.encode()
    try:
        proofs.check(proof, leaf_hash(raw), key)
    except Untrusted as error:
        raise Untrusted(str(error), place) from None
    leaf = _leaf(raw, place)
    if (leaf.tenant, leaf.subject) != (package.tenant, package.subject):
        raise Untrusted("is about something else", place)
    if packed.salt or packed.body:
        _fits(packed, leaf, place)
    return Shown(proof.index, leaf, packed.body)


def _leaf(raw: bytes, place: str) -> Leaf:
    try:
        leaf = msgspec.json.decode(raw, type=Leaf)
        spelled = rfc8785.dumps(msgspec.structs.asdict(leaf))
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Untrusted("its leaf is no entry", place) from None
    if spelled != raw or leaf.format != _ENTRY:
        raise Untrusted("its leaf is not spelled as an entry is", place)
    return leaf


def _fits(packed: Packed, leaf: Leaf, place: str) -> None:
    try:
        salt = bytes.fromhex(packed.salt)
    except ValueError:
        salt = b""
    if len(salt) != _SALT_BYTES or hashlib.sha256(salt + packed.body.encode()).hexdigest() != leaf.commitment:
        raise Untrusted("its body is not what was committed to", place)

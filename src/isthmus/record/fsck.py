"""The log checked from its files alone: every entry hashed again, every tile built again, up to the root that was signed.

It needs a key and the folder, and no database. It shows that the files are what the checkpoint speaks of. Whether the
checkpoint is the one others were shown is what a witness's signature below it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isthmus.model.errors import Unreachable, Untrusted
from isthmus.record.checkpoints import Checkpoint, Key, read
from isthmus.record.cosignatures import WitnessKey, cosignature_time
from isthmus.record.merkle import Frontier, grown, leaf_hash
from isthmus.record.tiles import WIDTH, Tiles, path_of

_MOST_PROBLEMS = 1_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. `cosigned` are the witnesses whose signature below the checkpoint holds, with its time in seconds
    since 1970; `problems` is empty when every file is what was signed.
    """

    told: Checkpoint
    cosigned: tuple[tuple[str, int], ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Building:
    frontier: Frontier = field(default_factory=Frontier)
    roots: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def fsck(tiles: Tiles, key: Key, witnesses: Sequence[WitnessKey] = ()) -> Checked:
    """Check a published log. Raises `Unreachable` without a checkpoint, `Untrusted` for one this log did not sign, or a
    witness named here did not.
    """
    note = tiles.checkpoint()
    told = read(note, key)
    cosigned = tuple((one.name, cosignature_time(note, one)) for one in witnesses)
    building = _Building()
    for number in range(-(-told.size // WIDTH)):
        _bundle(tiles, number, min(WIDTH, told.size - number * WIDTH), building)
    _levels(tiles, told.size, building)
    if building.frontier.size != told.size or building.frontier.root() != told.root:
        building.problems.append("the entries do not lead to the root that was signed")
    return Checked(told, cosigned, tuple(building.problems[:_MOST_PROBLEMS]))


def _bundle(tiles: Tiles, number: int, width: int, building: _Building) -> None:
    try:
        entries = tiles.entries(number, width)
    except (Unreachable, Untrusted) as error:
        building.problems.append(str(error))
        entries = []
    hashes = [leaf_hash(one) for one in entries]
    for one in hashes:
        building.frontier = building.frontier.append(one)
    _compare(tiles, 0, number, width, hashes, building)
    if width == WIDTH:
        building.roots.append(grown(hashes).root())


def _levels(tiles: Tiles, size: int, building: _Building) -> None:
    """Every level above the leaves, from the roots of the full tiles below."""
    level, size, hashes = 1, size // WIDTH, building.roots
    while size:
        above = []
        for number in range(-(-size // WIDTH)):
            some = hashes[number * WIDTH : (number + 1) * WIDTH]
            _compare(tiles, level, number, len(some), some, building)
            if len(some) == WIDTH:
                above.append(grown(some).root())
        level, size, hashes = level + 1, size // WIDTH, above


def _compare(tiles: Tiles, level: int, number: int, width: int, hashes: list[bytes], building: _Building) -> None:
    try:
        found = tiles.tile(level, number, width)
    except (Unreachable, Untrusted) as error:
        building.problems.append(str(error))
        return
    if found != hashes:
        building.problems.append(f"{path_of(level, number, width)}: is not what its entries hash to")

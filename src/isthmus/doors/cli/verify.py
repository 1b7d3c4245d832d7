"""`isthmus verify`: check a proof package. It reads the file and the keys given to it, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from isthmus.doors.cli.screen import NO, screen, shown, warn
from isthmus.model.errors import Untrusted
from isthmus.record.checkpoints import key_of
from isthmus.record.cosignatures import witness_key_of
from isthmus.record.package import Package, Proved, package_of
from isthmus.record.package import verify as checked

Logs = Annotated[str, typer.Option("--key", metavar="VKEY", help="The log's public key: `isthmus record key`.")]
Witnesses = Annotated[
    list[str] | None, typer.Option("--witness", metavar="VKEY", help="A witness that must have signed; may be repeated.")
]


def moment(at: int) -> str:
    """Seconds since 1970 as people read them; far beyond all calendars as they are."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {at}"


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A package of `isthmus record prove`.")],
    key: Logs = "",
    witness: Witnesses = None,
) -> None:
    """Check, without any installation, that what a package shows is in the record. Exit code 1 when it is not."""
    package = package_of(file.read_bytes())
    log = key or package.log
    witnesses = witness or list(package.witnesses)
    if not key:
        warn("the log's key was taken from the package; whoever made the package chose it (--key)")
        warn(f"  {shown(log)}")
    if not witness and witnesses:
        warn("the witnesses' keys were taken from the package (--witness)")
        for one in witnesses:
            warn(f"  {shown(one)}")
    keys = key_of(log), [witness_key_of(one) for one in witnesses]
    try:
        proved = checked(package, *keys)
    except Untrusted as error:
        screen().print(f"It does not hold: {shown(error)}", soft_wrap=True)
        raise typer.Exit(NO) from None
    _tell(package, proved)


def _tell(package: Package, proved: Proved) -> None:
    console = screen()
    for one in proved.entries:
        gone = "" if one.body else "  (its body was deleted)"
        console.print(
            f"{one.index:>8}  {one.leaf.at}  {shown(one.leaf.event)}  by {shown(one.leaf.actor)}{gone}", soft_wrap=True
        )
    console.print(
        f"It holds. These {len(proved.entries)} entries about {shown(package.subject, 80)} stand in the log "
        f"{proved.told.origin}, as it was signed at {proved.told.size} entries; their bodies are those committed to.",
        soft_wrap=True,
    )
    for name, at in proved.cosigned:
        console.print(f"The witness {name} saw that the log only grew, up to {moment(at)}.", soft_wrap=True)
    if not proved.cosigned:
        console.print("No witness signed it: the log's owner could have shown others another log.", soft_wrap=True)
    console.print("Not shown: that there are no other entries about it, and that what they say is true.", soft_wrap=True)

"""`isthmus record`: check the whole record, sign it as it stands, and the key others check it with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from isthmus import assembly
from isthmus.doors.cli import given
from isthmus.doors.cli.given import Config
from isthmus.doors.cli.screen import NO, CodedGroup, screen
from isthmus.model.errors import Untrusted
from isthmus.record import audit, ledger
from isthmus.record.audit import Verified
from isthmus.record.checkpoints import Signer
from isthmus.record.store import Store

app = typer.Typer(cls=CodedGroup, help="What was done, by whom, in an order nobody can change unseen.", no_args_is_help=True)
_SHOWN = 50


@app.command("verify")
def verify(
    checkpoint: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A checkpoint kept elsewhere; it says more than our own.")
    ] = None,
    config: Config = None,
) -> None:
    """Check every entry from the first one on. Exit code 1, and what is wrong, when the record does not hold."""
    held = [_note(path) for path in checkpoint or ()]
    with given.store(given.settings(config)) as store, store.reading() as connection:
        found = audit.verify(connection, _signer(store).key, held)
    _tell(found, len(held))
    if found.problems:
        raise typer.Exit(NO)


def _tell(found: Verified, held: int) -> None:
    console = screen()
    if found.problems:
        console.print(f"The record does not hold: {len(found.problems)} of its {found.size} entries or signatures do not fit.")
        for problem in found.problems[:_SHOWN]:
            console.print(f"  {problem}", soft_wrap=True)
        if len(found.problems) > _SHOWN:
            console.print(f"  and {len(found.problems) - _SHOWN} more")
    else:
        console.print(f"The record holds: {found.size} entries, every one checked.")
    console.print(f"root {found.root.hex()}", soft_wrap=True)
    elsewhere = f"{held} of those were held elsewhere" if held else "one held elsewhere (--checkpoint) would say more"
    console.print(f"{found.covered} of {found.size} entries stand below signed checkpoints; {elsewhere}.", soft_wrap=True)
    if found.forgotten:
        console.print(f"{found.forgotten} bodies were deleted; their entries stand.")


def _note(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Untrusted("not UTF-8", str(path)) from None


def _signer(store: Store) -> Signer:
    return Signer(assembly.LOG_NAME, store.keys.private)


@app.command("checkpoint")
def checkpoint(config: Config = None) -> None:
    """Sign the record as it stands and print the note, to be kept where nobody of ours can change it."""
    with given.store(given.settings(config)) as store, store.writing() as connection:
        made = ledger.checkpoint(connection, _signer(store))
    sys.stdout.write(made)


@app.command("key")
def key(config: Config = None) -> None:
    """The public key checkpoints are signed with, in one line as verifiers of notes take it."""
    with given.store(given.settings(config)) as store:
        sys.stdout.write(f"{_signer(store).key}\n")

"""`isthmus record`: check the whole record, sign it as it stands, prove what is in it, and hand it on."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from isthmus import assembly
from isthmus.desk.recording import FOLDER
from isthmus.doors.cli import clock, given
from isthmus.doors.cli.given import Config, Tenant
from isthmus.doors.cli.screen import NO, CodedGroup, note, screen, shown, warn
from isthmus.doors.cli.verify import Logs, Witnesses, moment
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.people import Right
from isthmus.record import audit, ledger, people, witnessed
from isthmus.record.audit import Verified
from isthmus.record.checkpoints import Signer, key_of
from isthmus.record.cosignatures import WitnessKey, witness_key_of
from isthmus.record.export import Form, batches
from isthmus.record.files import write_whole
from isthmus.record.fsck import Checked, fsck
from isthmus.record.package import encoded
from isthmus.record.packing import About, packed
from isthmus.record.publishing import publish
from isthmus.record.store import Store
from isthmus.record.tiles import Tiles
from isthmus.settings import Loaded

app = typer.Typer(cls=CodedGroup, help="What was done, by whom, in an order nobody can change unseen.", no_args_is_help=True)
_SHOWN = 50
_FOLLOWED_EVERY = 1.0


@app.command("verify")
def verify(
    checkpoint: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A checkpoint kept elsewhere; it says more than our own.")
    ] = None,
    config: Config = None,
) -> None:
    """Check every entry from the first one on. Exit code 1, and what is wrong, when the record does not hold."""
    held, loaded = [_note(path) for path in checkpoint or ()], given.settings(config)
    with given.store(loaded) as store, store.reading() as connection:
        found = audit.verify(connection, _signer(loaded, store).key, held)
    _tell(found, len(held))
    if found.problems:
        raise typer.Exit(NO)


def _tell(found: Verified, held: int) -> None:
    console = screen()
    if found.problems:
        console.print(f"The record does not hold: {len(found.problems)} of its {found.size} entries or signatures do not fit.")
        _listed(found.problems)
    else:
        console.print(f"The record holds: {found.size} entries, every one checked.")
    console.print(f"root {found.root.hex()}", soft_wrap=True)
    elsewhere = f"{held} of those were held elsewhere" if held else "one held elsewhere (--checkpoint) would say more"
    console.print(f"{found.covered} of {found.size} entries stand below signed checkpoints; {elsewhere}.", soft_wrap=True)
    if found.forgotten:
        console.print(f"{found.forgotten} bodies were deleted; their entries stand.")


def _listed(problems: list[str]) -> None:
    console = screen()
    for problem in problems[:_SHOWN]:
        console.print(f"  {shown(problem)}", soft_wrap=True)
    if len(problems) > _SHOWN:
        console.print(f"  and {len(problems) - _SHOWN} more")


def _note(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Untrusted("not UTF-8", str(path)) from None


def _signer(loaded: Loaded, store: Store) -> Signer:
    return assembly.log_signer(loaded, store)


def _witness(loaded: Loaded) -> WitnessKey | None:
    told = loaded.settings.record.witness
    return None if told is None else witness_key_of(told.key)


@app.command("fsck")
def check_files(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="The log's files; else those of this machine.")] = None,
    key: Logs = "",
    witness: Witnesses = None,
    config: Config = None,
) -> None:
    """Check the log from its files alone: every entry hashed again up to the root that was signed. Needs no database.

    With DIR and --key nothing of this installation is read. Exit code 1 when a file is not what was signed.
    """
    witnesses = [witness_key_of(one) for one in witness or ()]
    if key:
        log = key_of(key)
        place = folder or assembly.data_folder(given.settings(config)) / FOLDER
    else:
        loaded = given.settings(config)
        place = folder or assembly.data_folder(loaded) / FOLDER
        with given.store(loaded) as store:
            log = _signer(loaded, store).key
        warn("the key is this installation's own; --key would say which log it must be")
    _tell_files(fsck(Tiles(place), log, witnesses), place)


def _tell_files(found: Checked, place: Path) -> None:
    console = screen()
    if found.problems:
        console.print(f"The log does not hold: {len(found.problems)} things do not fit.")
        _listed(list(found.problems))
    else:
        console.print(f"The log in {place} holds: {found.told.size} entries of {found.told.origin}.", soft_wrap=True)
    console.print(f"root {found.told.root.hex()}", soft_wrap=True)
    for name, at in found.cosigned:
        console.print(f"cosigned by {name} on {moment(at)}", soft_wrap=True)
    if found.problems:
        raise typer.Exit(NO)


@app.command("prove")
def prove(
    incident: Annotated[str, typer.Argument(help="What about: the id of an incident, or another subject of entries.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Where the package goes.")],
    tenant: Tenant = "default",
    config: Config = None,
) -> None:
    """Write everything the record says about an incident into a file that `isthmus verify` checks anywhere."""
    loaded = given.settings(config)
    about, witness = About(given.tenant_of(tenant), incident), _witness(loaded)
    with given.store(loaded) as store:
        signer = _signer(loaded, store)
        with store.writing() as connection:
            newest = ledger.checkpoint(connection, signer)
        with store.reading() as connection:
            done = publish(connection, assembly.data_folder(loaded) / FOLDER, newest, signer.key)
            cosigned = None if witness is None else witnessed.signed(connection, signer.key, witness)
            names = (witness,) if witness is not None and cosigned is not None else ()
            package, younger = packed(connection, done, about, cosigned[1] if cosigned else newest, signer.key, names)
    write_whole(out, encoded(package))
    screen().print(f"{out}: {len(package.entries)} entries about {shown(incident, 80)}, with proofs.", soft_wrap=True)
    if younger:
        note(f"{younger} more are younger than the newest checkpoint the witness signed; they are not in it yet.")
    if not names:
        note("No witness signed it: it proves what this installation's key says, and no more.")


@app.command("export")
def export(
    form: Annotated[Form, typer.Option("--format", help="ocsf (OCSF 1.6) or jsonl.")] = Form.JSONL,
    since: Annotated[int, typer.Option(min=0, help="From this entry on.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is signed later.")] = False,
    config: Config = None,
) -> None:
    """Print every entry below a checkpoint, and every checkpoint, as JSON lines; each names its index and leaf hash."""
    loaded = given.settings(config)
    with given.store(loaded) as store:
        key = _signer(loaded, store).key
        while True:
            with store.reading() as connection:
                for batch in batches(connection, key, since, form):
                    sys.stdout.write(batch.lines.decode())
                    since = batch.next
            sys.stdout.flush()
            if not follow:
                return
            time.sleep(_FOLLOWED_EVERY)


@app.command("accept-loss")
def accept_loss(
    by: Annotated[str, typer.Option(metavar="PERSON", help="Who says so: an admin.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    config: Config = None,
) -> None:
    """Let effects go on though the witness has seen more of this record than there is, as after a restored backup.

    Look first at what was done since that backup. The witness signs again only once its own admin says `isthmus witness
    forget`; until then containment waits where `record.witness.required` is on.
    """
    loaded = given.settings(config)
    witness = _witness(loaded)
    if witness is None:
        raise Refused("the settings name no witness; nothing is held against the record")
    with given.store(loaded) as store, store.writing() as connection:
        person = people.register(connection, store.keys, witnessed.OF_RECORD).get(by)
        if person is None or not person.may(Right.RUN):
            raise Refused(f"{shown(by, 64)} is no admin of the tenant {witnessed.OF_RECORD}")
        told = witnessed.accept_loss(connection, store.keys, witness, person.id, shown(reason, 500), clock.now())
        left = ledger.size(connection)
    screen().print(f"Accepted: the witness has seen {told.lost} entries, {left - 1} were here. It stands in the record.")


@app.command("checkpoint")
def checkpoint(config: Config = None) -> None:
    """Sign the record as it stands and print the note, to be kept where nobody of ours can change it."""
    loaded = given.settings(config)
    with given.store(loaded) as store, store.writing() as connection:
        made = ledger.checkpoint(connection, _signer(loaded, store))
    sys.stdout.write(made)


@app.command("key")
def key(config: Config = None) -> None:
    """The public key checkpoints are signed with, in one line as verifiers of notes take it."""
    loaded = given.settings(config)
    with given.store(loaded) as store:
        sys.stdout.write(f"{_signer(loaded, store).key}\n")

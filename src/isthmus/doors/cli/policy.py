"""`isthmus policy`: which policies the settings name, and putting them into force by a person's word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Connection

from isthmus import assembly
from isthmus.decide import bundle as bundles
from isthmus.decide.bundle import Bundle
from isthmus.doors.cli import clock, given
from isthmus.doors.cli.given import Config, Tenant
from isthmus.doors.cli.screen import CodedGroup, columns, note, screen, shown
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.people import Person
from isthmus.record import grants, people
from isthmus.record.grants import Grant
from isthmus.record.store import Store
from isthmus.settings import Loaded

app = typer.Typer(cls=CodedGroup, help="What may be done, and who put that into force.", no_args_is_help=True)

_By = Annotated[str, typer.Option("--by", metavar="PERSON", help="The admin, a person, who says so.")]


@dataclass(frozen=True, slots=True)
class Standing:
    """A bundle and where it stands. `named` is false for the read-only pack, which needs nobody's word."""

    bundle: Bundle
    named: bool
    grant: Grant | None

    @property
    def told(self) -> str:
        """Whether it is in force, and why, in one line."""
        name, digest = self.bundle.name, self.bundle.digest[:16]
        if not self.named:
            return "read-only: the settings name no policy, so nothing is written anywhere"
        if self.grant is None:
            return f"read-only: nobody has put pack {name} (sha256 {digest}…) into force yet; nothing is written anywhere"
        by, at = self.grant.person, self.grant.at[:19]
        return f"pack {name} (sha256 {digest}…), put into force by {by} at {at}Z: {self.grant.reason}"


def standing(loaded: Loaded, bundle: Bundle) -> Standing:
    """Where a bundle stands in this installation, which is not begun by asking."""
    named = loaded.settings.policy is not None
    if not named or not assembly.begun(loaded):
        return Standing(bundle, named, None)
    with given.store(loaded) as store, store.reading() as connection:
        return Standing(bundle, True, grants.of(connection, store.keys, bundle.digest))


def _bundle(loaded: Loaded) -> Bundle:
    return bundles.load(loaded.at(loaded.settings.policy) or bundles.READ_ONLY)


@app.command("show")
def show(config: Config = None) -> None:
    """The policies the settings name, whole, and whether they are in force."""
    loaded = given.settings(config)
    bundle = _bundle(loaded)
    console = screen()
    console.print(standing(loaded, bundle).told, style="bold")
    console.print(f"sha256 {bundle.digest}", soft_wrap=True)
    for rule in bundle.rules:
        console.print(f"\n{rule.id}  ({rule.place})", style="bold")
        console.print(rule.text.strip())


@app.command("grant")
def grant(
    by: _By,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    tenant: Tenant = "default",
    config: Config = None,
) -> None:
    """Put the policies the settings name into force: exactly these, to the byte; a changed one needs another word."""
    loaded = given.settings(config)
    bundle = _named(loaded)
    with given.store(loaded) as store, store.writing() as connection:
        admin = _admin(connection, store, given.tenant_of(tenant), by)
        grants.give(connection, store.keys, bundle.digest, admin, reason, clock.now())
    console = screen()
    console.print(
        f"{by} has put policy pack {bundle.name} into force, from the next start of `isthmus serve` on.", soft_wrap=True
    )
    rules(bundle, console)


def rules(bundle: Bundle, console: Console) -> None:
    """The bundle in short: its digest, and what each policy is for."""
    console.print(f"sha256 {bundle.digest}, {len(bundle.rules)} policies:", soft_wrap=True)
    table = columns("Policy", "What it is for")
    for rule in bundle.rules:
        said = " ".join(line.strip("/ ") for line in rule.text.splitlines() if line.lstrip().startswith("//"))
        table.add_row(rule.id, said or rule.place)
    console.print(table)


@app.command("revoke")
def revoke(
    by: _By,
    digest: Annotated[str, typer.Option(metavar="SHA256", help="Which; else the one the settings name.")] = "",
    tenant: Tenant = "default",
    config: Config = None,
) -> None:
    """Take the policies out of force, from the next start on; `isthmus kill-switch on effects` stops it now."""
    loaded = given.settings(config)
    chosen = digest or _named(loaded).digest
    with given.store(loaded) as store, store.writing() as connection:
        if grants.of(connection, store.keys, chosen) is None:
            raise Refused(f"policy {shown(chosen, 64)} is not in force")
        grants.revoke(connection, store.keys, chosen, _admin(connection, store, given.tenant_of(tenant), by), clock.now())
    screen().print(f"Policy {chosen[:16]}… is out of force from the next start of `isthmus serve` on.")
    note("One that runs keeps it until then: restart it, or `isthmus kill-switch on effects --reason …`.")


def _named(loaded: Loaded) -> Bundle:
    if loaded.settings.policy is None:
        raise Untrusted("the settings name no policy; read-only is in force by itself", "policy")
    return _bundle(loaded)


def _admin(connection: Connection, store: Store, tenant: str, by: str) -> Person:
    found = people.register(connection, store.keys, tenant).get(by)
    if found is None:
        raise Refused(f"nobody called {shown(by, 64)} is registered in the tenant {tenant}; see `isthmus people add`")
    return found

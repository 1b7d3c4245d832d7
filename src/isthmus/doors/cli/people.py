"""`isthmus people` and `isthmus keys`: the register, worked on directly by whoever can read the installation's own keys."""

from __future__ import annotations

import sys
from dataclasses import replace as changed
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import Connection

from isthmus.doors.cli import clock, given
from isthmus.doors.cli.given import Config, Tenant
from isthmus.doors.cli.screen import CodedGroup, columns, note, screen, shown, warn
from isthmus.model.errors import Refused, Untrusted
from isthmus.model.people import Person, Right, Role
from isthmus.record import people
from isthmus.record.store import Store

OPERATOR = "operator"
_LONGEST_NAME = 200

app = typer.Typer(cls=CodedGroup, help="Who may do what.", no_args_is_help=True)
keys = typer.Typer(cls=CodedGroup, help="API keys of people and programs.", no_args_is_help=True)

_Id = Annotated[str, typer.Argument(metavar="ID", help="Opaque and for ever: it stays in the record. No e-mail address.")]


@app.command("add")
def add(
    person: _Id,
    name: Annotated[str, typer.Option(help="How people call them; can be deleted with `people forget`.")],
    role: Annotated[Role, typer.Option(help="viewer reads, analyst also speaks, approver also approves, admin runs.")],
    program: Annotated[bool, typer.Option("--program", help="A program: its word never counts as an approval.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change somebody who is registered already.")] = False,
    tenant: Tenant = "default",
    config: Config = None,
) -> None:
    """Register somebody, or with --replace change their name or role."""
    one = Person(person, given.tenant_of(tenant), _named(name), role, not program)
    with given.store(given.settings(config), make=True) as store, store.writing() as connection:
        known = people.register(connection, store.keys, one.tenant).get(person)
        if known is not None and not replace:
            raise Refused(f"{person} is registered already ({_told(known)}); --replace changes them")
        people.put(connection, store.keys, one, clock.now(), OPERATOR)
    screen().print(f"{person} is registered: {_told(one)}.", soft_wrap=True)
    if program and role is Role.APPROVER:
        warn("A program is never counted as an approver; analyst is all this one can be.")


def _named(name: str) -> str:
    given_name = shown(name, _LONGEST_NAME).strip()
    if not given_name:
        raise Untrusted("is needed", "--name")
    return given_name


def _told(one: Person) -> str:
    return ", ".join([one.role.value, "person" if one.human else "program", *([] if one.active else ["inactive"])])


@app.command("list")
def list_all(tenant: Tenant = "default", config: Config = None) -> None:
    """Everybody of a tenant."""
    with given.store(given.settings(config)) as store, store.reading() as connection:
        found = people.register(connection, store.keys, given.tenant_of(tenant))
    table = columns("Id", "Name", "Role", "Kind", "Active", fixed=("Role", "Kind"))
    for one in sorted(found.values(), key=lambda person: person.id):
        kind, active = "person" if one.human else "program", "yes" if one.active else "no"
        table.add_row(one.id, one.name or "(forgotten)", one.role.value, kind, active)
    screen().print(table if found else f"Nobody is registered in the tenant {tenant}.")


@app.command("remove")
def remove(person: _Id, tenant: Tenant = "default", config: Config = None) -> None:
    """Make somebody inactive: they can do nothing any more, their approvals no longer count, their keys are revoked."""
    with given.store(given.settings(config)) as store, store.writing() as connection:
        known = _known(connection, store, given.tenant_of(tenant), person)
        people.put(connection, store.keys, changed(known, active=False), clock.now(), OPERATOR)
        revoked = _revoked(connection, store, known)
    screen().print(f"{person} is inactive; {revoked} of their keys were revoked.")


@app.command("forget")
def forget(person: _Id, tenant: Tenant = "default", config: Config = None) -> None:
    """Delete what is personal of somebody, their name, and make them inactive; their id stays in the record."""
    with given.store(given.settings(config)) as store, store.writing() as connection:
        known = _known(connection, store, given.tenant_of(tenant), person)
        people.forget_name(connection, store.keys, known.tenant, person, clock.now(), OPERATOR)
        revoked = _revoked(connection, store, known)
    screen().print(f"The name of {person} is deleted; they are inactive; {revoked} of their keys were revoked.")


def _known(connection: Connection, store: Store, tenant: str, person: str) -> Person:
    found = people.register(connection, store.keys, tenant).get(person)
    if found is None:
        raise Refused(f"nobody called {shown(person, 64)} is registered in the tenant {tenant}")
    return found


def _revoked(connection: Connection, store: Store, person: Person) -> int:
    """Otherwise they would open doors again should somebody of that id be registered anew."""
    own = [one for one in people.keys_of(connection, person.tenant) if one.person == person.id and not one.revoked]
    for one in own:
        people.revoke(connection, store.keys, person.tenant, one.id, clock.now(), OPERATOR)
    return len(own)


@keys.command("new")
def new_key(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Whose key: an id of `isthmus people list`.")],
    days: Annotated[int | None, typer.Option(min=1, max=3_650, help="How long it opens; for ever when not said.")] = None,
    tenant: Tenant = "default",
    config: Config = None,
) -> None:
    """A new API key, printed this once on standard output; only its hash is kept."""
    now = clock.now()
    until = None if days is None else now + timedelta(days=days)
    with given.store(given.settings(config)) as store, store.writing() as connection:
        known = _known(connection, store, given.tenant_of(tenant), person)
        if not known.may(Right.READ):
            raise Refused(f"{person} is inactive: a key of theirs would open nothing")
        made = people.new_key(connection, store.keys, known, until, now, OPERATOR)
    lasts = "does not expire" if until is None else f"expires {until:%Y-%m-%d %H:%M} UTC"
    note(f"A key of {person} ({_told(known)}), which {lasts}. It is shown this once:")
    sys.stdout.write(f"{made}\n")


@keys.command("list")
def list_keys(tenant: Tenant = "default", config: Config = None) -> None:
    """Every key of a tenant: whose it is and until when it opens. The keys themselves are not kept."""
    with given.store(given.settings(config)) as store, store.reading() as connection:
        found = people.keys_of(connection, given.tenant_of(tenant))
    table, now = columns("Id", "Person", "Expires", "State", fixed=("Id", "Expires", "State")), clock.now()
    for one in found:
        ended = one.expires_at is not None and now >= one.expires_at
        state = "revoked" if one.revoked else "expired" if ended else "open"
        table.add_row(one.id, one.person, f"{one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else "never", state)
    screen().print(table if found else f"There are no keys in the tenant {tenant}.")


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="An id of `isthmus keys list`, not the key.")],
    tenant: Tenant = "default",
    config: Config = None,
) -> None:
    """From now on this key opens nothing."""
    if key.startswith("isk_"):
        raise Untrusted("give the key's id (its middle part, see `isthmus keys list`), not the key itself")
    with given.store(given.settings(config)) as store, store.writing() as connection:
        people.revoke(connection, store.keys, given.tenant_of(tenant), key, clock.now(), OPERATOR)
    screen().print(f"The key {key} opens nothing any more.")

"""`isthmus certificates`: what the record certifies of what came in."""

from __future__ import annotations

import typer

from isthmus.desk import certificate
from isthmus.doors.cli import given
from isthmus.doors.cli.given import Config, Tenant
from isthmus.doors.cli.screen import NO, screen


def certificates(tenant: Tenant = "default", config: Config = None) -> None:
    """The newest daily certificate of each instance: what came in and what became of it. Exit code 1 when one does not hold."""
    with given.store(given.settings(config)) as store, store.reading() as connection:
        found = certificate.newest(connection, given.tenant_of(tenant))
    for one in found:
        told = "{day}: {deliveries} deliveries, {repeated} of them repeated".format_map(one.body)
        sums = "{seen} claims seen, {stored} stored + {duplicate} duplicate + {rejected} rejected".format_map(one.body)
        screen().print(f"{one.instance} {told}")
        screen().print(f"  {sums}: {'holds' if one.holds else 'does not hold'}")
    if not found:
        screen().print(f"Nothing has been certified yet for the tenant {tenant}.")
    if not all(one.holds for one in found):
        raise typer.Exit(NO)

"""`isthmus witness`: a small process of its own that signs what logs it has seen only grow."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from isthmus.doors.cli import clock
from isthmus.doors.cli.screen import CodedGroup, screen, shown
from isthmus.doors.serving import quiet_logs, safe
from isthmus.model.errors import Refused, Untrusted
from isthmus.record.checkpoints import key_of
from isthmus.settings import ServerSettings
from isthmus.witness.application import create
from isthmus.witness.memory import opened, read_key
from isthmus.witness.witnessing import Witness

app = typer.Typer(
    cls=CodedGroup, help="Sign what a log was, for others; best run where its owners have no say.", no_args_is_help=True
)
_Folder = Annotated[Path, typer.Option(metavar="DIR", help="Where its key and what it signed lie.")]
_Name = Annotated[str, typer.Option(help="How it is called, such as witness.example.com; said once, it stays.")]
_LISTEN = re.compile(r"(?:\[([0-9a-f:]+)\]|([0-9.]+)):([0-9]{1,5})", re.ASCII)


@app.command("serve")
def serve(
    folder: _Folder,
    log: Annotated[list[str], typer.Option(metavar="VKEY", help="A log to sign for: `isthmus record key`. May be repeated.")],
    listen: Annotated[str, typer.Option(metavar="ADDRESS:PORT", help="Where to answer.")] = "127.0.0.1:8444",
    name: _Name = "",
    certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="TLS certificate chain (PEM).")] = None,
    private_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")] = None,
    behind_proxy: Annotated[bool, typer.Option("--behind-proxy", help="TLS ends at a proxy in front.")] = False,
) -> None:
    """Answer add-checkpoint (C2SP tlog-witness) until SIGINT or SIGTERM. It needs no database and no settings."""
    quiet_logs()
    host, port = _place(listen)
    server = ServerSettings(host=host, port=port, certificate=certificate, private_key=private_key, behind_proxy=behind_proxy)
    safe(server)
    with opened(folder, name) as memory:
        witness = Witness(memory, [key_of(one) for one in log])
        console = screen()
        console.print(f"witness {memory.key}", soft_wrap=True)
        for one in witness.logs:
            last = memory.last(one)
            console.print(f"signs for {one}, {last.size if last else 0} entries so far", soft_wrap=True)
        config = uvicorn.Config(
            create(witness, clock.now),
            ssl_certfile=None if certificate is None else str(certificate),
            ssl_keyfile=None if private_key is None else str(private_key),
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=60,
        )
        with _listening(host, port) as listening:
            scheme = "http" if certificate is None else "https"
            console.print(f"answers at {scheme}://{host}:{listening.getsockname()[1]}", soft_wrap=True)
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise Refused(f"cannot listen on {host} port {port}: {error.strerror}") from None
        yield listening


def _place(listen: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(listen)
    try:
        host = str(ip_address((found[1] or found[2]) if found else ""))
    except ValueError:
        raise Untrusted("must be an address and a port, such as 127.0.0.1:8444", "--listen") from None
    port = int(found[3]) if found else 0
    if port > 65_535:
        raise Untrusted("must be an address and a port, such as 127.0.0.1:8444", "--listen")
    return host, port


@app.command("key")
def key(folder: _Folder, name: _Name = "") -> None:
    """Its public key in one line, as settings and verifiers take it; with --name it is made if there is none yet."""
    if name and not (folder / "name").exists():
        with opened(folder, name) as memory:
            sys.stdout.write(f"{memory.key}\n")
    else:
        sys.stdout.write(f"{read_key(folder)}\n")


@app.command("forget")
def forget(origin: Annotated[str, typer.Argument(help="The log's name.")], folder: _Folder) -> None:
    """Begin anew with a log whose owners lost a part of it. What was signed before is set aside, not deleted.

    Whoever holds one of the older signatures can still show that there was more.
    """
    with opened(folder) as memory:
        aside = memory.forget(origin, clock.now().strftime("%Y%m%dT%H%M%SZ"))
    screen().print(f"The next checkpoint of {shown(origin, 200)} is taken as its first. Before: {aside}", soft_wrap=True)

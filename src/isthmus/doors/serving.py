"""`isthmus serve`: one process with the doors in front and the worker behind them."""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from isthmus import assembly
from isthmus.assembly import House
from isthmus.doors import app, logs, tracing
from isthmus.doors.connections import bounded
from isthmus.doors.limits import Limits
from isthmus.doors.watching import Watching
from isthmus.doors.worker import Worker
from isthmus.model.errors import Refused, Untrusted
from isthmus.settings import Loaded, ServerSettings

_BACKLOG, _KEEP_ALIVE = 2_048, 5
_STARTED_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers: where, what it is made of, and how to wake its worker."""

    url: str
    house: House
    worker: Worker


@contextmanager
def running(loaded: Loaded, clock: Callable[[], datetime]) -> Iterator[Running]:
    """The service in threads of this process, answering when the block begins and ended with it.

    Raises `Untrusted` or `Refused` before anything is opened when the settings are not what they must be.
    """
    server = loaded.settings.server
    safe(server)
    with ExitStack() as closing:
        checked = assembly.check(loaded, clock)
        closing.enter_context(tracing.exported(loaded.settings.telemetry.otlp))
        if loaded.settings.database is None:
            closing.enter_context(_alone(assembly.data_folder(loaded)))
        house = assembly.house(checked)
        worker = Worker(house, clock)
        listening = closing.enter_context(_listening(server))
        config = uvicorn.Config(
            app.create(house.desk, clock, worker.wake, watch=house.watch, loopback=not server.behind_proxy),
            http=bounded(Limits(), by_address=not server.behind_proxy),
            ws="none",
            ssl_certfile=_named(loaded.at(server.certificate)),
            ssl_keyfile=_named(loaded.at(server.private_key)),
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=5,
        )
        # What was made at the start stays: looking through it for rubbish stops everybody for a tenth of a second.
        gc.collect()
        gc.freeze()
        worker.start()
        closing.callback(worker.stop)
        watching = Watching(house.watch, clock, house.calling.close)
        watching.start()
        closing.callback(watching.stop)
        closing.enter_context(_answering(uvicorn.Server(config), listening))
        scheme = "http" if server.certificate is None else "https"
        host, port = listening.getsockname()[:2]
        yield Running(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}", house, worker)


def safe(server: ServerSettings) -> None:
    """Keys and approvals do not travel in the clear."""
    try:
        loopback = ip_address(server.host).is_loopback
    except ValueError:
        raise Untrusted("must be an IP address", "server.host") from None
    if (server.certificate is None) != (server.private_key is None):
        raise Untrusted("certificate and private_key go together", "server")
    if not loopback and server.certificate is None and not server.behind_proxy:
        raise Refused(
            "server: beyond loopback it needs certificate and private_key, or behind_proxy: true where TLS ends before us"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process works on one folder; a second is told so."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Refused(f"another isthmus is already running on {folder}") from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _listening(server: ServerSettings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((server.host, server.port))
        except OSError as error:
            raise Refused(f"server: cannot listen on {server.host} port {server.port}: {error.strerror}") from None
        yield listening


@contextmanager
def _answering(server: uvicorn.Server, listening: socket.socket) -> Iterator[None]:
    failed: list[BaseException] = []
    started = threading.Event()

    def run() -> None:
        try:
            server.run(sockets=[listening])
        except SystemExit as error:
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="isthmus doors", daemon=True)
    thread.start()
    waited = 0.0
    while not server.started and not started.wait(0.02):
        waited += 0.02
        if waited > _STARTED_WITHIN:
            break
    if failed or not server.started:
        raise Refused("server: did not start; is the certificate readable?")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _named(path: Path | None) -> str | None:
    return None if path is None else str(path)


def quiet_logs(level: int = logging.WARNING) -> None:
    """One line a record on standard error; libraries speak only when something is wrong."""
    logs.set_up(level)

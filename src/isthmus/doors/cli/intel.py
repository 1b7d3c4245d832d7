"""`isthmus intel`: tables of what is exploited, their age, and bringing today's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from isthmus.answer.report import intel_rows
from isthmus.doors.cli import clock
from isthmus.doors.cli.triage import intel_folder
from isthmus.model.errors import IsthmusError, Refused, Unreachable
from isthmus.record import intel
from isthmus.settings import Settings
from isthmus.settings import load as load_settings

app = typer.Typer(help="Tables of exploited vulnerabilities.", no_args_is_help=True)

_LARGEST = 200 << 20
_TIMEOUT = 60.0
_Config = Annotated[Path | None, typer.Option(help="Settings file; its `intel` block names the feeds.")]


@app.command("show")
def show() -> None:
    """Which tables are used, of which day, and how old they are."""
    console = Console(highlight=False)
    for one in intel_rows(intel.load(intel_folder()).tables, clock.now()):
        age = f"{one.age_days} days old" + (", stale: run `isthmus intel refresh`" if one.stale else "")
        console.print(f"{one.name}: {one.rows} rows of {one.of}, {age}", markup=False)
    console.print(f"Refreshed tables lie in {intel_folder()}", markup=False)


@app.command("refresh")
def refresh(config: _Config = None) -> None:
    """Take KEV and EPSS from their public feeds. A feed that fails leaves its old table in place."""
    feeds = (load_settings(config) if config else Settings()).intel
    console, failed, tables = Console(highlight=False), [], dict[str, str | None]()
    for name, url, read in (("KEV", feeds.kev, intel.kev_table), ("EPSS", feeds.epss, intel.epss_table)):
        tables[name] = None
        try:
            tables[name] = _table(url, read)
            console.print(f"{name}: taken from {url}", markup=False)
        except IsthmusError as error:
            failed.append(f"{name} kept as it was: {error}")
    intel.save(intel_folder(), tables["KEV"], tables["EPSS"])
    if failed:
        raise Unreachable("\n".join(failed))


def _table(url: str, read: Callable[[bytes, str], str]) -> str:
    return read(_fetched(url), url)


def _fetched(url: str) -> bytes:
    """The body of a feed, bounded in size and time."""
    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT, follow_redirects=True) as answer:
            if answer.is_client_error:
                raise Refused(f"{url} answered {answer.status_code}")
            if not answer.is_success:
                raise Unreachable(f"{url} answered {answer.status_code}")
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > _LARGEST:
                    raise Refused(f"{url} sends more than {_LARGEST >> 20} MiB")
    except httpx.HTTPError as error:
        raise Unreachable(f"{url}: {type(error).__name__}: {error}") from None
    return bytes(body)

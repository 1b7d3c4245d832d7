"""Tables of intelligence: the KEV facts shipped with the package, and newer ones a refresh brought.

A refreshed table is used when it is newer than the shipped one. A table that cannot be read is an error, never an
empty table: without it, exploited CVEs would silently look harmless.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path

from isthmus.model.errors import Untrusted
from isthmus.model.intel import Exploited, Intel, Table

KEV_FRESH_DAYS = 14
EPSS_FRESH_DAYS = 7
_KEV_FILE, _EPSS_FILE = "kev.tsv", "epss.csv"
_LEAST_KEV_ROWS = 1_000


def load(folder: Path | None) -> Intel:
    """The newest tables there are: in `folder` (a refresh's) or in the package."""
    exploited, kev = _read_kev(
        resources.files("isthmus.record").joinpath(_KEV_FILE).read_text("utf-8"), "the packaged KEV table"
    )
    epss: Mapping[str, float] = {}
    tables = [kev]
    if folder and (folder / _KEV_FILE).is_file():
        newer, table = _read_kev((folder / _KEV_FILE).read_text("utf-8"), str(folder / _KEV_FILE))
        if table.of > kev.of:
            exploited, tables = newer, [table]
    if folder and (folder / _EPSS_FILE).is_file():
        epss, table = read_epss((folder / _EPSS_FILE).read_text("utf-8"), str(folder / _EPSS_FILE))
        tables.append(table)
    return Intel(exploited, epss, tuple(tables))


def _read_kev(text: str, name: str) -> tuple[dict[str, Exploited], Table]:
    lines = text.splitlines()
    try:
        of = date.fromisoformat(lines[0].removeprefix("# of ").strip())
        rows = [line.split("\t") for line in lines[1:]]
        exploited = {row[0]: Exploited(row[0], date.fromisoformat(row[1]), row[2] == "1", row[3]) for row in rows}
    except (IndexError, ValueError):
        raise Untrusted("not a KEV table; remove it or run `isthmus intel refresh`", name) from None
    return exploited, Table("CISA KEV", of, KEV_FRESH_DAYS, len(exploited))


def kev_table(catalogue: bytes, place: str) -> str:
    """CISA's catalogue as the compact table. Raises `Untrusted` for anything that is not the whole catalogue."""
    try:
        given = json.loads(catalogue)
        of = date.fromisoformat(given["catalogVersion"].replace(".", "-"))
        rows = sorted(
            (
                one["cveID"],
                date.fromisoformat(one["dateAdded"]).isoformat(),
                "1" if one.get("knownRansomwareCampaignUse") == "Known" else "0",
                " ".join(f"{one['vendorProject']} {one['product']}".split()),
            )
            for one in given["vulnerabilities"]
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Untrusted("not CISA's KEV catalogue", place) from None
    if len(rows) != given.get("count") or len(rows) < _LEAST_KEV_ROWS:
        raise Untrusted(f"the catalogue says {given.get('count')} entries and holds {len(rows)}: not complete", place)
    return "\n".join([f"# of {of.isoformat()}", *("\t".join(row) for row in rows)]) + "\n"


def epss_table(body: bytes, place: str) -> str:
    """FIRST's gzipped scores as text, checked. Raises `Untrusted` for anything else."""
    try:
        text = gzip.decompress(body).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise Untrusted("not a gzipped EPSS file", place) from None
    read_epss(text, place)
    return text


def read_epss(text: str, name: str) -> tuple[dict[str, float], Table]:
    """Scores (0-1) by CVE from EPSS's CSV: a comment line with the date, a header, the rows."""
    first, _, rest = text.partition("\n")
    try:
        of = date.fromisoformat(first.split("score_date:", 1)[1][:10])
        scores = {row["cve"]: float(row["epss"]) for row in csv.DictReader(io.StringIO(rest))}
    except (IndexError, KeyError, TypeError, ValueError, csv.Error):
        raise Untrusted("not an EPSS table; remove it or run `isthmus intel refresh`", name) from None
    if not scores or not all(0.0 <= score <= 1.0 for score in scores.values()):
        raise Untrusted("EPSS scores must lie between 0 and 1", name)
    return scores, Table("EPSS", of, EPSS_FRESH_DAYS, len(scores))


def save(folder: Path, kev: str | None, epss: str | None) -> None:
    """Put refreshed tables in place, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((_KEV_FILE, kev), (_EPSS_FILE, epss)):
        if text is not None:
            waiting = folder / f"{name}.new"
            waiting.write_text(text, encoding="utf-8")
            waiting.replace(folder / name)

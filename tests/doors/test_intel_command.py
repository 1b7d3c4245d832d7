"""`isthmus intel refresh` from feeds in their real formats, served locally; what is not the whole feed changes nothing."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.doors.test_triage_command import isthmus

from isthmus.model.errors import Untrusted
from isthmus.record import intel

EPSS = gzip.compress(
    b"#model_version:v2025.03.14,score_date:2026-11-22T12:55:00Z\ncve,epss,percentile\nCVE-2021-44228,0.94358,0.99957\n"
)


def catalogue(count: int = 1_200, said: int | None = None) -> bytes:
    rows: list[dict[str, object]] = [
        {
            "cveID": f"CVE-2026-{number:05d}",
            "vendorProject": "Acme",
            "product": "Gateway",
            "vulnerabilityName": "Acme Gateway Vulnerability",
            "dateAdded": "2026-11-20",
            "shortDescription": "",
            "requiredAction": "",
            "dueDate": "2026-12-11",
            "knownRansomwareCampaignUse": "Known" if number % 2 else "Unknown",
            "notes": "",
            "cwes": [],
        }
        for number in range(count)
    ]
    whole = {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": "2026.11.20",
        "dateReleased": "2026-11-20T17:04:19.9796Z",
        "count": count if said is None else said,
        "vulnerabilities": rows,
    }
    return json.dumps(whole).encode()


@contextmanager
def served(bodies: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    class Feed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = bodies[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def refreshed(home: Path, bodies: dict[str, tuple[int, bytes]]) -> tuple[int, str]:
    with served(bodies) as address:
        config = home / "isthmus.yaml"
        config.write_text(f"intel:\n  kev: {address}/kev.json\n  epss: {address}/epss.csv.gz\n")
        ran = isthmus("intel", "refresh", "--config", config, home=home)
    assert b"Traceback" not in ran.stderr
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_a_refresh_replaces_both_tables(tmp_path: Path) -> None:
    code, said = refreshed(tmp_path, {"/kev.json": (200, catalogue()), "/epss.csv.gz": (200, EPSS)})
    assert code == 0, said
    loaded = intel.load(tmp_path / "isthmus" / "intel")
    assert [(one.name, one.of.isoformat(), one.rows) for one in loaded.tables] == [
        ("CISA KEV", "2026-11-20", 1200),
        ("EPSS", "2026-11-22", 1),
    ]
    assert loaded.exploited["CVE-2026-00001"].ransomware
    assert loaded.epss["CVE-2021-44228"] == pytest.approx(0.94358)


@pytest.mark.parametrize(
    ("kev", "epss", "said"),
    [
        ((200, b"<html>"), (200, EPSS), "not CISA's KEV catalogue"),
        ((200, catalogue(said=5_000)), (200, EPSS), "not complete"),
        ((200, catalogue(count=3)), (200, EPSS), "not complete"),
        ((503, b""), (200, EPSS), "answered 503"),
        ((404, b""), (200, EPSS), "answered 404"),
        ((200, catalogue()), (200, EPSS[:30]), "not a gzipped EPSS file"),
        ((200, catalogue()), (200, gzip.compress(b"a,b\n1,2\n")), "not an EPSS table"),
    ],
)
def test_what_is_not_the_whole_feed_leaves_the_old_table(
    tmp_path: Path, kev: tuple[int, bytes], epss: tuple[int, bytes], said: str
) -> None:
    code, told = refreshed(tmp_path, {"/kev.json": kev, "/epss.csv.gz": epss})
    assert code == 2
    assert said in told
    tables = {one.name: one.of.isoformat() for one in intel.load(tmp_path / "isthmus" / "intel").tables}
    assert tables == (
        {"CISA KEV": "2025-08-25", "EPSS": "2026-11-22"}
        if "CISA" in said or kev[0] != 200 or "complete" in said
        else {"CISA KEV": "2026-11-20"}
    )


def test_the_packaged_table_says_its_age(tmp_path: Path) -> None:
    said = isthmus("intel", "show", home=tmp_path).stdout.decode()
    assert "CISA KEV: 1404 rows of 2025-08-25" in said
    assert "stale" in said


def test_a_table_that_was_damaged_is_an_error_and_never_empty(tmp_path: Path) -> None:
    (tmp_path / "kev.tsv").write_text("# of 2026-01-01\nbroken\n")
    with pytest.raises(Untrusted, match="not a KEV table"):
        intel.load(tmp_path)


def test_the_packaged_table_is_the_published_one(shared: Path) -> None:
    published = (shared / "intel" / "known_exploited_vulnerabilities.json").read_bytes()
    packaged = Path(intel.__file__).with_name("kev.tsv").read_text("utf-8")
    assert intel.kev_table(published, "published") == packaged

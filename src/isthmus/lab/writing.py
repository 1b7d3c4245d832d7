"""A day written down as customers have it: an export per vendor, shape and half day, and webhook bodies one by one."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from isthmus.lab.truth import Truth
from isthmus.model.errors import Untrusted

Envelope = Callable[[Sequence[dict[str, Any]]], object]

_ENDINGS = {"falco": ".ndjson", "guardduty": ".jsonl.gz"}
"""Falco writes a line an event; GuardDuty exports gzipped lines to S3. The others answer with a page of JSON."""


def ending(vendor: str) -> str:
    """How the names of this vendor's exports end."""
    return _ENDINGS.get(vendor, ".json")


def write(
    folder: Path,
    rows: Iterable[tuple[str, str, dict[str, Any]]],
    envelopes: Mapping[str, Envelope],
    settings: str,
    truth: Truth,
) -> None:
    """Replaces what an earlier day left in this folder. Raises `Untrusted` when it holds exports that are not the lab's."""
    exports = folder / "exports"
    _clear(folder, exports)
    files: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for vendor, file, payload in rows:
        files.setdefault(file, (vendor, []))[1].append(payload)
    for file, (vendor, payloads) in files.items():
        path = exports / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_body(file, payloads, envelopes[vendor]))
    (folder / "isthmus.yaml").write_text(settings, encoding="utf-8")
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n")


def _clear(folder: Path, exports: Path) -> None:
    if not exports.exists():
        return
    if any(exports.iterdir()) and not (folder / "truth.json").exists():
        raise Untrusted("has exports in it that the lab did not write; choose another folder", str(folder))
    shutil.rmtree(exports)


def _body(file: str, payloads: list[dict[str, Any]], envelope: Envelope) -> bytes:
    if file.startswith("webhooks/"):
        return _json(payloads[0])
    if file.endswith((".ndjson", ".jsonl.gz")):
        lines = b"".join(_json(one) + b"\n" for one in payloads)
        return gzip.compress(lines, mtime=0) if file.endswith(".gz") else lines
    return _json(envelope(payloads))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")

"""Secrets by reference, read when they are used: `env:NAME` or `file:/path`."""

from __future__ import annotations

import os
from pathlib import Path

from isthmus.contracts.wire import Secret
from isthmus.model.errors import Refused

_LARGEST = 65_536


def resolve(reference: str) -> Secret:
    """The secret behind a reference. Raises `Refused` naming the reference, never what it holds."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place, "")  # noqa: TID251 - the one place secrets are read from the environment
    elif kind == "file":
        value = _read(Path(place), reference)
    else:
        raise Refused(f"secret {reference.split(':')[0]!r}: must be env:NAME or file:/path")
    if not value.strip():
        raise Refused(f"secret {reference}: is not set or empty")
    return Secret(value.strip())


def _read(path: Path, reference: str) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise Refused(f"secret {reference}: larger than {_LARGEST} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"secret {reference}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise Refused(f"secret {reference}: is not text") from None

"""Our nouns as bytes and back: JSON by msgspec, with outside text staying outside text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from isthmus.model.errors import Untrusted
from isthmus.model.incidents import SCHEMA_VERSION as INCIDENT_VERSION
from isthmus.model.incidents import Incident
from isthmus.model.outside import Outside

_T = TypeVar("_T")


def _down(value: Any) -> Any:
    if isinstance(value, Outside):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is not stored")


def _up(kind: type, value: Any) -> Any:
    if kind is Outside:
        return Outside(value)
    raise NotImplementedError(f"{kind.__name__} is not stored")


_ENCODER = msgspec.json.Encoder(enc_hook=_down, order="deterministic")
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    """The same value gives the same bytes."""
    return _ENCODER.encode(value)


def decode(data: bytes, kind: type[_T], place: str) -> _T:
    """Raises `Untrusted` naming the row when it is not what was stored, or was written by a newer version of us."""
    decoder = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind, dec_hook=_up))
    try:
        found: _T = decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Untrusted(f"not readable as {kind.__name__}: {error}", place) from None
    return found


def body_of(incident: Incident) -> bytes:
    """The incident without its findings and their number, which are stored once and may be told better later."""
    return encode(replace(incident, members=(), number=0))


def incident_from(data: bytes, place: str) -> Incident:
    """The incident without its members. Older versions are lifted here; today there is one."""
    incident = decode(data, Incident, place)
    if incident.schema_version != INCIDENT_VERSION:
        raise Untrusted(f"written in schema version {incident.schema_version}, this is {INCIDENT_VERSION}", place)
    return incident

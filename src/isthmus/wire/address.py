"""A secret address, as services hand them out for messages: whoever knows it may write there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from isthmus.model.errors import Refused
from isthmus.wire.http import WireHttp, WireOutward

_ORIGIN = re.compile(r"https://[a-z0-9.-]+(?::\d{1,5})?|http://(?:127\.0\.0\.1|localhost)(?::\d{1,5})?")


def way(outward: WireOutward, reference: str) -> tuple[WireHttp, str]:
    """The way to the origin of the address behind this reference, and the path to write to; it is struck out of logs.

    Raises `Refused` naming the reference when there is no such secret, or when it is no address we would write to.
    """
    address = outward.secret(reference).reveal()
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if not _ORIGIN.fullmatch(origin) or parts.fragment:
        raise Refused(f"secret {reference}: must be an https address")
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    outward.strike(parts.path, path)
    return outward.http(origin), path

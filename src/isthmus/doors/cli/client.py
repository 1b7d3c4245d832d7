"""A person at the API: where it is, the key that opens it, and what its errors mean for whoever typed the command.

The key comes from the environment or from a file, never from the command line, which every process of a machine can
read; it is sent over TLS, or in the clear only within this machine.
"""

from __future__ import annotations

import inspect
import os
import re
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import typer

from isthmus.doors.api.answers import Error, Said
from isthmus.doors.cli.screen import shown
from isthmus.model.errors import IsthmusError, Refused, Unreachable, Untrusted
from isthmus.settings import read

DEFAULT = "http://127.0.0.1:8443"
_TIMEOUT = 30.0
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LATER, _USE = frozenset({408, 425, 429}), frozenset({400, 405, 413, 415, 422})

_Server = Annotated[str | None, typer.Option("--server", metavar="URL", envvar="ISTHMUS_SERVER", help=f"Else {DEFAULT}.")]
_KeyFile = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Your API key; else ISTHMUS_KEY holds it.")]
_Authority = Annotated[
    Path | None,
    typer.Option("--authority", metavar="FILE", envvar="ISTHMUS_AUTHORITY", help="A private certificate authority (PEM)."),
]
_Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Take the address from these settings; never looked for here.")
]

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Given = ParamSpec("_Given")


class Api:
    """The routes under /v1, asked as one person."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **wanted: object) -> bytes:
        """The body of the answer. Raises `Refused`, `Untrusted` or `Unreachable` in the server's words."""
        params = {name: str(value) for name, value in wanted.items() if value is not None}
        try:
            return _answered(self._http.get(path, params=params))
        except httpx.TransportError as error:
            raise Unreachable(f"{self._http.base_url}: {_why(error)}") from None

    def say(self, name: str, verb: str, **words: Any) -> Said:
        """A word on an incident. What broke off is sent once more under the same key, and so is done once at most."""
        path, key = f"{incident_path(name)}/{verb}", {"idempotency-key": secrets.token_hex(16)}
        for last in (False, True):
            try:
                return decoded(_answered(self._http.post(path, json=words, headers=key)), Said)
            except httpx.ConnectError as error:
                raise Unreachable(f"{self._http.base_url}: {_why(error)}") from None
            except httpx.TransportError as error:
                if last:
                    unknown = f"whether it was done is not known: see `isthmus incidents show {name}`"
                    raise Unreachable(f"{self._http.base_url}: {_why(error)}; {unknown}") from None
        raise AssertionError("the second attempt returns or raises")


def incident_path(name: str) -> str:
    """The path of an incident. Raises `Untrusted` for a name that could be part of another path."""
    if not _ID.fullmatch(name):
        raise Untrusted("is no incident's name", shown(name, 80))
    return f"/v1/incidents/{name}"


def decoded(body: bytes, kind: type[_Struct]) -> _Struct:
    """The answer as what it must be. Raises `Untrusted` when the server speaks another version."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Untrusted(f"answered something else than was asked for ({error}); is it the same version?", "server") from None


def _answered(answer: httpx.Response) -> bytes:
    if answer.is_success:
        return answer.content
    raise _error(answer)


def _error(answer: httpx.Response) -> IsthmusError:
    """The server's no, in one line with the id its log knows the request by."""
    status = answer.status_code
    try:
        told = msgspec.json.decode(answer.content, type=Error).error
        text = f"{shown(told.message)} (request {shown(told.request_id, 64)})"
    except (msgspec.DecodeError, RecursionError):
        text = f"answered {status} with something that is no answer of Isthmus"
    if status >= 500 or status in _LATER:
        return Unreachable(text)
    return Untrusted(text) if status in _USE else Refused(text)


def _why(error: httpx.TransportError) -> str:
    return f"{'no answer in time' if isinstance(error, httpx.TimeoutException) else 'cannot be reached'} ({shown(error, 200)})"


def asking(command: Callable[Concatenate[Api, _Given], None]) -> Callable[..., None]:
    """A command that is handed the API as its first argument; the options that say where and who are added to its own."""
    own = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in (("server", _Server), ("key_file", _KeyFile), ("authority", _Authority), ("config", _Config))
    ]

    @wraps(command)
    def asked(*given: Any, **more: Any) -> None:
        where = {one.name: more.pop(one.name) for one in added}
        with _opened(**where) as api:
            command(api, *given, **more)

    whole = inspect.Signature([*list(own.parameters.values())[1:], *added])
    asked.__signature__ = whole  # type: ignore[attr-defined]
    asked.__annotations__ = {}
    return asked


@contextmanager
def _opened(server: str | None, key_file: Path | None, authority: Path | None, config: Path | None) -> Iterator[Api]:
    url = _safe(server or (_configured(config) if config else DEFAULT))
    headers = {"authorization": f"Bearer {_key(key_file)}", "accept": "application/json"}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT, trust_env=False, verify=_tls(authority)) as http:
        yield Api(http)


def _configured(config: Path) -> str:
    server = read(config).settings.server
    if server.url:
        return server.url
    if not server.port:
        raise Untrusted("takes a free port; say --server", f"{config}: server.port")
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{'http' if server.certificate is None else 'https'}://{host}:{server.port}"


def _safe(url: str) -> str:
    """The origin. Raises `Untrusted` for what is none, `Refused` where the key would travel in the clear."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise Untrusted("must be an address such as https://isthmus.example.com:8443", f"server {shown(url, 200)}")
    if parts.scheme == "http" and not _here(parts.hostname or ""):
        raise Refused(f"{shown(url, 200)}: a key does not travel in the clear; use https")
    return url.rstrip("/")


def _here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _key(file: Path | None) -> str:
    try:
        given = _environment().get("ISTHMUS_KEY", "") if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Untrusted("not an API key", str(file)) from None
    key = given.strip()
    if not key:
        raise Untrusted("put your API key into ISTHMUS_KEY or name a file with --key-file; `isthmus keys new` makes one", "key")
    if not re.fullmatch(r"[!-~]{1,200}", key):
        raise Untrusted("not an API key", str(file or "ISTHMUS_KEY"))
    return key


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - a door reads who speaks from the environment


def _tls(authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if authority is None else str(authority))
    except ssl.SSLError:
        raise Untrusted("not a certificate authority (PEM)", str(authority)) from None
    except OSError as error:
        raise Untrusted(error.strerror or "cannot be read", str(authority)) from None

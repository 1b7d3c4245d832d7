"""Logs: one line a record on standard error, JSON unless somebody sits there; what looks like a secret is struck out.

Everything goes the same way, the libraries' records too. `bound` gives every record written inside it the fields that say
what it is about: `request`, `tenant`, `instance`, `incident`. Ids, no texts.

What the wire knows as a secret it strikes out itself. Here is a net below that, for what has the form of one: our API
keys, bearer and basic credentials, AWS keys, tokens of well-known makers, private keys, passwords in addresses.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks
from structlog.contextvars import bound_contextvars as bound
from structlog.typing import Processor, WrappedLogger

from isthmus.model.outside import printable

__all__ = ["bound", "set_up", "struck_out"]

STRUCK = "…"
_QUIET = ("stamina", "httpx", "httpcore", "botocore", "boto3", "urllib3", "alembic", "asyncio", "opentelemetry", "google")
_LONGEST = 20_000
_WHOLE = re.compile(
    r"isk_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}"
    r"|\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16}\b"
    r"|\bey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|SG\.|AIza|ya29\.)[A-Za-z0-9_.-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_AFTER = re.compile(
    r"""(?ix)
    (?P<kept>
        \b(?:bearer|basic)\s+
      | ://[^\s:/@"'\\]{1,200}:(?=[^\s/@"'\\]{1,500}@)
      | (?:(?<!/)\b|_)(?:x-[a-z-]{1,30}(?:token|key)|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?access)?(?:[_-]?key)?
            |client[_-]?secret|token|session[_-]?token|access[_-]?token|refresh[_-]?token|password|passwd|pwd|authorization
            |signature|x-amz-security-token|x-amz-signature)
        \\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic)\s+)?
    )
    (?P<gone>[^\s"'\\,;&<>(){}\[\]@]{6,})
    """
)


def struck_out(text: str) -> str:
    """The text without what has the form of a secret."""
    return _AFTER.sub(lambda found: found["kept"] + STRUCK, _WHOLE.sub(STRUCK, text))


def set_up(level: int = logging.WARNING, stream: TextIO | None = None, human: bool | None = None) -> None:
    """Send every record of this level and above to the stream (standard error), in the form for people or for programs.

    `human` None asks the stream whether somebody sits there. Libraries speak only when something is wrong.
    """
    human = (stream or sys.stderr).isatty() if human is None else human
    pipe = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_gathered(), processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _written(human)]
    )
    out = _Out(stream)
    out.setFormatter(pipe)
    root = logging.getLogger()
    for before in [one for one in root.handlers if isinstance(one, _Out)]:
        root.removeHandler(before)
    root.addHandler(out)
    root.setLevel(level)
    # Libraries that find structlog speak through it, to standard output unless told otherwise.
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    set_on_retry_hooks([LoggingOnRetryHook])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


class _Out(logging.Handler):
    """Writes lines to a stream, or to what is standard error at that moment."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """A log that cannot be written holds up nothing."""
        try:
            stream = self._stream or sys.stderr
            stream.write(f"{self.format(record)}\n")
            stream.flush()
        except (OSError, ValueError):
            return


def _gathered() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _written(human: bool) -> Callable[[WrappedLogger, str, MutableMapping[str, Any]], str]:
    """The record as its line. Struck out where it is whole, so that nothing comes in beside it."""
    written = structlog.processors.JSONRenderer()

    def line(logger: WrappedLogger, name: str, fields: MutableMapping[str, Any]) -> str:
        fields["event"] = str(fields.get("event", ""))[:_LONGEST]
        if "exception" in fields:
            fields["exception"] = str(fields["exception"])[-_LONGEST:]
        return struck_out(_for_people(fields) if human else str(written(logger, name, fields)))

    return line


def _for_people(fields: MutableMapping[str, Any]) -> str:
    """Time, level, logger and message, then what it is about; a trace on lines of its own. No escapes to a terminal."""
    head = f"{fields.pop('timestamp', '')} {str(fields.pop('level', '')).upper()} {fields.pop('logger', '')}:"
    event, trace = printable(str(fields.pop("event", ""))), str(fields.pop("exception", ""))
    about = " ".join(f"{name}={printable(str(value))}" for name, value in sorted(fields.items()))
    lines = [" ".join(one for one in (head, event, f"({about})" if about else "") if one)]
    return "\n".join(lines + [printable(one.replace(" ", " ")) for one in trace.splitlines()])

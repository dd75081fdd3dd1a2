"""What the server tells of itself: JSON, one line a request, each with the request's id.

No line holds a secret, a name, an address or a path with its values: a request is told by its
route's template, a caller by the id of the key or a digest of the token's subject.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO, Final

import msgspec
import structlog

_encode = msgspec.json.Encoder(enc_hook=str).encode
_SECRETS: Final = (
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/@]*@"), r"\1:…@"),
    (re.compile(r"bk_([0-9a-f]{12})_[\w-]+"), r"bk_\1_…"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "(token)"),
    (re.compile(r"\b([A-Z]{2}\d{2})(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), r"\1…"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "(e-mail)"),
)


def configure(level: str = "info", stream: BinaryIO | None = None) -> None:
    """Everything this process logs, ours and the libraries', goes to that stream as JSON."""
    global _told
    out = stream or sys.stdout.buffer
    _told = partial(_straight, out) if level in ("debug", "info") else _untold
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            _without_secrets,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.BytesLoggerFactory(out),
    )
    handler = logging.StreamHandler(_Text(out))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_secrets,
                structlog.processors.JSONRenderer(serializer=_json_text),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("WARNING")
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(level.upper())


def request(**fields: Any) -> None:
    """The line of a request."""
    _told(fields)


def _straight(out: BinaryIO, fields: dict[str, Any]) -> None:
    """Past the processors, which take five times as long: nothing in it comes from outside."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    out.write(_encode({"event": "request", "level": "info", "at": at, **fields}) + b"\n")
    out.flush()


def _untold(fields: dict[str, Any]) -> None:
    pass


def _plainly(fields: dict[str, Any]) -> None:
    structlog.get_logger("billing.api").info("request", **fields)


_told: Callable[[dict[str, Any]], None] = _plainly  # Until it is configured.


def about(**named: Any) -> None:
    """Names what the rest of this request or task is about (run=…), in each line it leaves."""
    structlog.contextvars.bind_contextvars(**named)


class _Text:
    """A stream of bytes, as the standard library's handler writes to it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text.encode())

    def flush(self) -> None:
        self._out.flush()


def _json(line: Any, **_: Any) -> bytes:
    return _encode(line)


def _json_text(line: Any, **_: Any) -> str:
    return _encode(line).decode()


def _without_secrets(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in line.items():
        if isinstance(value, str) and key not in ("at", "level", "request_id"):
            line[key] = scrubbed(value)
    return line


def scrubbed(text: str) -> str:
    """The text without passwords, keys, tokens, IBANs and e-mail addresses."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text

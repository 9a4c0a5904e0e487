"""The service's log: one JSON object a line, or text, with the id of the request.

API keys, photos, names of clients' files and URL queries are never logged.

python-json-logger was tried in place of ``JsonFormatter``. Its renaming of fields does not give the
documented ones (``level`` in lower case, ``time`` with milliseconds and ``Z``, no ``color_message`` of
Uvicorn's), so each had to be set by hand, in as many lines as here.
"""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import time
import warnings
from typing import Any, Final, TextIO

__all__ = ["configure_logging", "request_id"]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Id of the request that is being handled; empty outside of one."""

LOGGERS: Final = ("stylesearch", "uvicorn", "asyncio", "py.warnings")
FIELDS: Final = "fields"
"""Attribute of a record with more fields: ``log.info("request", extra={"fields": {...}})``."""


def configure_logging(style: str = "json", level: int = logging.INFO) -> None:
    """Makes the service, Uvicorn and Python's warnings log to standard error.

    Replaces the handlers that these loggers had; to be called once in a process.

    Args:
        style: ``json`` or ``text``.
        level: records below it are dropped.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.captureWarnings(True)
    warnings.showwarning = _log_warning
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
    for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        child = logging.getLogger(name)
        child.handlers, child.propagate = [], True
    # The service logs each request itself, with its id; Uvicorn's line would include the query.
    logging.getLogger("uvicorn.access").disabled = True


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Logs a warning by its words, without the place in the code."""
    logging.getLogger("py.warnings").warning("%s", message)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if identity := request_id.get():
            line["request_id"] = identity
        line.update(getattr(record, FIELDS, {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record as a line for people, with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, FIELDS, {}).items())
        identity = request_id.get()
        line = f"{_utc(record.created)} {record.levelname.lower()} {record.name}: {record.getMessage()}"
        line = " ".join(part for part in (line, fields, f"[{identity}]" if identity else "") if part)
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _utc(seconds: float) -> str:
    """Formats a time from ``time.time`` in ISO 8601, with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"

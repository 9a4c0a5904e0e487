"""Logs that machines read: one JSON object a line, with the id of the request it belongs to.

Never in them: API keys, what clients call their files, the photos they search with, the queries of URLs.
"""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import time
from typing import Any, Final

__all__ = ["configure_logging", "request_id"]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Of the request that is being handled."""

LOGGERS: Final = ("stylesearch", "uvicorn", "asyncio", "py.warnings")
FIELDS: Final = "fields"
"""What a record brings beside its message: ``log.info("request", extra={"fields": {...}})``."""


def configure_logging(style: str = "json", level: int = logging.INFO) -> None:
    """Sends what the service, Uvicorn and the warnings of the process say to standard error.

    For the process of a worker: it takes the place of whatever was set up for these before.

    Args:
        style: ``json`` or ``text``.
        level: below it nothing is said.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.captureWarnings(True)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
    for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        child = logging.getLogger(name)
        child.handlers, child.propagate = [], True
    # Every request has a line of ours, with its id, and Uvicorn's would have the query in it.
    logging.getLogger("uvicorn.access").disabled = True


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

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


class TextLines(logging.Formatter):
    """A record as a line for people; control characters in it are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, FIELDS, {}).items())
        identity = request_id.get()
        line = f"{_utc(record.created)} {record.levelname.lower()} {record.name}: {record.getMessage()}"
        line = " ".join(part for part in (line, fields, f"[{identity}]" if identity else "") if part)
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _utc(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"

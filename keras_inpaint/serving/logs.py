"""Structured logs: one JSON object per line, without any contents of photos."""

import contextvars
import datetime
import json
import logging
import sys
from typing import Any, TextIO

#: Additional fields of the current request's log line.
request_fields: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "request_fields", default=None
)

_OTHERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def note(**fields: Any) -> None:
    """Add fields to the log line of the current request.

    Args:
        **fields: Names and values: sizes, names, counts.
    """
    current = request_fields.get()
    if current is not None:
        current.update(fields)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record.

        Args:
            record: Its `fields`, given as `extra={"fields": {...}}`, are added.
        """
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record as one readable line: the message and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record.

        Args:
            record: Its `fields`, given as `extra={"fields": {...}}`, are added.
        """
        moment = datetime.datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {k}={v}" for k, v in getattr(record, "fields", {}).items())
        line = f"{moment} {record.levelname:7} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(style: str = "json", level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all logs of the process to one stream.

    Args:
        style: String, `"json"` or `"text"`.
        level: Int, the lowest level of this package's records; for others it is WARNING.
        stream: Text stream, by default standard output.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("keras_inpaint").setLevel(level)
    for name in _OTHERS:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
        other.setLevel(logging.WARNING)
    # Uvicorn warns about every malformed request; the request's own line is enough.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.captureWarnings(True)

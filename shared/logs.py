"""Logging to standard error: one line an event, as text or as a JSON object."""

from __future__ import annotations

import json
import logging
import sys

from shared.clock import timestamp

# The attributes that every LogRecord has. All others were given as ``extra`` and are logged.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "websocket"}


def _time(record: logging.LogRecord) -> str:
    return timestamp(int(record.created * 1_000_000))


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class TextFormatter(logging.Formatter):
    """``2026-11-22T11:57:25.175297Z INFO ws_server: listening address=127.0.0.1``"""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={value}" for key, value in _extra(record).items())
        line = f"{_time(record)} {record.levelname} {self._process}: {record.getMessage()}{extra}"
        # A message may contain a client's text: a line break in it must not forge a log line.
        line = line.replace("\r", "\\r").replace("\n", "\\n")
        if record.exc_info:
            for text in self.formatException(record.exc_info).splitlines():
                line += f"\n    {text}"
        return line


class JsonFormatter(logging.Formatter):
    """``{"time": …, "level": "info", "process": "ws_server", "logger": …, "message": …, …}``"""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return json.dumps(line, default=str, allow_nan=False)
        except (TypeError, ValueError):  # NaN, or keys that are not strings: log them as text
            return json.dumps({key: str(value) for key, value in line.items()})


def configure_logging(process: str, log_format: str, level: str) -> None:
    """Send everything of ``level`` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if log_format == "json" else TextFormatter(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line for every connection that opens and closes is for the proxy's log.
    logging.getLogger("websockets.server").setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.getLogger("asyncio").setLevel(max(logging.getLevelName(level), logging.WARNING))

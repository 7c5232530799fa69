"""Logs: one line an event on standard error, as text or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

from shared.clock import timestamp

# What a LogRecord has by itself; all else was given as ``extra`` and belongs into the line.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "websocket"}


_SELDOM_SECONDS: Final = 60.0
_EACH_SECONDS: Final = 3600.0
_EACH_A_MINUTE: Final = 20
_EACH_KEPT: Final = 100


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
        # A message may carry a client's text: it must not begin a line of its own.
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
        except (TypeError, ValueError):  # NaN, or keys that are no strings: better as text than not at all
            return json.dumps({key: str(value) for key, value in line.items()})


class Seldom:
    """Warnings of one kind that strangers can cause: one a minute, with the number of those left out since.

    Shared by nobody: each kind has its own.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._last = float("-inf")
        self._left_out = 0

    def warning(self, message: str, *args: object) -> None:
        now = time.monotonic()
        if now - self._last < _SELDOM_SECONDS:
            self._left_out += 1
            return
        if self._left_out:
            message, args = f"{message} (and %d times more in between)", (*args, self._left_out)
        self._last, self._left_out = now, 0
        self._logger.warning(message, *args)


class SeldomEach:
    """Warnings about things that strangers name: each thing once an hour, and no more than twenty lines a minute.

    Of what was told, the last hundred things are remembered.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told: dict[str, float] = {}  # the oldest first

    def warning(self, thing: str, message: str, *args: object) -> None:
        now = time.monotonic()
        if now - self._told.get(thing, float("-inf")) < _EACH_SECONDS:
            return
        latest = list(self._told.values())[-_EACH_A_MINUTE:]
        if len(latest) == _EACH_A_MINUTE and now - latest[0] < _SELDOM_SECONDS:
            return
        self._told.pop(thing, None)
        self._told[thing] = now
        if len(self._told) > _EACH_KEPT:
            del self._told[next(iter(self._told))]
        self._logger.warning(message, *args)


def configure_logging(process: str, log_format: str, level: str) -> None:
    """Send everything of ``level`` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if log_format == "json" else TextFormatter(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # One line for every connection opened and closed is the proxy's business, not ours.
    logging.getLogger("websockets.server").setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.getLogger("asyncio").setLevel(max(logging.getLevelName(level), logging.WARNING))

"""Logging to standard error: one line an event, as text or as a JSON object."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from shared.clock import timestamp
from shared.log_writer import LogWriter

# The attributes that every LogRecord has. All others were given as ``extra`` and are logged.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "websocket"}
_PLAIN_VALUE: Final = re.compile(r"[!#-<>-~]+")  # printable ASCII without blanks, quotation marks and "="
# Each has a line or more, at this level, for every connection or every statement.
_TALKATIVE: Final = ("aiosqlite", "asyncio", "websockets.server")

log = logging.getLogger(__name__)


def _time(record: logging.LogRecord) -> str:
    return timestamp(int(record.created * 1_000_000))


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def printable(text: str) -> str:
    """With every other character escaped: one that a client chose must neither forge a line nor move a cursor."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in text
    )


def as_value(value: object) -> str:
    """In quotation marks, unless it is plain: it must not look like another key and value."""
    text = str(value)
    return text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """``2026-11-22T11:57:25.175297Z INFO ws_server: listening address=127.0.0.1``"""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {key}={as_value(value)}" for key, value in _extra(record).items())
        line = printable(f"{_time(record)} {record.levelname} {self._process}: {record.getMessage()}{extra}")
        if record.exc_info:
            for text in self.formatException(record.exc_info).splitlines():
                line += f"\n    {printable(text)}"
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


def configure_logging(process: str, log_format: str, level: str) -> LogWriter:
    """Send everything of ``level`` and above to standard error, and what Python itself prints there, too."""
    writer = LogWriter(
        sys.stderr.fileno(), JsonFormatter(process) if log_format == "json" else TextFormatter(process)
    )
    logging.basicConfig(level=level, handlers=[writer], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught_in_thread
    return writer


def line_writer() -> Callable[[str], None]:
    """Takes lines that are made already; they are written as all others are."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogWriter):
            return handler.write_line
    return logging.getLogger("access").info


def dropped_lines() -> int:
    """How many lines of this process's log were dropped so far."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("a defect ended this process", exc_info=(kind, error, trace))


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    log.error("an error that nobody could be told of: %s", unraisable.err_msg, exc_info=unraisable.exc_value)


def _log_uncaught_in_thread(thread: threading.ExceptHookArgs) -> None:
    log.error("a thread failed", exc_info=thread.exc_value)

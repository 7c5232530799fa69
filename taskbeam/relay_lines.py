"""The lines that the relay passes on: cut where they are too long, and as JSON where the servers' are."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime
from typing import Final, NoReturn

from shared.logs import JsonFormatter

LINE_MAX_BYTES: Final = 65_536
CUT: Final = " … (cut)"

# "2026-11-22 11:57:25,175 INFO spawned: 'rest_gateway' with pid 4711"
_SUPERVISORD: Final = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (CRIT|ERRO|WARN|INFO|DEBG|TRAC|BLAT) (.*)", re.DOTALL
)
_LEVELS: Final = {
    "CRIT": "CRITICAL",
    "ERRO": "ERROR",
    "WARN": "WARNING",
    "INFO": "INFO",
    "DEBG": "DEBUG",
    "TRAC": "DEBUG",
    "BLAT": "DEBUG",
}
_LAUNCHERS: Final = "taskbeam: "
_format: Final = {name: JsonFormatter(name).format for name in ("supervisord", "taskbeam")}


class LineSplitter:
    """Takes bytes, and gives lines without their ends. No more than ``LINE_MAX_BYTES`` of a line are kept; it says so."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_cut = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that end in the data."""
        lines = []
        *ended, begun = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            lines.append(self._take())
        self._add(begun)
        return lines

    def end(self) -> list[str]:
        """What has come of a line that has no end, if anything."""
        return [self._take()] if self._begun else []

    def _add(self, piece: bytes) -> None:
        room = LINE_MAX_BYTES - len(self._begun)
        self._begun += piece[:room]
        self._is_cut = self._is_cut or len(piece) > room

    def _take(self) -> str:
        line = self._begun.decode(errors="backslashreplace") + (CUT if self._is_cut else "")
        self._begun.clear()
        self._is_cut = False
        return line


def as_json(line: str) -> str:
    """The line where it is a JSON object; else one that has it, in the shape of the servers' lines.

    What is neither supervisord's nor the launcher's came through supervisord, from a process that could not log yet, or
    no more: it is a warning.
    """
    if _is_json_object(line):
        return line
    if line.startswith(_LAUNCHERS):
        return _wrapped("taskbeam", "INFO", line.removeprefix(_LAUNCHERS))
    if found := _SUPERVISORD.fullmatch(line):
        local_time, level, message = found.groups()
        try:
            created = datetime.fromisoformat(local_time).timestamp()
        except ValueError:
            pass
        else:
            return _wrapped("supervisord", _LEVELS[level], message, created=created)
    return _wrapped("supervisord", "WARNING", line)


def _wrapped(process: str, level: str, message: str, **attributes: float) -> str:
    record = {"name": process, "levelname": level, "msg": message, **attributes}
    return _format[process](logging.makeLogRecord(record))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_decode: Final = json.JSONDecoder(parse_constant=_refuse).decode


def _is_json_object(line: str) -> bool:
    if not line.startswith("{"):
        return False
    try:
        _decode(line)
    except (ValueError, RecursionError):
        return False
    return True

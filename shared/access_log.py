"""The access log: one line for each request or session, at INFO, with the request id, the user, the outcome and the time.

A line is written in 3 µs, past Python's `logging`, which takes far longer. It holds no token, no query and no body.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from shared.clock import system_clock, timestamp
from shared.logs import as_value, line_writer, printable
from shared.settings import Settings

_encode = msgspec.json.Encoder().encode
_FAILED: Final = 400  # statuses from here on, and close codes
_PATH_MAX: Final = 512  # characters


class AccessLog:
    """Writes a line for each session, each request that has failed, and a share of all other requests.

    Args:
        share: from 0 to 1; evenly, not at random.
        write: takes a line without its end.
    """

    def __init__(self, process: str, share: float, *, as_json: bool, write: Callable[[str], None]) -> None:
        self._process = process
        self._share = share
        self._as_json = as_json
        self._write = write
        self._due = 1.0 - share  # the first is written, where there is any

    def is_due(self, outcome: int) -> bool:
        """Whether the next one, with this outcome, has a line. Ask once for each, before its line is made."""
        if outcome >= _FAILED:
            return True
        self._due += self._share
        if self._due < 1.0:
            return False
        self._due -= 1.0
        return True

    def log(
        self, what: str, target: str, outcome: int, user_id: int | None, seconds: float, request_id: str
    ) -> None:
        """A request or session has ended, and its line is due.

        Args:
            what: the method of a request; ``WebSocket`` for a session.
            target: the path of a request.
            outcome: the status of a request, or the close code of a session.
        """
        time, milliseconds = timestamp(system_clock()), round(seconds * 1000, 3)
        target = target[:_PATH_MAX]
        if self._as_json:
            line = _encode({
                "time": time, "level": "info", "process": self._process, "logger": "access",
                "message": f"{what} {target} {outcome}", "outcome": outcome, "user": user_id, "ms": milliseconds,
                "request_id": request_id,
            }).decode()  # fmt: skip
        else:
            user = "-" if user_id is None else user_id
            line = printable(
                f"{time} INFO {self._process}: {what} {target} {outcome} "
                f"user={user} ms={milliseconds} request_id={as_value(request_id)}"
            )
        self._write(line)


def open_access_log(process: str, settings: Settings) -> AccessLog | None:
    """``None`` where nothing is to be written."""
    if not settings.access_log or logging.getLevelName(settings.log_level) > logging.INFO:
        return None
    return AccessLog(process, settings.access_log, as_json=settings.log_format == "json", write=line_writer())

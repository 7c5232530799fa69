"""What is counted of messages and sessions. No label of it is a client's choice."""

from __future__ import annotations

from typing import Final, get_args

from shared.metrics.catalogue import CLOSES, MESSAGE_ERRORS, MESSAGE_SECONDS
from ws_server.close_codes import CLOSE_CODES, USUAL_CODES
from ws_server.requests import Auth, Command

_MODES: Final[dict[type, str]] = {kind: kind.__name__.lower() for kind in (Auth, *get_args(Command))}
ANSWER_SECONDS: Final = {kind: MESSAGE_SECONDS.child(mode) for kind, mode in _MODES.items()}
"""By the class of the request. ``BadRequest`` has none: it is never answered as asked."""

_SERVERS_CODES: Final = tuple(row.code.value for row in CLOSE_CODES)


def count_error(mode: str | None, code: str) -> None:
    """A message was answered with an error; ``mode`` as the client sent it."""
    known = mode if mode is not None and mode in _MODES.values() else "none"
    MESSAGE_ERRORS.child(known, code).value += 1


def count_close(code: int, *, by_server: bool) -> None:
    """A session has ended."""
    by, codes = ("server", _SERVERS_CODES) if by_server else ("client", USUAL_CODES)
    CLOSES.child(by, str(code) if code in codes else "other").value += 1

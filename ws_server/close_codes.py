"""Why the server closes a WebSocket: every close code, its reasons, and what the client has to do then.

The table of the reference, ``docs/reference/websocket.md``, is made from ``CLOSE_CODES``.
"""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum
from typing import Final, NamedTuple

from websockets.frames import CloseCode as LibraryCode


class ClientAction(StrEnum):
    """What a client does after a close."""

    RECONNECT = "reconnect with jitter"
    LOG_IN = "log in again first"
    MEND_CLIENT = "mend the client"


class CloseCode(IntEnum):
    """The codes of the task protocol. A fault of the frames themselves is closed with a code of the library's."""

    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    SERVICE_RESTART = 1012
    NOT_AUTHENTICATED = 4001
    INVALID_JSON = 4003
    SLOW_READER = 4008
    TOO_MANY_CONNECTIONS = 4009
    AUTH_TIMEOUT = 4010
    RATE_LIMIT_IGNORED = 4029
    TOKEN_EXPIRED = 4401
    TOKEN_REVOKED = 4403


class Disconnect(Enum):
    """One reason to close a connection: its code, and its text in the close frame."""

    INTERRUPTED = CloseCode.GOING_AWAY, "the server is stopping"
    BINARY_FRAME = CloseCode.UNSUPPORTED_DATA, "text frames only"
    STOPPING = CloseCode.SERVICE_RESTART, "the server is stopping"
    UNAVAILABLE = CloseCode.SERVICE_RESTART, "unavailable"
    TOKEN_UNCHECKED = CloseCode.SERVICE_RESTART, "the token cannot be checked now"
    CHANGES_MISSED = CloseCode.SERVICE_RESTART, "changes were missed, resume with sync"
    NOT_AUTHENTICATED = CloseCode.NOT_AUTHENTICATED, "Not authenticated"
    TOKEN_INVALID = CloseCode.NOT_AUTHENTICATED, "Token Invalid"
    INVALID_JSON = CloseCode.INVALID_JSON, "invalid JSON"
    SLOW_READER = CloseCode.SLOW_READER, "too slow a reader"
    BUFFER_FULL = CloseCode.SLOW_READER, "too much is waiting"
    SERVER_FULL = CloseCode.TOO_MANY_CONNECTIONS, "too many connections"
    USER_FULL = CloseCode.TOO_MANY_CONNECTIONS, "too many connections of this user"
    AUTH_TIMEOUT = CloseCode.AUTH_TIMEOUT, "no authentication in time"
    RATE_LIMIT_IGNORED = CloseCode.RATE_LIMIT_IGNORED, "rate limit ignored"
    TOKEN_EXPIRED = CloseCode.TOKEN_EXPIRED, "token expired"
    TOKEN_REVOKED = CloseCode.TOKEN_REVOKED, "token revoked"

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason


class ClosedWith(NamedTuple):
    """What a close code says. ``meaning`` is Markdown."""

    code: CloseCode | LibraryCode
    meaning: str
    action: ClientAction

    @property
    def reasons(self) -> list[str]:
        """The texts that its close frame may have; none of a library's code, whose text is made where it is sent."""
        return [disconnect.reason for disconnect in Disconnect if disconnect.code is self.code]


CLOSE_CODES: Final = (
    ClosedWith(CloseCode.GOING_AWAY, "the server goes away", ClientAction.RECONNECT),
    ClosedWith(CloseCode.UNSUPPORTED_DATA, "binary frame", ClientAction.MEND_CLIENT),
    ClosedWith(LibraryCode.INVALID_DATA, "bad UTF-8", ClientAction.MEND_CLIENT),
    ClosedWith(LibraryCode.MESSAGE_TOO_BIG, "message too big", ClientAction.MEND_CLIENT),
    ClosedWith(
        LibraryCode.INTERNAL_ERROR,
        "the peer neither answers pings nor reads, or a defect of the server's",
        ClientAction.RECONNECT,
    ),
    ClosedWith(CloseCode.SERVICE_RESTART, "the server restarts", ClientAction.RECONNECT),
    ClosedWith(CloseCode.NOT_AUTHENTICATED, "not authenticated", ClientAction.LOG_IN),
    ClosedWith(CloseCode.INVALID_JSON, "bad JSON", ClientAction.MEND_CLIENT),
    ClosedWith(
        CloseCode.SLOW_READER,
        "too slow a reader: more than `MAX_BUFFER_BYTES` waiting. Where even that cannot be delivered within 10 s, "
        "the connection is cut. Reconnect and `sync`",
        ClientAction.RECONNECT,
    ),
    ClosedWith(CloseCode.TOO_MANY_CONNECTIONS, "too many connections", ClientAction.RECONNECT),
    ClosedWith(CloseCode.AUTH_TIMEOUT, "no authentication in time", ClientAction.RECONNECT),
    ClosedWith(
        CloseCode.RATE_LIMIT_IGNORED,
        "rate limit ignored: 1,000 messages within 10 s that came sooner than the `retry_after` they had been told",
        ClientAction.MEND_CLIENT,
    ),
    ClosedWith(CloseCode.TOKEN_EXPIRED, "token expired", ClientAction.LOG_IN),
    ClosedWith(CloseCode.TOKEN_REVOKED, "token revoked", ClientAction.LOG_IN),
)

USUAL_CODES: Final = (
    LibraryCode.NORMAL_CLOSURE,
    LibraryCode.GOING_AWAY,
    LibraryCode.NO_STATUS_RCVD,
    LibraryCode.ABNORMAL_CLOSURE,
)
"""With which clients and their networks end sessions, as a rule."""

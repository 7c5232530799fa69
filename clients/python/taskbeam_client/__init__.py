"""A client of Taskbeam's WebSocket server that is never out of step: see ``TaskbeamClient``."""

from taskbeam_client.backoff import Backoff
from taskbeam_client.client import TaskbeamClient
from taskbeam_client.connection_loop import TokenProvider
from taskbeam_client.errors import (
    AccountChanged,
    ClientClosed,
    ClientDefect,
    Conflict,
    EarlierWriteFailed,
    Invalid,
    LoggedOut,
    NotFound,
    ObserverTooSlow,
    QueueFull,
    Refused,
    TaskbeamClientError,
    Unreachable,
    WriteFailed,
)
from taskbeam_client.models import Change, Event, Snapshot, Task
from taskbeam_client.session import Session
from taskbeam_client.state import Statistics
from taskbeam_client.stream import ChangeStream

__all__ = [
    "AccountChanged",
    "Backoff",
    "Change",
    "ChangeStream",
    "ClientClosed",
    "ClientDefect",
    "Conflict",
    "EarlierWriteFailed",
    "Event",
    "Invalid",
    "LoggedOut",
    "NotFound",
    "ObserverTooSlow",
    "QueueFull",
    "Refused",
    "Session",
    "Snapshot",
    "Statistics",
    "Task",
    "TaskbeamClient",
    "TaskbeamClientError",
    "TokenProvider",
    "Unreachable",
    "WriteFailed",
]

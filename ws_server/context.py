"""What all connections of a server share."""

from __future__ import annotations

from typing import NamedTuple

from shared.access_log import AccessLog
from shared.auth.authenticator import Authenticator
from shared.feed import ChangeFeed
from shared.settings import Settings
from shared.tasks import TaskService
from ws_server.deadlines import Deadlines
from ws_server.hub import Hub
from ws_server.stream import StreamContext


class Context(NamedTuple):
    """The parts that a connection is handed."""

    settings: Settings
    deadlines: Deadlines
    hub: Hub
    feed: ChangeFeed
    tasks: TaskService
    authenticator: Authenticator
    streams: StreamContext
    access_log: AccessLog | None = None

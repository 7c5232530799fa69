"""What the writer remembers of users' feeds from one transaction to the next."""

from __future__ import annotations

import sqlite3
from typing import Final

from shared.store.sqlite.tasks import Feed

_KNOWN_MAX: Final = 10_000  # users


class KnownFeeds:
    """Feeds as this connection's last transaction left them: good as long as no other connection has written."""

    def __init__(self) -> None:
        self.by_user: dict[int, Feed] = {}
        self._version: object = None

    def begin(self, connection: sqlite3.Connection) -> None:
        """To be called within each transaction; forgets them when they may be old."""
        # sqlite.org/pragma.html#pragma_data_version: it changes with the commits of others, not with our own.
        version = connection.execute("PRAGMA data_version").fetchall()
        if version != self._version or len(self.by_user) > _KNOWN_MAX:
            self.forget()
            self._version = version

    def forget(self) -> None:
        """To be called when a transaction is rolled back, and when something but a unit of work writes."""
        self.by_user.clear()

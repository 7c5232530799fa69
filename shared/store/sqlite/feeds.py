"""The rows of ``feeds``, one for each user, and what the writer remembers of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from shared.decisions.tasks import Feed
from shared.errors import UserGone
from shared.store.sqlite.inserts import insert

_CACHE_MAX: Final = 10_000  # users

_decode_ids = msgspec.json.Decoder(tuple[int, ...]).decode
_encode = msgspec.json.Encoder().encode


class FeedRow(Feed, frozen=True, gc=False):
    """``last`` is the position of the user's newest change, 0 before the first.

    ``pending`` are entries of the user's task index that are not merged into it yet, see ``task_index``.
    """

    last: int
    pending: tuple[int, ...]


def ids_text(ids: Collection[int]) -> str:
    """For a column, or for ``json_each``."""
    return _encode(ids).decode()


def read_feed(connection: sqlite3.Connection, user_id: int) -> FeedRow:
    """Raises UserGone."""
    rows = connection.execute(
        "SELECT seq, tasks, last, pending FROM feeds WHERE user_id = ?", (user_id,)
    ).fetchall()
    if not rows:
        raise UserGone
    return _to_feed(*rows[0])


def read_seqs(connection: sqlite3.Connection, user_ids: Collection[int]) -> dict[int, int]:
    """Of each user that is there."""
    return dict(
        connection.execute(
            "SELECT user_id, seq FROM json_each(?) JOIN feeds ON user_id = value", (ids_text([*user_ids]),)
        ).fetchall()
    )


def _to_feed(seq: int, tasks: int, last: int, pending: str) -> FeedRow:
    return FeedRow(seq, tasks, last, _decode_ids(pending) if pending != "[]" else ())


def write_feeds(connection: sqlite3.Connection, feeds: Mapping[int, FeedRow]) -> None:
    """Replace the rows of these users."""
    insert(
        connection,
        "feeds",
        ("user_id", "seq", "tasks", "last", "pending"),
        [
            (user_id, feed.seq, feed.tasks, feed.last, ids_text(feed.pending))
            for user_id, feed in feeds.items()
        ],
        "ON CONFLICT (user_id) DO UPDATE SET"
        " seq = excluded.seq, tasks = excluded.tasks, last = excluded.last, pending = excluded.pending",
    )


class FeedCache:
    """Feeds as the writer's last transaction left them: good as long as no other connection has written."""

    def __init__(self) -> None:
        self._feeds: dict[int, FeedRow] = {}
        self._version: object = None

    def begin(self, connection: sqlite3.Connection) -> None:
        """To be called within each transaction; clears the cache when it may be old, or is too large."""
        # sqlite.org/pragma.html#pragma_data_version: it changes with the commits of others, not with our own.
        version = connection.execute("PRAGMA data_version").fetchall()
        if version != self._version or len(self._feeds) > _CACHE_MAX:
            self.clear()
            self._version = version

    def find(self, connection: sqlite3.Connection, user_ids: set[int]) -> Mapping[int, FeedRow]:
        """The feeds of all these users who exist, and of others; what is not known is read with one statement."""
        if missing := user_ids - self._feeds.keys():
            rows = connection.execute(
                "SELECT user_id, seq, tasks, last, pending FROM json_each(?) JOIN feeds ON user_id = value",
                (ids_text(missing),),
            ).fetchall()
            for user_id, *row in rows:
                self._feeds[user_id] = _to_feed(*row)
        return self._feeds

    def update(self, feeds: Mapping[int, FeedRow]) -> None:
        """These were written by the transaction."""
        self._feeds.update(feeds)

    def clear(self) -> None:
        """To be called when a transaction is rolled back, and when anything else has written feeds."""
        self._feeds.clear()

"""The places of tasks that come from another database, whose ids are none of ours; see ``task_ids``."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from shared.clock import parse_timestamp
from shared.store.rows import Row
from shared.store.sqlite.feeds import ids_text
from shared.store.sqlite.task_ids import Place
from shared.uuid7 import TICKS_PER_MICROSECOND, first_tick, tick_of


class _Times(msgspec.Struct, gc=False):
    time_created: str


_decode_times = msgspec.json.Decoder(_Times).decode


def place_tasks(connection: sqlite3.Connection, rows: Sequence[Row]) -> list[Place]:
    """Where tasks of the common form go, which come user by user, in each user's order; none is written yet.

    An id is the tick in the uuid, if that can be; else one of the same microsecond or, where all are taken, of the next one
    that has any. Later tasks of a user have higher ids, also where times go back.
    """
    ticks = [tick_of(uuid) for _, uuid, _ in rows]
    ids = _Ids(connection, [tick for tick in ticks if tick is not None])
    places: list[Place] = []
    user_id, newest = None, 0
    for (user, _, json), tick in zip(rows, ticks, strict=True):
        if user != user_id:
            newest = _newest_id(connection, user) if user_id is None else 0
            user_id = user
        now = parse_timestamp(_decode_times(json).time_created)
        earliest = max(first_tick(now), newest + 1)
        if tick is not None and earliest <= tick < first_tick(now + 1) and ids.is_free(tick):
            newest = tick
        else:
            newest = ids.find_free(earliest)
        ids.take(newest)
        places.append((newest, tick != newest))
    return places


def _newest_id(connection: sqlite3.Connection, user_id: int) -> int:
    """Of the user's tasks; the page before may have ended with some."""
    newest: int = connection.execute(
        "SELECT coalesce(max(id), 0) FROM user_tasks WHERE user_id = ?", (user_id,)
    ).fetchone()[0]
    return newest


class _Ids:
    """The ids that are taken, stored or not.

    Args:
        wanted: those that ``is_free`` may be asked of.
    """

    def __init__(self, connection: sqlite3.Connection, wanted: Sequence[int]) -> None:
        self._connection = connection
        rows = connection.execute(
            "SELECT tasks.id FROM json_each(?) CROSS JOIN tasks ON tasks.id = value", (ids_text(wanted),)
        ).fetchall()
        self._taken = {row[0] for row in rows}
        self._last: dict[int, int] = {}  # that was taken here, of each microsecond
        self._last_stored: dict[int, int] = {}

    def is_free(self, task_id: int) -> bool:
        return task_id not in self._taken

    def take(self, task_id: int) -> None:
        self._taken.add(task_id)
        now = task_id // TICKS_PER_MICROSECOND
        self._last[now] = max(task_id, self._last.get(now, 0))

    def find_free(self, earliest: int) -> int:
        """One from that one on, behind all that are taken in its microsecond."""
        while True:
            now = earliest // TICKS_PER_MICROSECOND
            free = max(earliest, self._last.get(now, 0) + 1, self._find_last_stored(now) + 1)
            if free < first_tick(now + 1):
                return free
            earliest = first_tick(now + 1)

    def _find_last_stored(self, now: int) -> int:
        if now not in self._last_stored:
            self._last_stored[now] = self._connection.execute(
                "SELECT coalesce(max(id), 0) FROM tasks WHERE id >= ? AND id < ?",
                (first_tick(now), first_tick(now + 1)),
            ).fetchone()[0]
        return self._last_stored[now]

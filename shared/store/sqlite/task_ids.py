"""A task's id is a tick (``shared.uuid7``): the microsecond of its creation, and a counter.

So ids are in the order of ``time_created``, and new rows go to the end of the table.
"""

from __future__ import annotations

import sqlite3

from shared.uuid7 import first_tick, tick_of, uuid7

Place = tuple[int, bool]
"""Where a task is: its id, and whether its uuid is in ``client_uuids``, because it does not contain the id."""


class NewTaskIds:
    """Gives ids to the tasks that one ``decide`` creates; nothing may be written to ``tasks`` meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._newest: int | None = None  # the highest id
        self._last: dict[int, int] = {}  # of each microsecond, the last id that was taken here

    def __call__(self, now: int, uuid: str | None) -> tuple[str, Place]:
        """The uuid and the place of a task that is created now; see ``shared.decisions.tasks.PlaceNewTask``.

        Its id is the first tick of the microsecond that no task has; where all are taken, of the next one that has any.
        """
        if self._newest is None:
            self._newest = self._connection.execute("SELECT max(id) FROM tasks").fetchall()[0][0] or 0
        task_id = max(first_tick(now), self._newest + 1)
        if task_id < first_tick(now + 1):
            self._newest = self._last[now] = task_id
        else:  # the clock was set back, or another process was faster, or all are taken
            task_id = self._find_free(now)
            self._newest = max(task_id, self._newest)
        if uuid is None:
            return uuid7(task_id), (task_id, False)
        return uuid, (task_id, tick_of(uuid) != task_id)

    def _find_free(self, now: int) -> int:
        while True:
            first, after = first_tick(now), first_tick(now + 1)
            last = (
                self._last.get(now)
                or self._connection.execute(
                    "SELECT max(id) FROM tasks WHERE id >= ? AND id < ?", (first, after)
                ).fetchall()[0][0]
            )
            free = first if last is None else last + 1
            if free < after:
                self._last[now] = free
                return free
            now += 1

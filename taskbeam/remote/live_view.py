"""``watch`` on a terminal: the whole screen is a table, with the state of the connection above and the last change below."""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from taskbeam.output import one_line
from taskbeam.remote.logins import Login
from taskbeam.remote.table import Row, counted, marks_for, table
from taskbeam.remote.task_names import short_names
from taskbeam_client import Event, Snapshot, Task

_NEW_SECONDS: Final = 3.0
_OTHER_LINES: Final = 6  # header, footer, the table's head, what does not fit, blank lines
_REDRAW_SECONDS: Final = 10.0  # the ages grow
_STATES: Final = {
    None: ("connecting", "yellow"),
    True: ("connected", "green"),
    False: ("disconnected, trying again", "bold red"),
}
_NONE: Final = ("No tasks.", "")
_DONE: Final = {"create": "added", "update": "changed", "delete": "deleted"}


class LiveView:
    """Open tasks first, the last changed above; what does not fit is counted."""

    def __init__(self, login: Login, console: Console, live: Live) -> None:
        self._login = login
        self._console = console
        self._live = live
        self._marks = marks_for(console.encoding)
        self._tasks: dict[str, Task] = {}
        self._changed_at: dict[str, float] = {}
        self._is_connected: bool | None = None  # not yet
        self._last_change = Text()
        self._drawn: tuple[object, ...] = ()
        self._changes = 0

    def connected(self, is_connected: bool) -> None:
        self._is_connected = is_connected

    def event(self, event: Event) -> None:
        self._changes += 1
        if isinstance(event, Snapshot):
            self._tasks = {task.uuid: task for task in event.tasks}
            self._changed_at.clear()
        else:
            before = self._tasks.pop(event.task_id, None)
            task = event.task or before
            if event.task is not None:
                self._tasks[event.task_id] = event.task
                self._changed_at[event.task_id] = time.monotonic()
            self._last_change = Text(time.strftime("%H:%M:%S "), "dim")
            self._last_change.append(_said(event.mode, before, event.task))
            self._last_change.append(f" {one_line(task.task) if task else event.task_id}")

    def tick(self) -> None:
        """Draw, if anything differs from what is on the screen."""
        now = time.monotonic()
        self._changed_at = {
            uuid: changed for uuid, changed in self._changed_at.items() if now - changed < _NEW_SECONDS
        }
        state = (
            self._is_connected,
            self._changes,
            len(self._changed_at),
            self._console.size,
            int(now / _REDRAW_SECONDS),
        )
        if state != self._drawn:
            self._drawn = state
            self._live.update(self._screen(), refresh=True)

    def _screen(self) -> Group:
        room = max(1, self._console.size.height - _OTHER_LINES)
        by_change = sorted(self._tasks.values(), key=lambda task: task.time_modified, reverse=True)
        ordered = sorted(by_change, key=lambda task: task.completed)
        names = dict(zip(self._tasks, short_names(list(self._tasks)), strict=True))
        shown = [
            Row(
                None,
                names[task.uuid],
                task.task,
                task.description,
                task.completed,
                task.time_modified,
                is_new=task.uuid in self._changed_at,
            )
            for task in ordered[:room]
        ]
        more = len(ordered) - len(shown)
        parts = [
            self._header(),
            Text(),
            table(shown, marks=self._marks) if shown else Text(_NONE[self._is_connected is None], "dim"),
        ]
        if more:
            parts.append(Text(f"and {more} more", "dim"))
        self._last_change.no_wrap, self._last_change.overflow = True, "ellipsis"
        return Group(*parts, Text(), self._last_change)

    def _header(self) -> Grid:
        done = sum(task.completed for task in self._tasks.values())
        state = Text().append(*_STATES[self._is_connected])
        who = f"  {one_line(self._login.username)} at {self._login.url}"
        grid = Grid.grid(expand=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_column(justify="right", no_wrap=True)
        grid.add_row(state.append(who, "dim"), Text(counted(len(self._tasks) - done, done)))
        return grid


def _said(mode: str, before: Task | None, after: Task | None) -> str:
    if before is not None and after is not None and before.completed != after.completed:
        return "done" if after.completed else "reopened"
    return _DONE[mode]

"""The list of all tasks, got in pages, while others go on writing. Pure; no I/O, no clock.

A page is asked for by its offset, and each page is the list at a ``seq`` of its own. What comes between two pages comes
as changes, each before any page that has it. So one thing can be kept true, and is all there is to it:

    ``tasks`` is the beginning of the list, without a hole, as it is at ``seq``.

- A *change* moves it on. An update or delete of a task that is not in it yet concerns a later page. A create stands at
  the end of the list, which is a later page too; only where clocks disagree it belongs to what is here.
- A *page* that begins within it, or right after it, makes it longer. One that begins beyond it leaves a hole: tasks
  before it were deleted while it was on its way. It is dropped, and the next one begins earlier.
- When it is as long as the list, it is the list.

So it is right at ``seq``, whoever wrote meanwhile; and since it is right after every step, a lost connection costs the
page that was on its way: ``sync`` from ``seq`` brings the changes, and the next page follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from taskbeam_client.models import Change, History, Task

_FIRST_PAGE: Final = 100
_PAGE_LEAST: Final = 10
_PAGE_MOST: Final = 1000
_QUICK_SECONDS: Final = 1.0
_SLOW_SECONDS: Final = 5.0
_FIRST_OVERLAP: Final = 4
_OVERLAP_MOST: Final = _PAGE_MOST // 2


class Listing:
    """Attributes:
    seq: ``None`` before the first page.
    missing: changes after ``seq`` were missed, and only ``sync`` will bring them.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.seq: int | None = None
        self.missing = False
        self._tasks: dict[str, Task] = {}
        self._page = _FIRST_PAGE
        self._overlap = _FIRST_OVERLAP  # tasks that may be deleted while a page is on its way
        self._offset = 0

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(self._tasks.values())

    def request(self) -> dict[str, Any]:
        """The message that asks for the next page."""
        self._offset = max(0, len(self._tasks) - self._overlap)
        return {"mode": "all", "limit": max(self._page, 2 * self._overlap), "offset": self._offset}

    def adapt_page(self, seconds: float) -> None:
        """How long the last page has taken. One that is lost halfway is lost whole, so a slow network gets small ones."""
        if seconds < _QUICK_SECONDS:
            self._page = min(_PAGE_MOST, 2 * self._page)
        elif seconds > _SLOW_SECONDS:
            self._page = max(_PAGE_LEAST, self._page // 2)

    def add(self, page: Sequence[Task], seq: int, count: int | None) -> bool:
        """Take the page that was asked for. Returns whether the list is whole.

        Args:
            count: the length of the list at ``seq``; ``None`` from a server that has no pages, and sends all.

        Raises:
            ValueError: the page cannot be one of such a list.
        """
        if count is None:
            self._offset, count = 0, len(page)
        elif self.seq not in (None, seq):  # changes were missed
            self.missing = True
            return False
        if self._offset > len(self._tasks):
            self._overlap = min(_OVERLAP_MOST, 2 * max(self._overlap, self._offset - len(self._tasks)))
            return False
        if not page and count > self._offset:
            raise ValueError(f"an empty page at {self._offset} of {count}")
        self._tasks = dict(islice(self._tasks.items(), self._offset))
        self._tasks.update((task.uuid, task) for task in page)
        self.seq = seq
        return self._offset + len(page) >= count

    def apply(self, change: Change) -> None:
        """Take the change after ``seq``."""
        self.seq = change.seq
        if change.task is None:
            self._tasks.pop(change.task_id, None)
        elif change.mode == "create":
            self._insert(change.task)
        elif change.task_id in self._tasks:
            self._tasks[change.task_id] = change.task

    def _insert(self, task: Task) -> None:
        """Where it belongs, if that is here. At the very time of the last one there may be others, in a later page, whose
        order only the server knows: those that are here are left to that page too."""
        newest = next(reversed(self._tasks.values()), None)
        if newest is None or task.time_created > newest.time_created:
            return
        if task.time_created == newest.time_created:
            earlier = (item for item in self._tasks.items() if item[1].time_created < task.time_created)
            self._tasks = dict(earlier)
            return
        self._tasks[task.uuid] = task
        self._tasks = dict(sorted(self._tasks.items(), key=lambda item: item[1].time_created))

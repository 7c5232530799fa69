"""Short lists that were read, kept for the same query until their user writes."""

from __future__ import annotations

from typing import Final

from shared.models import TaskPage, TaskQuery

_PAGE_MAX: Final = 32 * 1024  # bytes; with the next bound, 32 MiB in all
_PAGES_MAX: Final = 1000


class ListCache:
    """Short lists by user and query.

    Every change of a user's tasks, by whichever process, takes the user's next seq, so a list at one seq is always the
    same. A page needs no expiry: the caller reads the seq from the database and asks for the page of that seq.
    """

    def __init__(self) -> None:
        self._pages: dict[tuple[int, TaskQuery], TaskPage] = {}

    def get(self, user_id: int, query: TaskQuery, seq: int) -> TaskPage | None:
        """The list at that seq, if it is kept."""
        page = self._pages.get((user_id, query))
        return page if page is not None and page.seq == seq else None

    def keep(self, user_id: int, query: TaskQuery, page: TaskPage) -> None:
        """Keep a page, unless it is long."""
        if len(page.json) <= _PAGE_MAX:
            if len(self._pages) >= _PAGES_MAX:
                self._pages.clear()  # evicting one at a time would cost every hit something
            self._pages[user_id, query] = page

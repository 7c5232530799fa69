"""Short lists that were read, kept for whoever asks the same again before their user writes."""

from __future__ import annotations

from typing import Final

from shared.models import TaskPage, TaskQuery

_PAGE_MAX: Final = 32 * 1024  # bytes; with the next bound, 32 MiB in all
_PAGES_MAX: Final = 1000


class Pages:
    """Every change of a user's tasks, by whichever process, has the user's next seq: at one seq a list is always the same.

    So nothing is ever dropped because it is old; who reads must bring the seq from the database.
    """

    def __init__(self) -> None:
        self._pages: dict[tuple[int, TaskQuery], TaskPage] = {}

    def get(self, user_id: int, query: TaskQuery, seq: int) -> TaskPage | None:
        """The list as it is at that seq, if it is known."""
        page = self._pages.get((user_id, query))
        return page if page is not None and page.seq == seq else None

    def keep(self, user_id: int, query: TaskQuery, page: TaskPage) -> None:
        """To drop all when there are too many needs nothing at a hit."""
        if len(page.json) <= _PAGE_MAX:
            if len(self._pages) >= _PAGES_MAX:
                self._pages.clear()
            self._pages[user_id, query] = page

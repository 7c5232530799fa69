"""Opening the database that a URL names: the one module that knows which engines there are, a line for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from shared.feed import ChangeFeed
from shared.feed.tail import open_tail
from shared.store import Store
from shared.store.sqlite.database_path import file_of
from shared.store.sqlite.opening import open_sqlite


class Database(NamedTuple):
    """An open database.

    Args:
        store: what is stored.
        open_feed: the change feed from now on, for a process of that name; should it fail, the body is cancelled.
        beside: the path of a file of ours, by its suffix.
    """

    store: Store
    open_feed: Callable[[str], AbstractAsyncContextManager[ChangeFeed]]
    beside: Callable[[str], Path]


def open_database(url: str) -> AbstractAsyncContextManager[Database]:
    """Open the database, its schema up to date; closed again on exit.

    Should its own background work die, the body is cancelled and the error raised.

    Args:
        url: as the setting ``database_url`` has it.

    Raises:
        Unavailable: the database cannot be opened.
    """
    scheme, _, _ = url.partition(":")
    return _ENGINES[scheme](url)


@asynccontextmanager
async def _open_sqlite(url: str) -> AsyncIterator[Database]:
    async with open_sqlite(file_of(url)) as store:
        beside = store.path.beside
        yield Database(store, lambda process: open_tail(store, beside("-wake"), process), beside)


_ENGINES: Final[dict[str, Callable[[str], AbstractAsyncContextManager[Database]]]] = {
    "sqlite": _open_sqlite,
}

"""What an engine must offer to be tested, beside the contract."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from shared.errors import TaskbeamError
from shared.store import Store
from tests.support.stores import open_store


class Engine(ABC):
    """A database in a folder of its own: empty as long as the folder is new."""

    def __init__(self, folder: Path) -> None:
        self.url = self.url_in(folder)

    def open(self) -> AbstractAsyncContextManager[Store]:
        """Opened twice, it is what two processes have."""
        return open_store(self.url)

    @staticmethod
    @abstractmethod
    def url_in(folder: Path) -> str: ...

    async def in_one_group(self, store: Store, *attempts: Coroutine[Any, Any, Any]) -> list[Any]:
        """What is asked for at once is written in one transaction: the results, or the errors that refused them."""
        commits = await self.count_commits(store)
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert commits() == 1
        for outcome in outcomes:
            assert not isinstance(outcome, BaseException) or isinstance(outcome, TaskbeamError)
        return outcomes

    # What an operator does by hand, beside the stores that are open

    @abstractmethod
    async def disable_user(self, user_id: int) -> None: ...
    @abstractmethod
    async def remove_user(self, user_id: int) -> None: ...
    @abstractmethod
    async def revoke_tokens_until(self, user_id: int, seconds: int) -> None: ...
    @abstractmethod
    async def revoke_family(self, sid: str) -> None: ...
    @abstractmethod
    async def remove_sessions(self, user_id: int) -> None: ...

    # What only the engine can tell

    @abstractmethod
    async def kept(self) -> list[str]:
        """The families, then the exchanged tokens, then the families that are announced as revoked."""

    @abstractmethod
    async def count_commits(self, store: Store) -> Callable[[], int]:
        """From now on: the number of transactions that the store has begun, each of which was committed."""

    @abstractmethod
    async def assert_idle(self, store: Store) -> None:
        """None of the store's connections is in a transaction."""

    @abstractmethod
    async def assert_sound(self) -> None:
        """What is stored is whole, counters agree with rows, and no user's change log has a hole or was pruned."""

"""A semaphore with a fair, bounded queue: one requester's many requests keep no other waiting long, or out."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from typing import Final, NamedTuple

from shared.errors import Unavailable

_Waiters = deque[asyncio.Future[None]]

_STOPPING: Final = "this process stops"
_TOO_MANY: Final = "too many passwords waiting to be hashed"


class Requester(NamedTuple):
    """The address that a request comes from, and the account that it is about."""

    address: str
    account: str


class FairSemaphore:
    """Lets so many in at once, the others in turn: addresses in rotation, and the accounts of one address in rotation.

    When the queue is full, the newest request of the requester with most in it makes room for one with less.

    Args:
        value: how many may hold it at a time.
        waiting_max: how many may wait for it.
    """

    def __init__(self, value: int, waiting_max: int) -> None:
        self._free = value
        self._waiting_max = waiting_max
        self._waiting = 0
        self._is_closed = False
        self._addresses: OrderedDict[str, OrderedDict[str, _Waiters]] = OrderedDict()

    async def acquire(self, requester: Requester) -> None:
        """Wait for a turn; the caller must ``release`` it.

        Raises:
            Unavailable: too many are waiting, or it is closed and nothing is free.
        """
        if self._free:
            self._free -= 1
            return
        if self._is_closed:
            raise Unavailable(_STOPPING)
        if self._waiting >= self._waiting_max:
            self._make_room_for(requester)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        accounts = self._addresses.setdefault(requester.address, OrderedDict())
        accounts.setdefault(requester.account, deque()).append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.done() or turn.cancelled():
                self._remove(requester, turn)
            elif turn.exception() is None:
                self.release()  # the turn came at the same time
            raise

    def release(self) -> None:
        """Let the next one in."""
        while self._addresses:
            address, accounts = self._addresses.popitem(last=False)
            account, waiters = accounts.popitem(last=False)
            turn = waiters.popleft()
            self._waiting -= 1
            if waiters:
                accounts[account] = waiters
            if accounts:
                self._addresses[address] = accounts
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def close(self) -> None:
        """Refuse the requests that wait, and later ones that would have to."""
        self._is_closed = True
        for accounts in self._addresses.values():
            for waiters in accounts.values():
                for turn in waiters:
                    if not turn.done():
                        turn.set_exception(Unavailable(_STOPPING))
        self._addresses.clear()
        self._waiting = 0

    def _make_room_for(self, requester: Requester) -> None:
        """Refuse the newest request of the one with most waiting, if those are more than the requester's. Raises Unavailable."""
        own = self._addresses.get(requester.address, OrderedDict())
        address, accounts = max(self._addresses.items(), key=lambda item: _count(item[1]))
        spares = _count(accounts) > _count(own) + 1
        if not spares:
            address, accounts = requester.address, own
        account, waiters = max(accounts.items(), key=lambda item: len(item[1]), default=("", _Waiters()))
        if not spares and len(waiters) <= len(own.get(requester.account, ())) + 1:
            raise Unavailable(_TOO_MANY)
        turn = waiters[-1]
        self._remove(Requester(address, account), turn)
        if not turn.done():
            turn.set_exception(Unavailable(_TOO_MANY))

    def _remove(self, requester: Requester, turn: asyncio.Future[None]) -> None:
        accounts = self._addresses.get(requester.address, OrderedDict())
        waiters = accounts.get(requester.account, deque())
        with suppress(ValueError):
            waiters.remove(turn)
            self._waiting -= 1
        if not waiters:
            accounts.pop(requester.account, None)
        if not accounts:
            self._addresses.pop(requester.address, None)


def _count(accounts: OrderedDict[str, _Waiters]) -> int:
    return sum(len(waiters) for waiters in accounts.values())

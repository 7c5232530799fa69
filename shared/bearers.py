"""Whether those who bear the tokens of open sockets, long polls and event streams still stand.

A revocation of ours is in the change feed, and ends them at once. What ends a token otherwise, another program that
disables a user, say, is found here: all are looked at together, and only when something was written at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from shared.accounts import AccountService
from shared.errors import Unavailable
from shared.tokens import Token

_LOOK_SECONDS: Final = 0.7  # so that it is over within a second
_AT_ONCE: Final = 500  # for one query: about two milliseconds


class Bearer(Protocol):
    """Somebody to be watched. ``bearer`` is the token, ``None`` where there is none to look at now."""

    @property
    def bearer(self) -> Token | None: ...

    def on_revocation(self, sid: str | None) -> None:
        """The token may be good for nothing any more; must not block or raise."""
        ...


async def watch_bearers(everybody: Callable[[], Sequence[Bearer]], accounts: AccountService) -> None:
    """Look until cancelled; to be run as one supervised task."""
    seen: int | None = None
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        bearers = everybody()
        if not bearers:
            continue
        try:
            version = await accounts.version()
            if version != seen:
                await _look(bearers, accounts)
                seen = version
        except Unavailable:
            pass  # the next look tells


async def _look(bearers: Sequence[Bearer], accounts: AccountService) -> None:
    for start in range(0, len(bearers), _AT_ONCE):
        by_token: dict[Token, list[Bearer]] = {}
        for bearer in bearers[start : start + _AT_ONCE]:
            if (token := bearer.bearer) is not None:
                by_token.setdefault(token, []).append(bearer)
        if by_token:
            for token in await accounts.fallen(list(by_token)):
                for bearer in by_token[token]:
                    bearer.on_revocation(token.sid)

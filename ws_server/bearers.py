"""Whether those who bear the tokens of open sockets still stand.

A revocation of ours is in the change feed, and closes its sockets at once. What ends a token otherwise, another program that
disables a user, say, is found here: all are looked at together, and only when something was written at all.
"""

from __future__ import annotations

import asyncio
from typing import Final

from shared.accounts import AccountService
from shared.errors import Unavailable
from shared.tokens import Token
from ws_server.hub import Hub, Subscriber

_LOOK_SECONDS: Final = 0.7  # so that a socket is closed within a second
_AT_ONCE: Final = 500  # sockets for one query: about two milliseconds


async def watch_bearers(hub: Hub, accounts: AccountService) -> None:
    """Look until cancelled; to be run as one supervised task."""
    seen: int | None = None
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            version = await accounts.version()
            if version != seen:
                await _look(hub, accounts)
                seen = version
        except Unavailable:
            pass  # the next look tells


async def _look(hub: Hub, accounts: AccountService) -> None:
    subscribers = hub.subscribers()
    for start in range(0, len(subscribers), _AT_ONCE):
        bearers: dict[Token, list[Subscriber]] = {}
        for subscriber in subscribers[start : start + _AT_ONCE]:
            if (token := subscriber.bearer) is not None:
                bearers.setdefault(token, []).append(subscriber)
        if bearers:
            for token in await accounts.fallen(list(bearers)):
                for subscriber in bearers[token]:
                    subscriber.on_revocation(token.sid)

"""Ends open sockets, long polls and event streams whose token is no longer good.

A revocation of ours is in the change feed and ends them at once. What ends a token otherwise, such as another program
that disables a user, is found here: all tokens are checked together, and only after something was written that may be such an end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from shared.auth.authenticator import Authenticator
from shared.errors import Unavailable
from shared.models import Token

_INTERVAL_SECONDS: Final = 0.7  # so that a check is over within a second
_TOKENS_AT_ONCE: Final = 500  # for one query: about two milliseconds


class TokenHolder(Protocol):
    """Something open that lives by an access token. ``token`` is ``None`` while it has none to check."""

    @property
    def token(self) -> Token | None: ...

    def on_revocation(self, sid: str | None) -> None:
        """The token may be revoked; must not block or raise."""
        ...


async def watch_tokens(holders: Callable[[], Sequence[TokenHolder]], authenticator: Authenticator) -> None:
    """Check until cancelled; to be run as one supervised task."""
    checked_version: int | None = None
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        if not holders():
            continue
        try:
            version = await authenticator.version()
            if version != checked_version:
                await _check(holders(), authenticator)  # whoever comes later has the newer state
                checked_version = version
        except Unavailable:
            pass  # tried again at the next interval


async def _check(holders: Sequence[TokenHolder], authenticator: Authenticator) -> None:
    for start in range(0, len(holders), _TOKENS_AT_ONCE):
        by_token: dict[Token, list[TokenHolder]] = {}
        for holder in holders[start : start + _TOKENS_AT_ONCE]:
            if (token := holder.token) is not None:
                by_token.setdefault(token, []).append(holder)
        if by_token:
            for token in await authenticator.ended_tokens(list(by_token)):
                for holder in by_token[token]:
                    holder.on_revocation(token.sid)

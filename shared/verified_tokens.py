"""Access tokens that were found good a moment ago, so that not every request has its token verified anew."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from shared.clock import Clock
from shared.models import Change
from shared.store import Revocation
from shared.tokens import Token

_ENTRIES_MAX: Final = 10_000  # a token of ours and its claims take about a kilobyte


class VerifiedTokens:
    """By its text, each token that was verified and whose bearer stood, until it expires or is revoked.

    A listener of the change feed, which brings every process's revocations (see
    ``shared.changes.FeedListener``); the accounts of this process tell of their own before they answer.
    So whatever else may end a token, disabling its user for one, must write a revocation.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self.revocations_heard = 0

    def get(self, encoded: str) -> Token | None:
        token = self._tokens.get(encoded)
        if token is not None and token.exp * 1_000_000 <= self._clock():
            del self._tokens[encoded]
            return None
        return token

    def keep(self, encoded: str, token: Token, revocations_heard: int) -> None:
        """Remember a good token, unless a revocation was heard since the caller began to ask for its bearer.

        Args:
            revocations_heard: as it was before the store was asked. What the store has said may be
                older than the revocation, which would not be heard again.
        """
        if revocations_heard != self.revocations_heard:
            return
        if len(self._tokens) >= _ENTRIES_MAX:
            self._tokens.clear()  # dearer than dropping the eldest, but rare, and it takes the expired ones along
        self._tokens[encoded] = token

    def forget(self, users: Container[int]) -> None:
        """The users' tokens, or some of them, are revoked."""
        self.revocations_heard += 1
        for encoded in [encoded for encoded, token in self._tokens.items() if token.user_id in users]:
            del self._tokens[encoded]

    def on_changes(self, changes: list[Change]) -> None:
        """Tasks say nothing about tokens."""

    def on_revocations(self, revocations: list[Revocation]) -> None:
        self.forget({revocation.user_id for revocation in revocations})

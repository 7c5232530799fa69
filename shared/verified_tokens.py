"""Access tokens that were found good before, so that not every request has its token verified anew."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from shared.clock import Clock, uptime
from shared.models import Change
from shared.store import Revocation
from shared.tokens import Token

BELIEVED_SECONDS: Final = 1.0  # that a bearer stands, without asking the store again
_ENTRIES_MAX: Final = 10_000  # a token of ours and its claims take about a kilobyte


class _Entry:
    __slots__ = ("believed_until", "token")

    def __init__(self, token: Token) -> None:
        self.token = token
        self.believed_until = 0.0  # by the uptime, which nobody sets


class VerifiedTokens:
    """By its text, each token whose signature was verified, until it expires or is revoked; and when its bearer
    was found to stand.

    A listener of the change feed, which brings every process's revocations (see
    ``shared.feed.tail.FeedListener``); the accounts of this process tell of their own before they answer.
    Whatever else may end a token, as disabling its user, shows after ``BELIEVED_SECONDS``.
    """

    def __init__(self, clock: Clock, uptime: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._uptime = uptime
        self._entries: dict[str, _Entry] = {}
        self.revocations_heard = 0

    def get(self, encoded: str) -> Token | None:
        """The claims of a verified token that has not expired; whether its bearer stands is another question."""
        entry = self._entries.get(encoded)
        if entry is None:
            return None
        if entry.token.exp * 1_000_000 <= self._clock():
            del self._entries[encoded]
            return None
        return entry.token

    def get_standing(self, encoded: str) -> Token | None:
        """As ``get``, of a token whose bearer stands, as far as this process has heard."""
        token = self.get(encoded)
        return token if token and self._uptime() < self._entries[encoded].believed_until else None

    def keep(self, encoded: str, token: Token) -> None:
        """Remember a token whose signature was verified."""
        if len(self._entries) >= _ENTRIES_MAX:
            self._entries.clear()  # dearer than dropping the eldest, but rare, and it takes the expired ones along
        self._entries[encoded] = _Entry(token)

    def keep_standing(self, encoded: str, revocations_heard: int) -> None:
        """Remember that the bearer stands, unless a revocation was heard since the caller began to ask.

        Args:
            revocations_heard: as it was before the store was asked. What the store has said may be
                older than the revocation, which would not be heard again.
        """
        entry = self._entries.get(encoded)
        if entry is not None and revocations_heard == self.revocations_heard:
            entry.believed_until = self._uptime() + BELIEVED_SECONDS

    def forget(self, users: Container[int]) -> None:
        """The users' tokens, or some of them, are revoked."""
        self.revocations_heard += 1
        for encoded in [encoded for encoded, entry in self._entries.items() if entry.token.user_id in users]:
            del self._entries[encoded]

    def wants_changes(self) -> bool:
        return False

    def on_changes(self, changes: list[Change]) -> None:
        """Tasks say nothing about tokens."""

    def on_revocations(self, revocations: list[Revocation]) -> None:
        self.forget({revocation.user_id for revocation in revocations})

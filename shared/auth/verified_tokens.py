"""A cache of verified access tokens, so that not every request verifies a signature and asks the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container
from typing import Final

from shared.clock import Clock, uptime
from shared.models import Change, Revocation, Token

ACTIVE_SECONDS: Final = 1.0  # how long the store's answer that a token is active is reused
_ENTRIES_MAX: Final = 10_000  # a token of ours and its claims take about a kilobyte


class _Entry:
    __slots__ = ("active_until", "token")

    def __init__(self, token: Token) -> None:
        self.token = token
        self.active_until = 0.0  # by the uptime, which nobody can set


class VerifiedTokens:
    """The claims of each token whose signature was verified, by its text, until it expires or is revoked; and whether
    the store found it active (not revoked, of an active user) within the last ``ACTIVE_SECONDS``.

    A listener of the change feed, which brings every process's revocations (see ``shared.feed.FeedListener``).
    This process's own are told by ``forget``, before their caller is answered. What ends a token without writing a
    revocation, such as a user disabled by another program, shows after ``ACTIVE_SECONDS``.
    """

    def __init__(self, clock: Clock, uptime: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._uptime = uptime
        self._entries: dict[str, _Entry] = {}
        self.revocations_heard = 0

    def get(self, encoded: str) -> Token | None:
        """The claims of a verified token that has not expired. It may be revoked: see ``get_active``."""
        entry = self._entries.get(encoded)
        if entry is None:
            return None
        if entry.token.exp * 1_000_000 <= self._clock():
            del self._entries[encoded]
            return None
        return entry.token

    def get_active(self, encoded: str) -> Token | None:
        """As ``get``, of a token that was active when the store was last asked, less than ``ACTIVE_SECONDS`` ago."""
        token = self.get(encoded)
        return token if token and self._uptime() < self._entries[encoded].active_until else None

    def keep(self, encoded: str, token: Token) -> None:
        """Remember a token whose signature was verified."""
        if len(self._entries) >= _ENTRIES_MAX:
            self._entries.clear()  # costs more than evicting the oldest, but is rare, and drops the expired ones too
        self._entries[encoded] = _Entry(token)

    def mark_active(self, encoded: str, revocations_heard: int) -> None:
        """Remember that the store found the token active, unless a revocation was heard since it was asked.

        Args:
            revocations_heard: as it was before the store was asked. The store's answer may be older than the
                revocation, which would not be heard again.
        """
        entry = self._entries.get(encoded)
        if entry is not None and revocations_heard == self.revocations_heard:
            entry.active_until = self._uptime() + ACTIVE_SECONDS

    def forget(self, users: Container[int]) -> None:
        """Tokens of these users were revoked: forget all that they have."""
        self.revocations_heard += 1
        for encoded in [encoded for encoded, entry in self._entries.items() if entry.token.user_id in users]:
            del self._entries[encoded]

    def users(self) -> Collection[int]:
        return ()

    def on_changes(self, changes: list[Change]) -> None:
        """Tasks say nothing about tokens."""

    def on_revocations(self, revocations: list[Revocation]) -> None:
        self.forget({revocation.user_id for revocation in revocations})

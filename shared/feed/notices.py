"""What a feed does with a notice of a change, which may come late, twice, out of order or not at all. Pure."""

from __future__ import annotations

import enum


class Step(enum.Enum):
    """What becomes of a change that a notice tells of."""

    DELIVER = "deliver"
    DROP = "drop"  # it was delivered before
    READ = "read"  # changes before it are missing: the log has them


def step(last: int, seq: int, *, has_change: bool = True) -> Step:
    """What to do about the change ``seq`` of a user.

    Args:
        last: the seq of the user's last change that was delivered.
        has_change: whether the notice brings the change itself.
    """
    if seq <= last:
        return Step.DROP
    return Step.DELIVER if has_change and seq == last + 1 else Step.READ


class Followed:
    """One user whose changes are handed on: which was the last, and what is known to be missing.

    A seq that is known to be committed stays known until it is delivered, so a read that was begun before it
    was committed is followed by another.
    """

    __slots__ = ("known", "last", "missing_since")

    def __init__(self, seq: int) -> None:
        self.last = seq
        self.known = seq  # committed, as far as was heard
        self.missing_since: float | None = None  # by the monotonic clock; None where nothing is missing

    def hear(self, seq: int, now: float, *, has_change: bool = True) -> Step:
        """Of the change ``seq``, which was committed. After DELIVER the caller hands it on."""
        what = step(self.last, seq, has_change=has_change)
        self.known = max(self.known, seq)
        if what is Step.DELIVER:
            self.last = seq
            if self.known == seq:
                self.missing_since = None
        elif what is Step.READ and self.missing_since is None:
            self.missing_since = now
        return what

    def restart(self, seq: int) -> None:
        """The log does not have what is missing any more: go on with the newest change, ``seq``, behind a gap."""
        self.last, self.known = max(seq - 1, 0), seq
        if not self.missing:
            self.missing_since = None

    @property
    def missing(self) -> int:
        """How many changes are known to be committed and not delivered."""
        return self.known - self.last

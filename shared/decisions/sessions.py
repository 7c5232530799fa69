"""Token families: what ends a token, and what becomes of a refresh token that is exchanged for the next one.

A login begins a family, which its tokens name (``sid``). Each refresh token is exchanged once. One that comes again after
a grace period was copied, so its family ends (RFC 9700, section 4.14.2). The tokens of djangorestframework-simplejwt name no
family: the first exchange of one begins a family, and a new password ends all that were issued before.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple, TypeGuard

from shared.clock import ClockReading
from shared.models import Token, User

LONG_AGO: Final = ClockReading(0, 0, "")  # longer than any grace

EXCHANGES_KEPT: Final = 256  # of a family, at least
SUM_UP_EVERY: Final = 64  # exchanges
_KEPT_AFTER_GRACE_SECONDS: Final = 60


class Family(NamedTuple):
    """The tokens that come from one login; times in Unix seconds.

    ``expires``: no token of the family lives longer. ``exchanged_until``: its refresh tokens that were issued up to then
    were all exchanged, long ago (see ``exchanges_to_sum_up``).
    """

    user_id: int
    expires: int
    is_revoked: bool
    exchanged_until: int


class Exchange(NamedTuple):
    """The first exchange of a refresh token: the family that it belongs to or began, and when."""

    sid: str
    at: ClockReading


class TokenStatus(NamedTuple):
    """Whether a token is revoked, and its user as of now.

    ``revoked``: its family was, or it has none and was issued before all of the user's tokens were. ``seq``: of the
    user's newest change. ``expires``: the end of the family in Unix seconds, 0 without one. ``exchanged``: when this
    refresh token was exchanged for another, ``None``: never.
    """

    user: User
    revoked: bool
    seq: int
    expires: int
    exchanged: ClockReading | None


class ExchangeOutcome(Enum):
    """What becomes of a refresh token that is brought for an exchange."""

    REFUSED = auto()  # it is revoked
    BEGINS_FAMILY = auto()  # with the sid that the caller has ready; to be noted as exchanged
    FIRST = auto()  # the family goes on; to be noted as exchanged
    REPEATED = auto()  # within the grace: two tabs, or an answer that was lost; the family goes on
    REUSED = auto()  # after the grace: the family is to be revoked


def family_id(token: Token, exchange: Exchange | None) -> str | None:
    """A token names its family; one of simplejwt's belongs to the family that its exchange began, if it did."""
    return token.sid if exchange is None else token.sid or exchange.sid


def token_status(
    token: Token, user: User, revoked_until: int, seq: int, exchange: Exchange | None, family: Family | None
) -> TokenStatus:
    """The status of a token, from what is stored.

    Args:
        revoked_until: Unix seconds; the user's tokens without a family that were issued up to then are revoked. 0: none.
        exchange: the refresh token's, if there was one.
        family: the one named by ``family_id``, if it exists.
    """
    exchanged = _exchanged_at(token, exchange, family)
    if family_id(token, exchange) is None:
        return TokenStatus(user, revoked_until > 0 and token.iat <= revoked_until, seq, 0, exchanged)
    if family is None or family.is_revoked or family.user_id != token.user_id:
        return TokenStatus(user, True, seq, 0, exchanged)
    return TokenStatus(user, False, seq, family.expires, exchanged)


def _exchanged_at(token: Token, exchange: Exchange | None, family: Family | None) -> ClockReading | None:
    if token.token_type != "refresh":
        return None
    if exchange is not None:
        return exchange.at
    return LONG_AGO if family is not None and token.iat <= family.exchanged_until else None


def is_active(status: TokenStatus | None) -> TypeGuard[TokenStatus]:
    """Whether a token is good: not revoked, and of an active user; ``None``: its user is gone."""
    return status is not None and not status.revoked and status.user.is_active


def is_reused(status: TokenStatus, at: ClockReading, grace: int) -> bool:
    """Whether a refresh token comes again more than ``grace`` seconds after its first exchange."""
    return status.exchanged is not None and at.seconds_since(status.exchanged) > grace


def decide_exchange(
    status: TokenStatus | None, sid: str | None, at: ClockReading, grace: int
) -> ExchangeOutcome:
    """What becomes of a refresh token that is brought to be exchanged.

    Args:
        status: the refresh token's.
        sid: its ``family_id``.
        at: now.
        grace: seconds after its first exchange in which it may come again.
    """
    if sid is None:
        return ExchangeOutcome.BEGINS_FAMILY if is_active(status) else ExchangeOutcome.REFUSED
    if status is None or status.revoked:
        return ExchangeOutcome.REFUSED
    if is_reused(status, at, grace):
        return ExchangeOutcome.REUSED
    return ExchangeOutcome.FIRST if status.exchanged is None else ExchangeOutcome.REPEATED


class OldExchanges(NamedTuple):
    """The exchanges of a family up to a number that were made in another run of the machine, or before an uptime in it."""

    last: int
    boot: str
    uptime: float


def exchanges_to_sum_up(number: int, at: ClockReading, grace: int) -> OldExchanges | None:
    """Which exchanges of a family to forget, so that their number is bounded; ``None``: none now.

    The family's ``exchanged_until`` stands for them: the latest time at which one of their tokens was issued. A client
    that is that many exchanges behind is not a legitimate one. An exchange that may be within its grace is kept.

    Args:
        number: how many exchanges the family has had, with the one that is made ``at`` this time.
    """
    if number % SUM_UP_EVERY:
        return None
    return OldExchanges(number - EXCHANGES_KEPT, at.boot, at.uptime - grace - _KEPT_AFTER_GRACE_SECONDS)

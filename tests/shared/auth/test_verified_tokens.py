"""The tokens that need no verifying: remembered while they are good, and not a moment longer."""

from __future__ import annotations

import pytest

from shared.auth import verified_tokens
from shared.auth.verified_tokens import VerifiedTokens
from shared.models import Revocation, Token
from tests.shared.auth.set_clock import NOW, SetClock


def token(user_id: int, exp: int = NOW + 60) -> Token:
    return Token("access", user_id, "0" * 32, NOW, exp, None)


def known(verified: VerifiedTokens, text: str, token: Token) -> None:
    """The token was verified, and the store found it active."""
    verified.keep(text, token)
    verified.mark_active(text, verified.revocations_heard)


def test_a_token_is_known_until_it_expires() -> None:
    clock = SetClock()
    verified = VerifiedTokens(clock, clock.uptime)
    known(verified, "a", token(1))
    clock.seconds = NOW + 59.999_999
    assert verified.get("a") == token(1)
    clock.seconds = NOW + 60
    assert verified.get("a") is None
    assert verified.get_active("a") is None


def test_a_token_is_taken_for_active_for_a_second() -> None:
    clock = SetClock()
    verified = VerifiedTokens(clock, clock.uptime)
    verified.keep("a", token(1))
    assert verified.get_active("a") is None
    verified.mark_active("a", verified.revocations_heard)
    clock.seconds = NOW + 0.999_999
    assert verified.get_active("a") == token(1)
    clock.seconds = NOW + 1
    assert verified.get_active("a") is None


def test_how_long_a_token_is_taken_for_active_is_not_for_the_clock_to_say() -> None:
    clock, seconds = SetClock(), 0.0
    verified = VerifiedTokens(clock, lambda: seconds)
    known(verified, "a", token(1))
    clock.seconds = NOW - 86_400
    seconds = 0.999
    assert verified.get_active("a") == token(1)
    seconds = 1.0
    assert verified.get_active("a") is None


def test_a_revocation_ends_all_tokens_of_its_user_and_no_others() -> None:
    verified = VerifiedTokens(SetClock())
    for text, user_id in (("a", 1), ("b", 1), ("c", 2), ("d", 3)):
        known(verified, text, token(user_id))
    verified.on_revocations([Revocation(1, "family"), Revocation(3, None)])
    assert [verified.get(text) for text in "abcd"] == [None, None, token(2), None]
    assert [verified.get_active(text) for text in "abcd"] == [None, None, token(2), None]


def test_what_was_found_before_a_revocation_is_not_kept_after_it() -> None:
    verified = VerifiedTokens(SetClock())
    verified.keep("a", token(1))
    heard = verified.revocations_heard
    verified.on_revocations([Revocation(2, None)])
    verified.mark_active("a", heard)
    assert verified.get_active("a") is None


def test_the_number_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified_tokens, "_ENTRIES_MAX", 100)
    verified = VerifiedTokens(SetClock())
    for number in range(1050):
        known(verified, str(number), token(number))
        assert verified.get(str(number)) is not None
    assert sum(verified.get(str(number)) is not None for number in range(1050)) <= 100

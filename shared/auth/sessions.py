"""Sessions: log in, refresh, verify, log out. Each login begins a family of tokens, see ``shared.decisions.sessions``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from shared.auth.authenticator import Authenticator
from shared.auth.hash_renewal import HashRenewal
from shared.auth.password_check import TRIES, PasswordCheck
from shared.auth.tokens import BLACKLISTED, TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import ClockReading
from shared.decisions.sessions import TokenStatus, is_reused
from shared.errors import CredentialsRejected, TokenRejected, UserGone
from shared.models import Token, User
from shared.settings import Settings
from shared.store import Store

_PATIENCE_MAX: Final = 3600


class TokenPair(NamedTuple):
    """``refresh`` is ``None`` where a refresh did not bring a new one."""

    access: str
    refresh: str | None


class SessionService:
    """The sessions of all users, the same for both transports.

    Args:
        passwords: checks the password of a login.
        renewal: is offered the password of each login.
        verified: forgets the tokens that are revoked here.
        now: reads the clocks.
    """

    def __init__(
        self,
        store: Store,
        codec: TokenCodec,
        authenticator: Authenticator,
        passwords: PasswordCheck,
        renewal: HashRenewal,
        verified: VerifiedTokens,
        settings: Settings,
        now: Callable[[], ClockReading],
    ) -> None:
        self._store = store
        self._codec = codec
        self._authenticator = authenticator
        self._passwords = passwords
        self._renewal = renewal
        self._verified = verified
        self._settings = settings
        self._now = now
        self._patience = min(_PATIENCE_MAX, settings.refresh_token_seconds)

    async def login(self, username: str, password: str, address: str) -> TokenPair:
        """Begin a session. Takes as long for an unknown user as for a wrong password.

        Args:
            address: the requester's: an IPv4 address or an IPv6 network of 64 bits.

        Raises:
            CredentialsRejected: unknown user, wrong password, or a user who is not active.
            Throttled: too many wrong passwords, for the account or from the address.
        """
        for _ in range(TRIES):
            user = await self._passwords.user_by_credentials(username, password, address)
            if user is None or not user.is_active:
                raise CredentialsRejected
            try:
                pair = await self._begin_family(user, address)
            except UserGone:  # or its password was changed, or rehashed, while this one was checked
                continue
            self._renewal.offer(user, password)
            return pair
        raise CredentialsRejected

    async def issue(self, user: User) -> TokenPair:
        """Tokens of a family of their own, for an operator to hand out. Raises UserGone."""
        return await self._begin_family(user, None)

    async def _begin_family(self, user: User, address: str | None) -> TokenPair:
        sid = secrets.token_hex(16)
        refresh, token = self._issue_refresh(user.id, sid)
        access, _ = self._issue_access(user.id, sid)
        await self._store.begin_family(
            sid, user, self._family_end(token.exp), address, self._now(), self._patience
        )
        return TokenPair(access, refresh)

    async def refresh(self, encoded: str) -> TokenPair:
        """A new access token; with rotation, a new refresh token too.

        Raises:
            TokenRejected: UserGone and UserInactive among them.
        """
        token = self._codec.verify(encoded, "refresh")
        status = await self._authenticator.require_active(token)
        if self._settings.rotate_refresh_tokens or self._is_reused(status):
            return await self._exchange(token)
        access, issued = self._issue_access(token.user_id, token.sid)
        outlives_family = issued.exp > status.expires  # the setting was raised since the login
        if token.sid is not None and outlives_family:
            await self._extend_family(token.sid, issued.exp)
        return TokenPair(access, None)

    async def _exchange(self, token: Token) -> TokenPair:
        settings, now = self._settings, self._now()
        end = self._family_end(max(token.exp, now.time + settings.refresh_token_seconds))
        sid = await self._store.exchange_token(
            token, secrets.token_hex(16), end, now, settings.refresh_grace_seconds, self._patience
        )
        if sid is None:
            self._verified.forget((token.user_id,))
            raise TokenRejected(BLACKLISTED)
        refresh, _ = self._issue_refresh(token.user_id, sid)
        access, _ = self._issue_access(token.user_id, sid)
        return TokenPair(access, refresh)

    async def verify(self, encoded: str) -> None:
        """Whether a token of either type would be accepted. Raises TokenRejected."""
        token = self._codec.verify(encoded, None)
        if self._is_reused(await self._authenticator.require_active(token)):
            raise TokenRejected(BLACKLISTED)

    async def logout(self, encoded: str) -> None:
        """End the refresh token and its family. Raises TokenRejected."""
        token = self._codec.verify(encoded, "refresh")
        await self._authenticator.require_active(token)
        await self._store.end_family(token, secrets.token_hex(16), self._now())
        self._verified.forget((token.user_id,))

    async def _extend_family(self, sid: str, expires: int) -> None:
        """Raises TokenRejected where it was revoked meanwhile."""
        if not await self._store.extend_family(sid, expires):
            raise TokenRejected(BLACKLISTED)

    def _issue_refresh(self, user_id: int, sid: str) -> tuple[str, Token]:
        return self._codec.issue("refresh", user_id, sid, self._settings.refresh_token_seconds)

    def _issue_access(self, user_id: int, sid: str | None) -> tuple[str, Token]:
        return self._codec.issue("access", user_id, sid, self._settings.access_token_seconds)

    def _family_end(self, refresh_end: int) -> int:
        """When the last access token expires that this refresh token may bring."""
        return refresh_end + self._settings.access_token_seconds

    def _is_reused(self, status: TokenStatus) -> bool:
        return is_reused(status, self._now(), self._settings.refresh_grace_seconds)

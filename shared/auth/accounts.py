"""Accounts and their tokens: register, log in, refresh, authenticate, revoke."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from shared.auth.hash_renewal import HashRenewal
from shared.auth.login_attempts import LoginAttempts
from shared.auth.password_check import PasswordCheck
from shared.auth.password_hasher import PasswordHasher
from shared.auth.tokens import BLACKLISTED, TokenCodec
from shared.auth.turns import Requester
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import BOOT, Clock, ClockReading, system_clock, uptime
from shared.decisions.sessions import TokenStatus, is_reused
from shared.errors import (
    CredentialsRejected,
    TokenRejected,
    Unavailable,
    UserGone,
    UserInactive,
    ValidationFailed,
)
from shared.models import Bearer, Token, User
from shared.rules.accounts import (
    USERNAME_TAKEN,
    clean_current_password,
    clean_new_password,
    clean_username,
    username_key,
)
from shared.settings import Settings
from shared.store import Store

_TRIES: Final = 3  # a password that changes while it is checked is looked at again
_PATIENCE_MAX: Final = 3600


class TokenPair(NamedTuple):
    """``refresh`` is ``None`` where a refresh did not bring a new one."""

    access: str
    refresh: str | None


class Identity(NamedTuple):
    """Who bears a token, and the seq of their newest change."""

    user: User
    seq: int


def _collect(errors: dict[str, list[str]], clean: Callable[..., str], *arguments: object) -> str:
    """Clean one field; what is wrong with it joins the other fields' errors."""
    try:
        return clean(*arguments)
    except ValidationFailed as failed:
        errors.update(failed.errors)
        return ""


class AccountService:
    """The one door for accounts and tokens, the same for both transports.

    ``address`` is the requester's: an IPv4 address or an IPv6 network of 64 bits.
    """

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        codec: TokenCodec,
        verified: VerifiedTokens,
        renewal: HashRenewal,
        settings: Settings,
        clock: Clock = system_clock,
        uptime: Callable[[], float] = uptime,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._codec = codec
        self._verified = verified
        self._renewal = renewal
        self._settings = settings
        self._clock = clock
        self._uptime = uptime
        self._attempts = LoginAttempts(settings.login_attempts_per_minute, uptime)
        self._passwords = PasswordCheck(store, hasher, self._attempts)
        self._patience = min(_PATIENCE_MAX, settings.refresh_token_seconds)

    def stop(self) -> None:
        """Refuse the passwords that wait to be hashed, and those that come (Unavailable)."""
        self._hasher.refuse_waiting()

    async def register(self, data: Mapping[str, object], address: str) -> User:
        """Raises ValidationFailed, with the messages of all bad fields at once, and Throttled."""
        take_back = self._attempts.register(address)
        try:
            return await self._register(data, address)
        except Unavailable:
            take_back()
            raise

    async def _register(self, data: Mapping[str, object], address: str) -> User:
        errors: dict[str, list[str]] = {}
        username = _collect(errors, clean_username, data)
        key = username_key(username) or ""
        if not errors and await self._store.user_by_key(key):
            errors["username"] = [USERNAME_TAKEN]  # spares the hash; the store decides
        password = _collect(errors, clean_new_password, data, self._settings.password_min_length)
        if errors:
            raise ValidationFailed(errors)
        encoded = await self._hasher.hash(password, Requester(address, key))
        return await self._store.add_user(username, key, encoded, self._clock())

    async def login(self, username: str, password: str, address: str) -> TokenPair:
        """Takes as long for an unknown user as for a wrong password. Raises CredentialsRejected and Throttled."""
        for _ in range(_TRIES):
            user = await self._passwords.user_of(username, password, address)
            if user is None or not user.is_active:
                raise CredentialsRejected
            try:
                pair = await self._begin_family(user, address)
            except UserGone:  # or its password has been changed, or hashed anew, while this one was checked
                continue
            self._renewal.offer(user, password)
            return pair
        raise CredentialsRejected

    async def _begin_family(self, user: User, address: str) -> TokenPair:
        settings, sid = self._settings, secrets.token_hex(16)
        refresh, token = self._codec.issue("refresh", user.id, sid, settings.refresh_token_seconds)
        access, _ = self._codec.issue("access", user.id, sid, settings.access_token_seconds)
        await self._store.add_session(
            sid, user, self._family_end(token.exp), address, self._now(), self._patience
        )
        return TokenPair(access, refresh)

    async def refresh(self, encoded: str) -> TokenPair:
        """A new access token; with rotation, a new refresh token too.

        Raises:
            TokenRejected: UserGone and UserInactive among them.
        """
        token = self._codec.verify(encoded, "refresh")
        status = await self._require_active(token)
        if self._settings.rotate_refresh_tokens or self._is_used_up(status):
            return await self._exchange(token)
        access, issued = self._issue_access(token.user_id, token.sid)
        outlives = token.sid is not None and issued.exp > status.expires  # the setting has been raised since
        if outlives and not await self._store.extend_session(str(token.sid), issued.exp):
            raise TokenRejected(BLACKLISTED)
        return TokenPair(access, None)

    async def _exchange(self, token: Token) -> TokenPair:
        settings = self._settings
        new_sid = secrets.token_hex(16)
        end = self._family_end(max(token.exp, self._now().time + settings.refresh_token_seconds))
        sid = await self._store.exchange_token(
            token, new_sid, end, self._now(), settings.refresh_grace_seconds, self._patience
        )
        if sid is None:
            self._verified.forget((token.user_id,))
            raise TokenRejected(BLACKLISTED)
        refresh, _ = self._codec.issue("refresh", token.user_id, sid, settings.refresh_token_seconds)
        access, _ = self._issue_access(token.user_id, sid)
        return TokenPair(access, refresh)

    def _issue_access(self, user_id: int, sid: str | None) -> tuple[str, Token]:
        return self._codec.issue("access", user_id, sid, self._settings.access_token_seconds)

    def _family_end(self, refresh_end: int) -> int:
        """When the last access token can have expired that this refresh token is good for."""
        return refresh_end + self._settings.access_token_seconds

    def _is_used_up(self, status: TokenStatus) -> bool:
        """Whether a refresh token was exchanged, and its grace is over."""
        return is_reused(status, self._now(), self._settings.refresh_grace_seconds)

    async def verify(self, encoded: str) -> None:
        """Whether a token of either type would be accepted. Raises TokenRejected."""
        if self._is_used_up(await self._require_active(self._codec.verify(encoded, None))):
            raise TokenRejected(BLACKLISTED)

    def verify_access(self, encoded: str) -> Token:
        """The claims of an access token, before anything is asked of the store. Raises TokenRejected."""
        token = self._verified.get(encoded)
        if token is None:
            token = self._codec.verify(encoded, "access")
            self._verified.keep(encoded, token)
        return token

    async def authenticate(self, encoded: str) -> Token:
        """The claims of an access token that is active, as far as this process has heard.

        Every request asks this, so the store's answer is reused for a second. A revocation by this process ends the
        token at once, one by another process as soon as it is heard of.

        Raises:
            TokenRejected: UserGone and UserInactive among them.
        """
        token = self._verified.get_active(encoded)
        if token is None:
            heard = self._verified.revocations_heard
            token = self.verify_access(encoded)
            await self._require_active(token)
            self._verified.mark_active(encoded, heard)
        return token

    async def identify(self, token: Token) -> Identity:
        """The bearer of a verified token, as of now. Raises TokenRejected, UserGone, UserInactive."""
        status = await self._require_active(token)
        return Identity(status.user, status.seq)

    async def ended_tokens(self, tokens: Sequence[Token]) -> list[Token]:
        """Those of the access tokens that are no longer active, whatever ended them. Raises Unavailable."""
        return await self._store.ended_tokens(tokens)

    async def version(self) -> int:
        """The store's version: while it stays the same, no token ends but by expiry. Raises Unavailable."""
        return await self._store.version()

    async def logout(self, encoded: str) -> None:
        """End the refresh token and its family. Raises TokenRejected."""
        token = self._codec.verify(encoded, "refresh")
        await self._require_active(token)
        await self._store.end_family(token, secrets.token_hex(16), self._now())
        self._verified.forget((token.user_id,))

    async def change_password(self, bearer: Bearer, data: Mapping[str, object]) -> None:
        """All the user's tokens end. Raises ValidationFailed, Throttled and UserGone."""
        errors: dict[str, list[str]] = {}
        current = _collect(errors, clean_current_password, data)
        password = _collect(errors, clean_new_password, data, self._settings.password_min_length)
        if errors:
            raise ValidationFailed(errors)
        encoded = None
        for _ in range(_TRIES):
            user = await self._passwords.is_bearers(bearer, current)
            if user is None:
                break
            if encoded is None:
                requester = Requester(bearer.address, username_key(user.username) or "")
                encoded = await self._hasher.hash(password, requester)
            if await self._store.set_password(user, encoded, self._now()):
                self._verified.forget((user.id,))
                return
        raise _wrong_password()

    async def delete_account(self, bearer: Bearer, data: Mapping[str, object]) -> None:
        """The account and its tasks are gone. Raises ValidationFailed, Throttled and UserGone."""
        current = clean_current_password(data)
        for _ in range(_TRIES):
            user = await self._passwords.is_bearers(bearer, current)
            if user is None:
                break
            if await self._store.delete_user(user, self._now()):
                self._verified.forget((user.id,))
                return
        raise _wrong_password()

    async def _require_active(self, token: Token) -> TokenStatus:
        status = await self._store.token_status(token)
        if status is None:
            raise UserGone
        if status.revoked:
            raise TokenRejected(BLACKLISTED)
        if not status.user.is_active:
            raise UserInactive
        return status

    def _now(self) -> ClockReading:
        return ClockReading(self._clock() // 1_000_000, self._uptime(), BOOT)


def _wrong_password() -> ValidationFailed:
    return ValidationFailed({"current_password": ["Wrong password."]})

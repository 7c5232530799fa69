"""Accounts and their tokens: register, log in, refresh, authenticate, revoke."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple

from shared.clock import Clock, system_clock
from shared.errors import CredentialsRejected, TokenRejected, UserGone, UserInactive, ValidationFailed
from shared.models import User
from shared.passwords import PasswordHasher
from shared.rules import (
    USERNAME_TAKEN,
    clean_current_password,
    clean_new_password,
    clean_username,
    username_key,
)
from shared.settings import Settings
from shared.store import Standing, Store
from shared.tokens import BLACKLISTED, Token, TokenCodec
from shared.verified_tokens import VerifiedTokens


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
    """The one door for accounts and tokens, the same for both transports."""

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        codec: TokenCodec,
        verified: VerifiedTokens,
        settings: Settings,
        clock: Clock = system_clock,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._codec = codec
        self._verified = verified
        self._settings = settings
        self._clock = clock

    async def register(self, data: Mapping[str, object]) -> User:
        """Raises ValidationFailed, with the messages of all bad fields at once."""
        errors: dict[str, list[str]] = {}
        username = _collect(errors, clean_username, data)
        if not errors and await self._store.user_by_key(username_key(username)):
            errors["username"] = [USERNAME_TAKEN]  # spares the hash; the store decides
        password = _collect(errors, clean_new_password, data, self._settings.password_min_length)
        if errors:
            raise ValidationFailed(errors)
        encoded = await self._hasher.hash(password)
        return await self._store.add_user(username, username_key(username), encoded, self._clock())

    async def login(self, username: str, password: str) -> TokenPair:
        """Takes as long for an unknown user as for a wrong password. Raises CredentialsRejected."""
        user = await self._store.user_by_key(username_key(username))
        matches = await self._hasher.check(password, user.password if user else None)
        if user is None or not matches or not user.is_active:
            raise CredentialsRejected
        return await self._begin_family(user)

    async def _begin_family(self, user: User) -> TokenPair:
        settings, sid = self._settings, secrets.token_hex(16)
        refresh, token = self._codec.issue("refresh", user.id, sid, settings.refresh_token_seconds)
        access, _ = self._codec.issue("access", user.id, sid, settings.access_token_seconds)
        try:
            await self._store.add_session(sid, user, self._family_end(token), self._clock())
        except UserGone:  # or changed the password, while the old one was checked
            raise CredentialsRejected from None
        return TokenPair(access, refresh)

    async def refresh(self, encoded: str) -> TokenPair:
        """A new access token; with rotation, a new refresh token too.

        Raises:
            TokenRejected: UserGone and UserInactive among them.
        """
        settings = self._settings
        token = self._codec.verify(encoded, "refresh")
        await self._standing(token)
        access, _ = self._codec.issue("access", token.user_id, token.sid, settings.access_token_seconds)
        if (
            not settings.rotate_refresh_tokens or token.sid is None
        ):  # simplejwt's own has no family to rotate in
            return TokenPair(access, None)
        refresh, new = self._codec.issue("refresh", token.user_id, token.sid, settings.refresh_token_seconds)
        if not await self._store.rotate_session(
            token.sid, token.jti, self._family_end(new), self._clock(), settings.refresh_grace_seconds
        ):
            self._verified.forget((token.user_id,))
            raise TokenRejected(BLACKLISTED)
        return TokenPair(access, refresh)

    def _family_end(self, refresh: Token) -> int:
        """When the last access token can have expired that this refresh token is good for."""
        return refresh.exp + self._settings.access_token_seconds

    async def verify(self, encoded: str) -> None:
        """Whether a token of either type would be accepted. Raises TokenRejected."""
        await self._standing(self._codec.verify(encoded, None))

    def verify_access(self, encoded: str) -> Token:
        """The claims of an access token, before anything is asked of the store. Raises TokenRejected."""
        token = self._verified.get(encoded)
        if token is None:
            token = self._codec.verify(encoded, "access")
            self._verified.keep(encoded, token)
        return token

    async def authenticate(self, encoded: str) -> Token:
        """The claims of an access token whose bearer stands, as far as this process has heard.

        That is what every request asks, so the answer is believed for a second; a revocation ends it at once where
        this process made it, and as soon as it is heard of where another did.

        Raises:
            TokenRejected: UserGone and UserInactive among them.
        """
        token = self._verified.get_standing(encoded)
        if token is None:
            heard = self._verified.revocations_heard
            token = self.verify_access(encoded)
            await self._standing(token)
            self._verified.keep_standing(encoded, heard)
        return token

    async def identify(self, token: Token) -> Identity:
        """The bearer of a verified token, as of now. Raises TokenRejected, UserGone, UserInactive."""
        standing = await self._standing(token)
        return Identity(standing.user, standing.seq)

    async def logout(self, encoded: str) -> None:
        """End the refresh token's family. Raises TokenRejected."""
        token = self._codec.verify(encoded, "refresh")
        await self._standing(token)
        if token.sid is not None:
            await self._store.revoke_session(token.sid, self._clock())
            self._verified.forget((token.user_id,))

    async def change_password(self, user: User, data: Mapping[str, object]) -> None:
        """All the user's tokens end. Raises ValidationFailed."""
        errors: dict[str, list[str]] = {}
        current = _collect(errors, clean_current_password, data)
        password = _collect(errors, clean_new_password, data, self._settings.password_min_length)
        if errors:
            raise ValidationFailed(errors)
        await self._check_current(user, current)
        await self._store.set_password(user.id, await self._hasher.hash(password), self._clock())
        self._verified.forget((user.id,))

    async def delete_account(self, user: User, data: Mapping[str, object]) -> None:
        """The account and its tasks are gone. Raises ValidationFailed."""
        await self._check_current(user, clean_current_password(data))
        await self._store.delete_user(user.id, self._clock())
        self._verified.forget((user.id,))

    async def _check_current(self, user: User, password: str) -> None:
        if not await self._hasher.check(password, user.password):
            raise ValidationFailed({"current_password": ["Wrong password."]})

    async def _standing(self, token: Token) -> Standing:
        standing = await self._store.standing(token.user_id, token.sid, token.iat)
        if standing is None:
            raise UserGone
        if standing.revoked:
            raise TokenRejected(BLACKLISTED)
        if not standing.user.is_active:
            raise UserInactive
        return standing

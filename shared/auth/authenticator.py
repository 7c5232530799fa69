"""Whose an access token is, and whether it is still good: what every request of either transport asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shared.auth.tokens import BLACKLISTED, TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.decisions.sessions import TokenStatus, is_active
from shared.errors import TokenRejected, UserGone, UserInactive
from shared.models import Token, User
from shared.store import Store


class Identity(NamedTuple):
    """The user of a token, and the seq of their newest change."""

    user: User
    seq: int


class Authenticator:
    """Checks access tokens: their signature by the codec, whether they are active by the store.

    TokenRejected includes UserGone and UserInactive.
    """

    def __init__(self, store: Store, codec: TokenCodec, verified: VerifiedTokens) -> None:
        self._store = store
        self._codec = codec
        self._verified = verified

    def verify_access(self, encoded: str) -> Token:
        """The claims of an access token; the store is not asked whether it is active. Raises TokenRejected."""
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
            TokenRejected: the token is not valid, or no longer active.
        """
        token = self._verified.get_active(encoded)
        if token is None:
            heard = self._verified.revocations_heard
            token = self.verify_access(encoded)
            await self.require_active(token)
            self._verified.mark_active(encoded, heard)
        return token

    async def identify(self, token: Token) -> Identity:
        """The user of a verified token, as of now. Raises TokenRejected."""
        status = await self.require_active(token)
        return Identity(status.user, status.seq)

    async def require_active(self, token: Token) -> TokenStatus:
        """What the store says of a verified token of either type. Raises TokenRejected where it is not active."""
        status = await self._store.token_status(token)
        if is_active(status):
            return status
        if status is None:
            raise UserGone
        if status.revoked:
            raise TokenRejected(BLACKLISTED)
        raise UserInactive

    async def ended_tokens(self, tokens: Sequence[Token]) -> list[Token]:
        """Those of the access tokens that are no longer active, whatever ended them. Raises Unavailable."""
        return await self._store.ended_tokens(tokens)

    async def version(self) -> int:
        """The store's version: while it stays the same, no token ends but by expiry or revocation. Raises Unavailable."""
        return await self._store.version()

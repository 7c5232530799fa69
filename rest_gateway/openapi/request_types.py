"""Bodies of requests as types, for the document. Nothing is decoded into them: ``shared.rules`` reads requests."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from shared.api_types import Operations
from shared.rules.accounts import USERNAME_MAX_LENGTH

Username = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=USERNAME_MAX_LENGTH,
        pattern=r"^[\w.@+-]+$",
        description="Letters and digits of any script, and `@ . + - _`. Compared without regard to case.",
        examples=["ann"],
    ),
]
Password = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=r"^[^\x00]*$",
        description="Never trimmed.",
        examples=["correct horse battery staple"],
    ),
]
Token = Annotated[str, Meta(pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$", description="As it was given.")]


class Registration(Struct):
    """A new account."""

    username: Username
    password: Password


class Credentials(Struct):
    """Who logs in."""

    username: Annotated[str, Meta(min_length=1, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$", examples=["ann"])]
    password: Password


class RefreshToken(Struct):
    """A refresh token."""

    refresh: Token


class AnyToken(Struct):
    """An access or a refresh token."""

    token: Token


class PasswordChange(Struct):
    """The new password is ``password``."""

    current_password: Password
    password: Password


class CurrentPassword(Struct):
    """So that nobody deletes an account who only found its browser open."""

    current_password: Password


class Batch(Struct):
    """Operations that are carried out all or not at all, in this order."""

    ops: Operations

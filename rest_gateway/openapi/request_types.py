"""Bodies of requests as types, for the document. Nothing is decoded into them: ``shared.rules`` reads requests."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import fields

from shared.api_types import NewTask, Operations
from shared.models import Uuid
from shared.rules.accounts import USERNAME_MAX_LENGTH
from shared.rules.tasks import BLANK_IS_ABSENT

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


NewTaskForm: Final = msgspec.defstruct(
    "NewTaskForm",
    [
        *(
            (f.name, f.type, *([] if f.required else [f.default]))
            for f in fields(NewTask)
            if f.name != "uuid"
        ),
        ("uuid", Uuid | UnsetType, UNSET),
    ],
    kw_only=True,
    namespace={
        "__doc__": f"A task to be made, sent as a form. Blank values of {' and '.join(map('`{}`'.format, sorted(BLANK_IS_ABSENT)))} count as left out."
    },
)


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

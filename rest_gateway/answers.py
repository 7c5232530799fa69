"""Bodies of answers that are made here; those of tasks and changes are made by ``shared.wire`` and the store."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from shared.models import Time


class Account(Struct, frozen=True):
    """A user who has just registered."""

    id: int
    username: str


class Me(Struct, frozen=True):
    """The user whose token it is."""

    id: int
    username: str
    date_joined: Time


class Tokens(Struct, frozen=True):
    """``access`` goes into the ``Authorization`` header, ``refresh`` gets a new one when it has expired."""

    refresh: str
    access: str


class Refreshed(Struct, frozen=True):
    """``refresh`` where the server is set to rotate refresh tokens: it takes the place of the one that was sent."""

    access: str
    refresh: str | UnsetType = UNSET


class Empty(Struct, frozen=True):
    """Done."""


class Status(Struct, frozen=True):
    """What a probe says."""

    status: Literal["ok", "ready", "unavailable"]
